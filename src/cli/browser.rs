//! A page printed as PDF by a browser that is installed.
//!
//! The page is made for paper already; a typesetter of flopcast's own would be the largest part of
//! its build, and a second layout to keep like the first. Chromium and its kin print without a
//! window; the page has no script and asks for nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use flopcast_core::diagnostic::{Error, Result};

use super::output;

/// Names under which Chromium and its kin are installed.
const BROWSERS: &[&str] = &[
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
    "msedge",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/// A browser that has not printed after this time is stopped.
const PATIENCE: Duration = Duration::from_secs(60);

/// The page as PDF.
///
/// # Errors
/// If no browser is found, or none prints the page.
pub(super) fn pdf(page: &[u8], browser: Option<&Path>) -> Result<Vec<u8>> {
    let folder = output::Scratch::new()?;
    let (source, target) = (folder.path().join("page.html"), folder.path().join("page.pdf"));
    output::write(&source, page, false)?;
    let named: Vec<PathBuf> = match browser {
        Some(browser) => vec![browser.to_owned()],
        None => BROWSERS.iter().map(PathBuf::from).collect(),
    };
    let mut tried = None;
    for browser in &named {
        // Where a browser cannot lock itself in (as root, in a container), the page, which is
        // flopcast's own and has no script, is printed without.
        for more in [&[][..], &["--no-sandbox"]] {
            match print(browser, more, folder.path(), &source, &target) {
                Ok(Some(bytes)) => return Ok(bytes),
                Ok(None) => tried = Some(browser),
                // It is not installed.
                Err(_) => break,
            }
        }
    }
    let hint = "install Chromium, or name a browser by --browser; else write an .html page and \
                print that";
    Err(match (tried, browser) {
        (Some(browser), _) => Error::input(format!("{} did not print the page", browser.display())),
        (None, Some(browser)) => Error::input(format!("there is no browser {}", browser.display())),
        (None, None) => Error::input("a PDF is printed by a browser, and none is installed"),
    }
    .hint(hint))
}

/// Lets a browser print; `None` if it gave no PDF.
///
/// # Errors
/// If there is no such program.
fn print(
    browser: &Path,
    more: &[&str],
    folder: &Path,
    source: &Path,
    target: &Path,
) -> std::io::Result<Option<Vec<u8>>> {
    let option = |name: &str, path: &Path| {
        let mut option = std::ffi::OsString::from(name);
        option.push(path);
        option
    };
    let child = Command::new(browser)
        .args(["--headless", "--disable-gpu", "--no-first-run", "--no-pdf-header-footer"])
        .args(more)
        .arg(option("--user-data-dir=", &folder.join("profile")))
        .arg(option("--print-to-pdf=", target))
        .arg(option("file://", source))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let bytes = if ended(child) { fs::read(target).ok() } else { None };
    Ok(bytes.filter(|bytes| bytes.starts_with(b"%PDF-")))
}

#[expect(clippy::disallowed_methods, reason = "the command line may read the clock")]
/// True if the program ended by itself; one that takes too long is stopped.
fn ended(mut child: Child) -> bool {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        match child.try_wait() {
            Ok(None) => std::thread::sleep(Duration::from_millis(50)),
            Ok(Some(status)) => return status.success(),
            Err(_) => break,
        }
    }
    let _ = child.kill();
    let _ = child.wait();
    false
}
