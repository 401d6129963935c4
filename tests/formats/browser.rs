//! The HTML report in a real browser: nothing is requested, nothing overflows, in the light and
//! in the dark, on a desk and on a phone; and it prints.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{scratch, stdout, tool};

const SCENARIOS: [&str; 3] = ["gpt3-175b", "llama-3.1-405b", "llama-3-70b-serving"];

/// Shows the page in a frame of a given width, and says what it asked for and what sticks out.
const PROBE: &str = r#"<iframe id="f" src="report.html" style="width:WIDTHpx;height:900px;border:0"></iframe>
<script>onload = () => {
  const w = f.contentWindow, d = w.document;
  const free = e => !e.closest('.scroll,pre,svg,.skip');
  const out = [...d.querySelectorAll('body *')].filter(e =>
    free(e) && e.getBoundingClientRect().right > w.innerWidth + 1);
  document.body.dataset.result = [
    `dark=${w.matchMedia('(prefers-color-scheme: dark)').matches}`,
    `requests=${w.performance.getEntriesByType('resource').length}`,
    `overflow=${d.documentElement.scrollWidth > w.innerWidth}`,
    `outside=${out.map(e => e.tagName).join(',')}`,
    `scripts=${d.scripts.length}`,
    `headings=${[...d.querySelectorAll('h1,h2,h3,h4')].map(e => e.tagName[1]).join('')}`,
    `unnamed=${[...d.querySelectorAll('svg')].filter(e => !e.querySelector('title,desc')).length}`,
  ].join(';');
}</script>"#;

fn page(folder: &Path) -> PathBuf {
    let path = folder.join("report.html");
    let scenarios = SCENARIOS.map(|name| format!("scenarios/{name}.yaml"));
    let [a, b, c] = scenarios.each_ref().map(String::as_str);
    stdout(&["report", a, b, c, "--samples", "500", "-o", path.to_str().expect("UTF-8")]);
    path
}

const BROWSERS: &[&str] = &["chromium", "chromium-browser", "google-chrome"];

fn chromium(browser: &Path, folder: &Path) -> Command {
    let mut command = Command::new(browser);
    command
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"])
        .args(["--allow-file-access-from-files", "--enable-logging=stderr"])
        .arg(format!("--user-data-dir={}", folder.join("profile").display()));
    command
}

#[test]
fn the_page_keeps_to_its_frame_and_to_itself() {
    let Some(browser) = tool(BROWSERS) else {
        return;
    };
    let folder = scratch("browser");
    page(&folder);
    for width in [390, 1280] {
        let probe = folder.join("probe.html");
        fs::write(&probe, PROBE.replace("WIDTH", &width.to_string())).expect("it runs");
        // 0 is dark, 1 is light.
        for scheme in [0, 1] {
            let output = chromium(&browser, &folder)
                .arg(format!("--blink-settings=preferredColorScheme={scheme}"))
                .arg("--window-size=1400,1000")
                .arg("--dump-dom")
                .arg(format!("file://{}", probe.display()))
                .output()
                .expect("it runs");
            let dom = String::from_utf8_lossy(&output.stdout);
            let result = dom.split_once("data-result=\"").map_or("", |(_, rest)| rest);
            let result = result.split_once('"').map_or("", |(result, _)| result);
            let errors = String::from_utf8_lossy(&output.stderr);
            let console: Vec<_> = errors.lines().filter(|line| line.contains("CONSOLE")).collect();
            let expected = format!(
                "dark={};requests=0;overflow=false;outside=;scripts=0;headings=",
                scheme == 0
            );
            let shown = result.strip_prefix(&expected);
            let shown = shown.unwrap_or_else(|| panic!("{width} px: {result}\n{errors}"));
            assert_eq!(console, Vec::<&str>::new(), "{width} px");
            let (headings, unnamed) = shown.split_once(";unnamed=").expect("it runs");
            assert_eq!(unnamed, "0", "every picture names itself");
            in_order(headings);
        }
    }
}

/// One first heading, and no level skipped.
fn in_order(headings: &str) {
    assert!(headings.starts_with('1') && headings.matches('1').count() == 1, "{headings}");
    let levels: Vec<u32> = headings.chars().filter_map(|level| level.to_digit(10)).collect();
    assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{headings}");
}

#[test]
fn the_page_prints() {
    let Some(browser) = tool(BROWSERS) else {
        return;
    };
    let folder = scratch("print");
    let page = page(&folder);
    let paper = folder.join("report.pdf");
    let printed = chromium(&browser, &folder)
        .arg("--no-pdf-header-footer")
        .arg(format!("--print-to-pdf={}", paper.display()))
        .arg(format!("file://{}", page.display()))
        .status()
        .expect("it runs");
    assert!(printed.success());
    let bytes = fs::read(&paper).expect("it runs");
    assert!(bytes.starts_with(b"%PDF"));
    let text = String::from_utf8_lossy(&bytes);
    let sheet = text.split_once("/MediaBox [0 0 ").map_or("", |(_, rest)| rest);
    let (sheet, _) = sheet.split_once(']').unwrap_or_default();
    let sides: Vec<f64> = sheet.split(' ').filter_map(|side| side.parse().ok()).collect();
    // A4 in points.
    let a4 = [595.0, 842.0];
    assert!(sides.len() == 2 && sides.iter().zip(a4).all(|(a, b)| (a - b).abs() < 1.0), "{sheet}");
}
