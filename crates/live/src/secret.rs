//! Secrets that must not be repeated: keys and tokens, in every form that a server may echo.

use std::cell::RefCell;

/// The mark that replaces a secret.
const MASK: &str = "***";
/// A shorter secret is masked as a word of its own alone: it may be a part of any word.
const LEAST: usize = 4;

/// The secrets of a source, with the forms that they take on the way.
#[derive(Debug, Default)]
pub(super) struct Secrets(RefCell<Vec<String>>);

impl Secrets {
    /// Those of a key, which may be `user:password`.
    pub(super) fn of(key: Option<&str>) -> Self {
        let secrets = Self::default();
        if let Some(key) = key {
            secrets.learn(key);
        }
        secrets
    }

    /// Adds a secret: a key, or a token that a server gave for it.
    pub(super) fn learn(&self, key: &str) {
        let mut forms = self.0.borrow_mut();
        for part in key.split(':').chain([key]).filter(|part| !part.is_empty()) {
            forms.push(part.to_ascii_lowercase());
            let digit = |digit: u8| char::from_digit(u32::from(digit), 16).unwrap_or_default();
            forms.push(part.bytes().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect());
            for shift in 0..3 {
                let text = base64(part.as_bytes(), shift);
                forms.push(text.replace('+', "-").replace('/', "_").to_ascii_lowercase());
                forms.push(text.to_ascii_lowercase());
            }
        }
        forms.retain(|form| !form.is_empty());
        // The longest first: a part of a secret must not hide the rest of it.
        forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
    }

    /// The text without them, whatever their case; percent-encoded ones are found too.
    pub(super) fn masked(&self, text: &str) -> String {
        let plain = self.replaced(text);
        let decoded = decoded(&plain);
        let masked = self.replaced(&decoded);
        if masked == decoded { plain } else { masked }
    }

    /// True if the text holds one.
    pub(super) fn are_in(&self, text: &str) -> bool {
        self.masked(text) != text
    }

    /// The text with every form of a secret replaced by the mark.
    fn replaced(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for form in self.0.borrow().iter() {
            // Lowering ASCII alone keeps every byte in its place.
            let lower = text.to_ascii_lowercase();
            let form = form.to_ascii_lowercase();
            let mut out = String::new();
            let mut done = 0;
            for (at, _) in lower.match_indices(form.as_str()) {
                let end = at + form.len();
                if at < done || form.len() < LEAST && !stands_alone(&lower, at, end) {
                    continue;
                }
                out.extend([&text[done..at], MASK]);
                done = end;
            }
            if done > 0 {
                out.push_str(&text[done..]);
                text = out;
            }
        }
        text
    }
}

/// True if the text between two places is a word of its own.
fn stands_alone(text: &str, at: usize, end: usize) -> bool {
    let within = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    !within(text[..at].chars().next_back()) && !within(text[end..].chars().next())
}

/// The text with `%2B` read as `+`.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        let byte = byte.filter(|_| bytes[at] == b'%');
        out.push(byte.unwrap_or(bytes[at]));
        at += if byte.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The base64 of bytes that `shift` unknown ones come before: what stands for these bytes alone.
fn base64(bytes: &[u8], shift: usize) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits = |at: usize| (0..6).map(move |bit| 6 * at + bit);
    let bit = |at: usize| {
        let byte = at.checked_sub(8 * shift).and_then(|at| Some((bytes.get(at / 8)?, at % 8)));
        byte.map(|(byte, at)| byte >> (7 - at) & 1)
    };
    let digits = (8 * (shift + bytes.len())).div_ceil(6);
    let digit = |at: usize| bits(at).try_fold(0, |digit, at| Some(2 * digit + bit(at)?));
    let known = (0..digits).filter_map(digit);
    known.map(|digit: u8| char::from(DIGITS[usize::from(digit)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_masked_in_every_form() {
        let secrets = Secrets::of(Some("anna:S3cret+Key/x"));
        secrets.learn("tok-123456");
        let check = |text: &str| {
            let masked = secrets.masked(text).to_lowercase();
            for part in ["anna", "s3cret", "key", "123456", "zwnyzxq", "c2vjcmv0"] {
                assert!(!masked.contains(part), "{text}: {masked}");
            }
            assert!(masked.contains(MASK) && secrets.are_in(text), "{text}: {masked}");
        };
        check("no user anna:S3cret+Key/x here");
        check("bad S3CRET+KEY/X");
        check("/v1?k=S3cret%2BKey%2Fx&page=2");
        check("/v1?k=s3cret%2bkey%2fx");
        // base64 of `anna:S3cret+Key/x`, as a login sends it, and with a byte before it.
        check("Basic YW5uYTpTM2NyZXQrS2V5L3g=");
        check("eGFubmE6UzNjcmV0K0tleS94");
        check("token TOK-123456");
        assert_eq!(secrets.masked("nothing of it"), "nothing of it");
        assert_eq!(secrets.masked("100 % of 50%"), "100 % of 50%");
        let short = Secrets::of(Some("ab"));
        assert_eq!(short.masked("key ab of absent"), "key *** of absent");
    }
}
