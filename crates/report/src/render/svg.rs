//! Text in SVG and other XML.

use crate::text::{markup, rewritten, visible};

/// The text as XML: markup escaped, and without the characters that XML forbids or that act on
/// what stands beside them.
pub fn escape(text: &str) -> String {
    let forbidden = |character| matches!(character, '\u{fffe}' | '\u{ffff}');
    rewritten(&markup(&visible(text)), |byte| matches!(byte, b' '..=b'~'), forbidden, |_, _| {})
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_character_is_left_that_xml_forbids() {
        let escaped = super::escape("<a b=\"&\">\u{0}\u{1b}\u{c}\u{ffff}\u{9}x");
        assert_eq!(escaped, "&lt;a b=&quot;&amp;&quot;&gt;\\u{0}\\u{1b}\\u{c}\\tx");
    }
}
