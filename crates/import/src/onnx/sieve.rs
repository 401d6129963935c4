//! The bytes of a file without its weights, which are never read.
//!
//! A file is nested messages, each field with its length before it. Fields that hold the data of a
//! large tensor are passed over; the messages around them are written anew with their new lengths.
//! For a reader it is a file whose weights are stored elsewhere.

use flopcast_core::diagnostic::Result;

use super::value::MOST_STORED;

/// Bytes that are read at a time.
const WINDOW: u64 = 1 << 16;
/// The deepest nesting of messages.
const MOST_DEPTH: u32 = 64;

/// The messages that weights lie in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Message {
    Model,
    Graph,
    Node,
    Attribute,
    Sparse,
    Tensor,
}

impl Message {
    /// The message in a field, where it is one that weights lie in.
    fn inner(self, field: u64) -> Option<Self> {
        Some(match (self, field) {
            (Self::Model, 7) | (Self::Attribute, 6 | 11) => Self::Graph,
            (Self::Graph, 1) => Self::Node,
            (Self::Graph, 5) | (Self::Attribute, 5 | 10) | (Self::Sparse, 1 | 2) => Self::Tensor,
            (Self::Graph, 15) => Self::Sparse,
            (Self::Node, 5) => Self::Attribute,
            _ => return None,
        })
    }

    /// True for the fields of a tensor that hold its data.
    fn is_data(self, field: u64) -> bool {
        self == Self::Tensor && matches!(field, 4..=7 | 9..=11)
    }
}

/// The file of so many bytes without its weights; `part` reads some bytes from a place on. `None`
/// where it is no sequence of messages.
///
/// # Errors
/// As `part`.
pub(crate) fn sieve(
    size: u64,
    part: &dyn Fn(u64, u64) -> Result<Vec<u8>>,
) -> Result<Option<Vec<u8>>> {
    let mut reader = Reader { part, window: Vec::new(), start: 0, at: 0 };
    let mut kept = Vec::new();
    Ok(reader.message(Message::Model, size, 0, &mut kept)?.map(|()| kept))
}

/// A place in a file, and the bytes around it.
struct Reader<'a> {
    part: &'a dyn Fn(u64, u64) -> Result<Vec<u8>>,
    window: Vec<u8>,
    start: u64,
    at: u64,
}

impl Reader<'_> {
    /// Keeps the fields of a message up to its end.
    fn message(
        &mut self,
        message: Message,
        end: u64,
        depth: u32,
        kept: &mut Vec<u8>,
    ) -> Result<Option<()>> {
        while self.at < end {
            let Some(key) = self.number()? else { return Ok(None) };
            let field = key >> 3;
            let length = match key & 7 {
                0 => {
                    let Some(value) = self.number()? else { return Ok(None) };
                    put(key, kept);
                    put(value, kept);
                    continue;
                }
                1 => 8,
                5 => 4,
                2 => {
                    let Some(length) = self.number()? else { return Ok(None) };
                    length
                }
                _ => return Ok(None),
            };
            let Some(after) = self.at.checked_add(length).filter(|after| *after <= end) else {
                return Ok(None);
            };
            if key & 7 == 2 && message.is_data(field) {
                self.at = after;
                continue;
            }
            put(key, kept);
            match message.inner(field).filter(|_| key & 7 == 2 && length > MOST_STORED as u64) {
                Some(_) if depth > MOST_DEPTH => return Ok(None),
                Some(inner) => {
                    let mut body = Vec::new();
                    if self.message(inner, after, depth + 1, &mut body)?.is_none() {
                        return Ok(None);
                    }
                    put(body.len() as u64, kept);
                    kept.append(&mut body);
                }
                None => {
                    if key & 7 == 2 {
                        put(length, kept);
                    }
                    if self.copy(after, kept)?.is_none() {
                        return Ok(None);
                    }
                }
            }
        }
        Ok(Some(()))
    }

    /// The bytes from here on that are at hand; none at the end of the file.
    fn ahead(&mut self) -> Result<&[u8]> {
        let within =
            |start: u64, window: &[u8], at: u64| (start..start + window.len() as u64).contains(&at);
        if !within(self.start, &self.window, self.at) {
            (self.window, self.start) = ((self.part)(self.at, WINDOW)?, self.at);
        }
        let offset = (self.at - self.start) as usize;
        Ok(self.window.get(offset..).unwrap_or_default())
    }

    /// A number of 7 bits a byte, the low ones first.
    fn number(&mut self) -> Result<Option<u64>> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let Some(&byte) = self.ahead()?.first() else { return Ok(None) };
            self.at += 1;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(Some(number));
            }
        }
        Ok(None)
    }

    /// Keeps all bytes up to a place.
    fn copy(&mut self, end: u64, kept: &mut Vec<u8>) -> Result<Option<()>> {
        while self.at < end {
            let left = end - self.at;
            let ahead = self.ahead()?;
            let count = left.min(ahead.len() as u64);
            if count == 0 {
                return Ok(None);
            }
            kept.extend(&ahead[..count as usize]);
            self.at += count;
        }
        Ok(Some(()))
    }
}

/// Writes a number of 7 bits a byte.
fn put(mut number: u64, kept: &mut Vec<u8>) {
    while number >= 0x80 {
        kept.push(number as u8 | 0x80);
        number >>= 7;
    }
    kept.push(number as u8);
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use prost::bytes::Bytes;

    use super::super::proto::{GraphProto, ModelProto};
    use super::*;

    /// A tensor called `w` of so many bytes of data.
    fn tensor(bytes: usize) -> Vec<u8> {
        let mut tensor = vec![0x08, 0x02, 0x10, 0x01, 0x42, 0x01, b'w', 0x4a];
        put(bytes as u64, &mut tensor);
        tensor.extend(vec![7; bytes]);
        tensor
    }

    fn file(tensors: &[usize]) -> Vec<u8> {
        let initializer = tensors.iter().map(|bytes| Bytes::from(tensor(*bytes))).collect();
        let graph = GraphProto { initializer, name: "g".into(), ..GraphProto::default() };
        let graph = Some(Bytes::from(graph.encode_to_vec()));
        ModelProto { graph, ..ModelProto::default() }.encode_to_vec()
    }

    #[test]
    fn large_weights_are_left_out_and_never_read() {
        let bytes = file(&[8, 10_000_000, 64]);
        let read = std::cell::Cell::new(0);
        let part = |from: u64, most: u64| {
            let from = (from as usize).min(bytes.len());
            let end = bytes.len().min(from + most as usize);
            read.set(read.get() + (end - from));
            Ok(bytes[from..end].to_vec())
        };
        let kept = sieve(bytes.len() as u64, &part).unwrap().unwrap();
        assert!(kept.len() < 200 && read.get() < 300_000, "{} {}", kept.len(), read.get());
        let model = ModelProto::decode(kept.as_slice()).unwrap();
        let graph = GraphProto::decode(model.graph.unwrap()).unwrap();
        let sizes: Vec<_> = graph.initializer.iter().map(Bytes::len).collect();
        assert_eq!(sizes, [tensor(8).len(), 7, tensor(64).len()]);
        assert_eq!(graph.name, "g");
    }

    #[test]
    fn a_small_file_stays_as_it_is_and_no_file_is_none() {
        let sieved = |bytes: &[u8]| {
            let part = |from: u64, most: u64| {
                let from = (from as usize).min(bytes.len());
                Ok(bytes[from..bytes.len().min(from + most as usize)].to_vec())
            };
            sieve(bytes.len() as u64, &part).unwrap()
        };
        let bytes = file(&[8, 9]);
        assert_eq!(sieved(&bytes), Some(bytes.clone()));
        assert_eq!(sieved(&bytes[..bytes.len() - 1]), None);
        assert_eq!(sieved(b"no messages at all"), None);
    }
}
