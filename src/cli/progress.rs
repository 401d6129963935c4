//! What a long command is at, on a terminal only.

use std::io::{IsTerminal, Write, stderr};

/// A line on stderr that is overwritten, and gone in the end.
pub(super) struct Progress {
    shown: bool,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self { shown: stderr().is_terminal() }
    }

    /// Replaces the line. That a terminal cannot be written to is no error.
    pub(super) fn show(&self, text: &str) {
        if self.shown {
            let mut stderr = stderr().lock();
            let _ = write!(stderr, "\r\x1b[K{text}").and_then(|()| stderr.flush());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.show("");
    }
}
