//! The engine as WebAssembly. The page writes a request into the engine's memory and reads the reply
//! from there:
//!
//! ```text
//! reserve(length) -> where to write     answer() -> length of the reply     reply() -> where it is
//! ```
//! Both are a message: the length of its JSON (4 bytes, little-endian), the JSON, and the bytes of a
//! file behind it. [`Page`] answers; it and the two messages are all that the engine keeps.

mod exact;
mod files;
mod lists;
mod page;

use std::cell::RefCell;

pub use files::Kept;
pub use page::Page;

/// The engine's side of the conversation.
#[derive(Default)]
struct Desk {
    page: Page,
    request: Vec<u8>,
    reply: Vec<u8>,
}

thread_local!(static DESK: RefCell<Desk> = RefCell::default());

/// Makes room for a request of a length in bytes; returns where the page writes it.
#[allow(unsafe_code, reason = "the page calls it by this name")]
#[unsafe(no_mangle)]
pub extern "C" fn reserve(length: usize) -> *mut u8 {
    DESK.with_borrow_mut(|desk| {
        desk.request.clear();
        desk.request.resize(length, 0);
        desk.request.as_mut_ptr()
    })
}

/// Answers the request; returns the length of the reply in bytes.
#[allow(unsafe_code, reason = "the page calls it by this name")]
#[unsafe(no_mangle)]
pub extern "C" fn answer() -> usize {
    DESK.with_borrow_mut(|desk| {
        let (json, file) = opened(&desk.request);
        let (json, file) = desk.page.answer(json, file);
        desk.reply = message(&json, &file);
        desk.reply.len()
    })
}

/// The place of the reply in memory, until the next request.
#[allow(unsafe_code, reason = "the page calls it by this name")]
#[unsafe(no_mangle)]
pub extern "C" fn reply() -> *const u8 {
    DESK.with_borrow(|desk| desk.reply.as_ptr())
}

/// The JSON of a message and the file behind it; what is cut short is empty.
fn opened(message: &[u8]) -> (&[u8], &[u8]) {
    let Some((length, rest)) = message.split_first_chunk::<4>() else { return (&[], &[]) };
    rest.split_at_checked(u32::from_le_bytes(*length) as usize).unwrap_or_default()
}

/// A message of JSON and a file.
fn message(json: &str, file: &[u8]) -> Vec<u8> {
    let length = u32::try_from(json.len()).unwrap_or_default();
    [&length.to_le_bytes(), json.as_bytes(), file].concat()
}
