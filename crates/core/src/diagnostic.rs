//! Errors that say what went wrong, where, and what to do next.
//!
//! One [`Error`] serves the whole crate: a sentence, the place in the user's file if there is one,
//! and hints. Its [`Kind`] is the exit code.

use std::fmt;
use std::sync::Arc;

/// A result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The reason why a command ends without its answer; the number is the process's exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A limit, a budget or the memory is exceeded.
    Limit = 1,
    /// The input is wrong.
    Input = 2,
    /// A live source failed.
    Live = 3,
}

/// A place in a text that the user wrote; the default is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The file as the user named it.
    pub file: Arc<str>,
    /// The byte of that name at which the path from the scenario's folder begins.
    pub inside: usize,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The number of characters to underline; at least 1.
    pub width: usize,
    /// The line itself, for the snippet.
    pub text: Arc<str>,
}

impl Place {
    /// File and line for a document. The file is named from the scenario's folder, so the document
    /// says the same wherever the scenario lies.
    pub fn cited(&self) -> String {
        format!("{}:{}", self.file.get(self.inside..).unwrap_or(&self.file), self.line)
    }
}

/// A value with the place it was read from.
#[derive(Clone, Debug)]
pub struct Placed<T> {
    /// The value.
    pub value: T,
    /// The place where it stands.
    pub place: Place,
}

/// An error that tells a user where, what, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: Kind,
    message: String,
    place: Option<Place>,
    hints: Vec<String>,
}

impl Error {
    /// An error of the input: `message` says what is wrong, in one sentence without a full stop.
    pub fn input(message: impl Into<String>) -> Self {
        Self { kind: Kind::Input, message: message.into(), place: None, hints: Vec::new() }
    }

    /// An error of a limit that is exceeded.
    pub fn limit(message: impl Into<String>) -> Self {
        Self { kind: Kind::Limit, ..Self::input(message) }
    }

    /// An error of a live source that failed.
    pub fn live(message: impl Into<String>) -> Self {
        Self { kind: Kind::Live, ..Self::input(message) }
    }

    /// Adds a sentence on what the user can do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds "did you mean" for the entries nearest to `word`, if any is near.
    #[must_use]
    pub fn suggest<'a>(self, word: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        match nearest(word, known).as_slice() {
            [] => self,
            near => {
                let names: Vec<_> = near.iter().map(|name| format!("`{name}`")).collect();
                self.hint(format!("did you mean {}?", names.join(" or ")))
            }
        }
    }

    /// Puts the part of the input that is wrong before the message.
    #[must_use]
    pub fn within(mut self, part: &str) -> Self {
        self.message = format!("{part}: {}", self.message);
        self
    }

    /// Adds the place, unless a closer place is known already.
    #[must_use]
    pub fn at(mut self, place: Option<&Place>) -> Self {
        self.place = self.place.or_else(|| place.filter(|place| place.line > 0).cloned());
        self
    }

    /// The reason.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The process's exit code.
    pub fn exit_code(&self) -> u8 {
        self.kind as u8
    }

    /// The message, without place and hints.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Sentences on what the user can do next.
    pub fn hints(&self) -> &[String] {
        &self.hints
    }

    /// The place in the user's file, if it is known.
    pub fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }
}

/// The most characters of a line that a snippet shows.
const MOST_SHOWN: usize = 160;

impl std::error::Error for Error {}

impl fmt::Display for Error {
    /// The message, then file, line and caret, then the hints.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)?;
        if let Some(Place { file, line, column, width, text, .. }) = &self.place {
            let gutter = " ".repeat(line.to_string().len());
            let text: String = text.chars().take(MOST_SHOWN).collect();
            write!(f, "\n{gutter}--> {file}:{line}:{column}\n{gutter} |\n{line} | {text}")?;
            // The part of a line that is not shown has no carets under it.
            if *column <= MOST_SHOWN {
                let indent = " ".repeat(column.saturating_sub(1));
                let carets = "^".repeat((*width).clamp(1, MOST_SHOWN + 1 - column));
                write!(f, "\n{gutter} | {indent}{carets}")?;
            }
        }
        for hint in &self.hints {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

/// True if a character has no shape of its own, but acts on a terminal or on what stands beside
/// it: control characters, marks of writing direction, characters without width, tags.
pub fn acts(character: char) -> bool {
    if matches!(character, ' '..='~') {
        return false;
    }
    let invisible = matches!(
        character,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    );
    character.is_control() || invisible
}

/// The entries of `known` that a misspelt `word` most likely meant: up to three, nearest first.
///
/// An entry is near if its Jaro-Winkler similarity is above 0.8, or if one word contains the other;
/// capitals do not matter.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    // Similarity takes the product of the lengths, and no name is as long.
    if word.len() > MOST_SHOWN {
        return Vec::new();
    }
    let lower = word.to_lowercase();
    let mut scored: Vec<_> = known
        .into_iter()
        .filter(|name| name.len() <= MOST_SHOWN)
        .map(|name| {
            let other = name.to_lowercase();
            let contains = !lower.is_empty() && (other.contains(&lower) || lower.contains(&other));
            let score = strsim::jaro_winkler(&lower, &other).max(if contains { 0.9 } else { 0.0 });
            (score, name)
        })
        .filter(|(score, _)| *score > 0.8)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    scored.dedup();
    scored.into_iter().take(3).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_at_the_place_and_offers_the_nearest() {
        let place = Place {
            file: "run.yaml".into(),
            inside: 0,
            line: 12,
            column: 3,
            width: 5,
            text: "  modle: gpt2".into(),
        };
        let error = Error::input("unknown key `modle`")
            .at(Some(&place))
            .suggest("modle", ["name", "model", "training"]);
        assert_eq!(
            error.to_string(),
            "unknown key `modle`\n  --> run.yaml:12:3\n   |\n12 |   modle: gpt2\n   |   ^^^^^\n  \
             hint: did you mean `model`?"
        );
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn nearest_keeps_quiet_when_nothing_is_near() {
        assert_eq!(nearest("h100", ["h100-sxm", "h100-pcie", "a100-sxm-80gb"]).len(), 2);
        assert!(nearest("zzz", ["model", "name"]).is_empty());
    }
}
