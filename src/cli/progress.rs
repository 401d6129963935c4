//! The progress of a long command, on a terminal only.

use std::io::{IsTerminal, Write, stderr};

/// A line on stderr that is overwritten, and gone in the end.
pub(super) struct Progress {
    shown: bool,
}

impl Progress {
    /// A line of progress, shown on a terminal only.
    pub(super) fn new() -> Self {
        Self { shown: stderr().is_terminal() }
    }

    /// A bar of the share that is done, with what is being done.
    pub(super) fn bar(&self, what: &str, share: f64) {
        const WIDTH: usize = 30;
        // What is done makes room for the result.
        if share >= 1.0 {
            self.show("");
            return;
        }
        let full = (share.clamp(0.0, 1.0) * WIDTH as f64).round() as usize;
        let bar = "=".repeat(full) + &" ".repeat(WIDTH - full);
        self.show(&format!("[{bar}] {:3.0} % {what}", 100.0 * share));
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
