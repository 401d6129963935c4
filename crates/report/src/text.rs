//! Cutting, wrapping and escaping of text: the one place for each.
//!
//! Texts of users and of files they name reach a terminal, a page, a spreadsheet or a pull request.
//! [`visible`] writes characters that act there (control characters, marks of writing direction,
//! characters without width) as escapes; each renderer then escapes the marks of its own form.
//!
//! ```
//! use flopcast_report::text::visible;
//! assert_eq!(visible("a\u{1b}[31mb"), "a\\u{1b}[31mb");
//! ```

use std::fmt::Write as _;

use flopcast_core::diagnostic::acts;

/// Breaks a text at spaces into lines of at most `width` characters where words allow it.
pub fn wrap(text: &str, width: usize) -> Vec<&str> {
    let width = width.max(16);
    let (mut lines, mut rest) = (Vec::new(), Some(text));
    while let Some(text) = rest {
        let line;
        (line, rest) = first_line(text.trim_start_matches(' '), width);
        lines.push(line);
    }
    lines
}

/// As many words as fit, at least one, and those behind the space after them.
fn first_line(text: &str, width: usize) -> (&str, Option<&str>) {
    let mut behind = text.chars();
    if behind.nth(width).is_none() {
        return (text, None);
    }
    // With the first character that does not fit, which may be the space.
    let (most, beyond) = text.split_at(text.len() - behind.as_str().len());
    let end = most.rfind(' ').or_else(|| Some(most.len() + beyond.find(' ')?));
    match end {
        Some(end) => (&text[..end], Some(&text[end + 1..])),
        None => (text, None),
    }
}

/// The number of characters of a text, as a terminal counts them.
pub fn length(text: &str) -> usize {
    text.chars().count()
}

/// The text in at most `width` characters. The end of a path tells more than its beginning, the
/// beginning of a sentence more than its end; a path is a word that makes up most of the text.
pub fn cut(text: &str, width: usize) -> String {
    if length(text) <= width {
        return text.to_owned();
    }
    let kept = width.saturating_sub(1);
    let longest = text.split(' ').map(length).max().unwrap_or(0);
    if 2 * longest < length(text) {
        text.chars().take(kept).chain(['…']).collect()
    } else {
        std::iter::once('…').chain(text.chars().skip(length(text) - kept)).collect()
    }
}

/// The text in one line, with every character that acts written as an escape: `\n`, `\u{1b}`.
pub fn visible(text: &str) -> String {
    escaped(text, |_| false)
}

/// The same for lines that are set out already: line breaks and tabs stay.
pub fn visible_lines(text: &str) -> String {
    escaped(text, |character| matches!(character, '\n' | '\t'))
}

/// A value as JSON, in lines; what acts on a terminal is escaped as JSON does it.
pub fn json(value: &serde_json::Value) -> String {
    let mut out = String::new();
    for character in format!("{value:#}\n").chars() {
        if acts(character) && character != '\n' {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(character);
        }
    }
    out
}

/// The text as HTML and XML have it: markup escaped.
pub(crate) fn markup(text: &str) -> String {
    rewritten(
        text,
        |byte| !matches!(byte, b'&' | b'<' | b'>' | b'"'),
        |_| true,
        |character, out| {
            *out += match character {
                '&' => "&amp;",
                '<' => "&lt;",
                '>' => "&gt;",
                _ => "&quot;",
            }
        },
    )
}

/// The text with every character that acts written as an escape, unless it is `kept`.
fn escaped(text: &str, kept: fn(char) -> bool) -> String {
    let acts = |character| acts(character) && !kept(character);
    rewritten(
        text,
        |byte| matches!(byte, b' '..=b'~'),
        acts,
        |character, out| out.extend(character.escape_default()),
    )
}

/// The text with some characters written otherwise; what lies between them is copied as a whole, and
/// no character is read that begins with a `plain` byte: documents are megabytes.
pub(crate) fn rewritten(
    text: &str,
    plain: impl Fn(u8) -> bool,
    which: impl Fn(char) -> bool,
    write: impl Fn(char, &mut String),
) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut copied, mut at) = (0, 0);
    while let Some(skipped) = text.as_bytes()[at..].iter().position(|byte| !plain(*byte)) {
        let Some(character) = text[at + skipped..].chars().next() else { break };
        at += skipped + character.len_utf8();
        if which(character) {
            out += &text[copied..at - character.len_utf8()];
            write(character, &mut out);
            copied = at;
        }
    }
    out + &text[copied..]
}

/// The dates of the data in a line: `prices as of 2026-08-23 · grid as of 2025-01-01`.
pub(crate) fn dates(dates: &[(String, String)]) -> String {
    let shown = dates.iter().map(|(what, date)| format!("{} {date}", what.replace('_', " ")));
    shown.collect::<Vec<_>>().join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lose_their_beginning_and_sentences_their_end() {
        assert_eq!(cut("training.energy_kwh", 8), "…rgy_kwh");
        assert_eq!(cut("layers.*.norm x2", 8), "…norm x2");
        assert_eq!(cut("many words here", 8), "many wo…");
        assert_eq!(cut("short", 8), "short");
    }

    #[test]
    fn lines_break_at_spaces_and_words_stay_whole() {
        for (text, lines) in [
            ("", &[""] as &[&str]),
            ("one line of 16 c", &["one line of 16 c"]),
            ("one line of 16 ch", &["one line of 16", "ch"]),
            ("  set in, é is one", &["set in, é is one"]),
            ("a_word_beyond_the_width stays", &["a_word_beyond_the_width", "stays"]),
            ("two  spaces  stay  there", &["two  spaces ", "stay  there"]),
            ("sixteen of these  next", &["sixteen of these", "next"]),
            ("a_word_beyond_the_width", &["a_word_beyond_the_width"]),
            ("ends with a space ", &["ends with a", "space "]),
        ] {
            assert_eq!(wrap(text, 0), lines, "{text}");
        }
    }

    #[test]
    fn nothing_that_acts_is_left() {
        for (text, expected) in [
            ("plain é 漢 …", "plain é 漢 …"),
            ("a\u{1b}]0;t\u{7}", "a\\u{1b}]0;t\\u{7}"),
            ("a\r\nb\tc", "a\\r\\nb\\tc"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("abc\u{202e}fed\u{2066}", "abc\\u{202e}fed\\u{2066}"),
            ("zero\u{200b}width\u{feff}", "zero\\u{200b}width\\u{feff}"),
            ("tag\u{e0041}", "tag\\u{e0041}"),
        ] {
            assert_eq!(visible(text), expected);
        }
        let value = serde_json::json!("a\u{9b}\u{202e}\u{e0041}\n");
        let text = json(&value);
        assert_eq!(text, "\"a\\u009b\\u202e\\udb40\\udc41\\n\"\n");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
        assert_eq!(visible_lines("a\n\tb\u{1b}[1m"), "a\n\tb\\u{1b}[1m");
    }
}
