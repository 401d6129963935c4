//! The workbook in an office suite: recalculated, its totals are the forecast's, and a changed
//! price moves them.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{flopcast, json, root, scratch, stdout, tool};

/// 512 owned H100, then a service on reservations: the scenario of the walk through the cash.
pub(crate) const CFO: &str = "owned-then-reserved";

const SCENARIOS: [&str; 6] = [
    "gpt3-175b",
    "llama-3-70b-serving",
    "llama-3-8b-ledger",
    "bloom-176b-owned",
    "carbon-london",
    CFO,
];

/// The file of a scenario: shipped, or one of the tests.
fn scenario(name: &str) -> String {
    let shipped = format!("scenarios/{name}.yaml");
    if root().join(&shipped).exists() { shipped } else { format!("tests/data/ledger/{name}.yaml") }
}

/// Every formula is computed anew when the file is opened.
const RECALCULATE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry"><item oor:path="/org.openoffice.Office.Calc/Formula/Load"><prop oor:name="OOXMLRecalcMode" oor:op="fuse"><value>0</value></prop></item></oor:items>"#;

fn workbook(name: &str, folder: &Path) -> PathBuf {
    let path = folder.join(format!("{name}.xlsx"));
    stdout(&["report", &scenario(name), "-o", path.to_str().expect("UTF-8")]);
    path
}

/// Sheets with their names, each as rows of cells.
pub(crate) type Sheets = Vec<(String, Vec<csv::StringRecord>)>;

/// The sheets of books as the office suite computes them, which is started once for all.
pub(crate) fn recalculated(office: &Path, books: &[PathBuf]) -> Vec<Sheets> {
    let folder = books[0].with_extension("sheets");
    let profile = folder.join("profile");
    fs::create_dir_all(profile.join("user")).expect("a profile");
    fs::write(profile.join("user/registrymodifications.xcu"), RECALCULATE).expect("settings");
    let output = Command::new(office)
        .arg(format!("-env:UserInstallation=file://{}", profile.display()))
        .args(["--headless", "--convert-to"])
        // Comma, quotes, UTF-8, values as they are, every sheet a file.
        .arg("csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,false,false,false,false,-1")
        .arg("--outdir")
        .arg(&folder)
        .args(books)
        .output()
        .expect("the office suite runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let files: Vec<PathBuf> = fs::read_dir(&folder)
        .expect("the sheets")
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .collect();
    let sheets = |book: &PathBuf| {
        let stem = book.file_stem().and_then(|name| name.to_str()).expect("a name");
        let mut sheets = Vec::new();
        for path in &files {
            let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
            let Some(sheet) = name.strip_prefix(&format!("{stem}-")) else { continue };
            let mut reader = csv::ReaderBuilder::new();
            let reader = reader.has_headers(false).flexible(true).from_path(path);
            let rows = reader.expect("a table").into_records().map(|row| row.expect("a row"));
            sheets.push((sheet.to_owned(), rows.collect()));
        }
        assert!(sheets.len() >= 3, "{stem}: {files:?}");
        sheets
    };
    books.iter().map(sheets).collect()
}

/// The rows of a sheet.
pub(crate) fn sheet<'a>(sheets: &'a Sheets, name: &str) -> &'a [csv::StringRecord] {
    let found = sheets.iter().find(|(sheet, _)| sheet == name);
    &found.unwrap_or_else(|| panic!("no sheet {name}")).1
}

/// Holds that no cell shows an error.
fn sound(name: &str, sheets: &Sheets) {
    for (sheet, rows) in sheets {
        let wrong = |cell: &&str| ["#", "Err:"].iter().any(|mark| cell.starts_with(mark));
        for (row, line) in rows.iter().zip(1..) {
            assert_eq!(row.iter().find(wrong), None, "{name}, {sheet}, line {line}: {row:?}");
        }
    }
}

/// The value beside a path on the summary, in the unit of the path.
fn summary(sheets: &Sheets, path: &str) -> Option<f64> {
    sheet(sheets, "Summary").iter().find(|row| row.get(3) == Some(path))?.get(4)?.parse().ok()
}

const LATENCIES: [&str; 3] = ["inference.ttft_ms", "inference.tpot_ms", "inference.e2e_ms"];

/// Holds the summary against a forecast, latencies to within `latency`; returns how many figures
/// were compared.
fn compare(name: &str, sheets: &Sheets, estimate: &serde_json::Value, latency: f64) -> usize {
    let mut compared = 0;
    for row in sheet(sheets, "Summary") {
        let Some(path) = row.get(3).filter(|path| path.contains('.')) else { continue };
        let pointer = format!("/{}", path.replace('.', "/"));
        let expected = estimate.pointer(&pointer).unwrap_or_else(|| panic!("{name}: {path}"));
        let actual: Option<f64> = row[4].parse().ok();
        match (expected.as_f64(), actual) {
            (Some(expected), Some(actual)) => {
                let off = (actual - expected).abs() / expected.abs().max(f64::MIN_POSITIVE);
                let kept =
                    if LATENCIES.iter().any(|it| path.starts_with(it)) { latency } else { 1e-6 };
                assert!(off < kept, "{name} {path}: {actual} {expected}");
                compared += 1;
            }
            (expected, _) => {
                let said = ["unknown", "never"].contains(&&row[4]);
                assert!(expected.is_none() && said, "{name} {path}: {expected:?} {}", &row[4]);
            }
        }
    }
    compared
}

/// What is paid on the sheet of cash, in all, beside the ledger with purchases in the place of
/// amortisation: they agree whatever was changed.
fn cash_is_the_ledgers(name: &str, sheets: &Sheets) {
    let Some((_, cash)) = sheets.iter().find(|(sheet, _)| sheet == "Cash flow") else { return };
    let number = |cell: Option<&str>| cell.and_then(|it| it.parse::<f64>().ok()).unwrap_or(0.0);
    let line = |name: &str| cash.iter().find(|row| &row[0] == name);
    let paid = line("together").expect("a sum");
    let by_period: f64 = {
        let head = &cash[0];
        let named = |at: &usize| head.get(*at).is_some_and(|name| !name.is_empty());
        // Fiscal years stand beyond a free column.
        (3..head.len()).take_while(named).map(|at| number(paid.get(at))).sum()
    };
    let last = sheet(sheets, "Ledger").iter().find(|row| &row[0] == "total").expect("a total");
    let bought = |row: &&csv::StringRecord| row[0].contains("purchase, ");
    let bought: f64 = cash.iter().filter(bought).map(|row| number(row.get(2))).sum();
    let amortised = line("amortisation, no payment").map_or(0.0, |row| number(row.get(2)));
    let expected = number(last.get(8)) + bought - amortised;
    for paid in [number(paid.get(2)), by_period] {
        assert!((paid - expected).abs() < 0.005, "{name}: paid {paid}, cost {expected}");
    }
}

#[test]
fn recalculated_totals_are_the_forecasts() {
    let Some(office) = tool(&["soffice"]) else { return };
    let folder = scratch("spreadsheet");
    let books = SCENARIOS.map(|name| workbook(name, &folder));
    for (name, sheets) in SCENARIOS.iter().zip(recalculated(&office, &books)) {
        sound(name, &sheets);
        cash_is_the_ledgers(name, &sheets);
        let estimate = json(&["estimate", &scenario(name), "--format", "json"]);
        let compared = compare(name, &sheets, &estimate, 1e-6);
        assert!(compared >= 12, "{name}");
    }
}

/// The cells of a column of a sheet, by row: what stands in them, and whether a formula does.
fn values(book: &Path, sheet: &str, column: char) -> Vec<(String, bool)> {
    let bytes = fs::File::open(book).expect("a book");
    let mut archive = zip::ZipArchive::new(bytes).expect("a zip");
    let mut read = |name: &str| {
        let mut text = String::new();
        archive.by_name(name).expect(name).read_to_string(&mut text).expect("UTF-8");
        text
    };
    let listed = read("xl/workbook.xml");
    let before = &listed[..listed.find(&format!("name=\"{sheet}\"")).expect(sheet)];
    let text = read(&format!("xl/worksheets/sheet{}.xml", before.matches("<sheet ").count()));
    let start = format!("<c r=\"{column}");
    let cells = text.split(&start).skip(1).filter_map(|cell| cell.split_once("</c>"));
    cells
        .filter(|(cell, _)| !cell.contains("t=\"s\"") && cell.contains("<v>"))
        .map(|(cell, _)| (cell.to_owned(), cell.contains("<f>")))
        .collect()
}

/// A figure that was computed stays a formula, in every workbook of the shipped scenarios.
#[test]
fn no_cell_with_a_formula_is_dead() {
    let folder = scratch("spreadsheet-dead");
    let mut live = 0;
    for entry in fs::read_dir(root().join("scenarios")).expect("scenarios") {
        let path = entry.expect("a file").path();
        if path.extension().is_none_or(|end| end != "yaml") {
            continue;
        }
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name");
        let book = workbook(name, &folder);
        for (sheet, column) in [("Calculation", 'B'), ("Calculation", 'E'), ("Summary", 'B')] {
            let cells = values(&book, sheet, column);
            assert!(cells.len() > 5, "{name}");
            let dead: Vec<_> = cells.iter().filter(|(_, live)| !live).collect();
            assert!(dead.is_empty(), "{name}, {sheet}: {dead:?}");
            live += cells.len();
        }
    }
    assert!(live > 1000, "{live}");
}

/// An input of a workbook that a reader may change.
struct Rate {
    /// Its name, which for what a scenario says is the path of its key.
    name: String,
    /// Its line, from 1.
    line: usize,
    value: f64,
    unit: String,
}

/// The inputs below some headings of the sheet of inputs.
fn rates(sheets: &Sheets, headings: &[&str]) -> Vec<Rate> {
    let mut heading = String::new();
    let mut rates = Vec::new();
    for (row, line) in sheet(sheets, "Inputs").iter().zip(1..) {
        match row[1].parse() {
            Ok(value) if headings.contains(&heading.as_str()) => {
                let [name, unit] = [0, 2].map(|at| row[at].to_owned());
                rates.push(Rate { name, line, value, unit });
            }
            Ok(_) => {}
            Err(_) => row[0].clone_into(&mut heading),
        }
    }
    rates
}

/// The headings below which prices and rates stand.
const RATES: [&str; 3] =
    ["Prices", "Shares, rates and terms of money", "Power, energy, carbon and water"];

/// What the engine says of a changed key; none where it takes no such key or value.
fn asked(name: &str, rate: &Rate, value: f64) -> Option<serde_json::Value> {
    let set = format!("{}={value} {}", rate.name, rate.unit);
    let output = flopcast(&["estimate", &scenario(name), "--set", &set, "--format", "json"]);
    serde_json::from_slice(&output.stdout).ok()
}

/// Every price and rate of the sheet of inputs, a tenth up: what the scenario has a key for moves
/// every figure as in the engine; a price of the catalog moves the total. Cash stays the ledger's.
#[test]
fn every_rate_moves_what_it_should() {
    let Some(office) = tool(&["soffice"]) else { return };
    let folder = scratch("spreadsheet-rates");
    let names = ["llama-3-8b-ledger", CFO];
    let plain: Vec<PathBuf> = names.iter().map(|name| workbook(name, &folder)).collect();
    let before = recalculated(&office, &plain);
    let (mut books, mut walked) = (Vec::new(), Vec::new());
    for ((name, book), sheets) in names.iter().zip(&plain).zip(&before) {
        for rate in rates(sheets, &RATES) {
            let more = if rate.value == 0.0 { 0.1 } else { 1.1 * rate.value };
            let to = folder.join(format!("rate-{}.xlsx", books.len()));
            edit(book, &to, &[(rate.line, more)]);
            books.push(to);
            walked.push((*name, sheets, rate, more));
        }
    }
    let (mut as_engine, mut moved) = (0, 0);
    for ((name, plain, rate, more), sheets) in walked.iter().zip(recalculated(&office, &books)) {
        let of = format!("{name}, {} of {more}", rate.name);
        sound(&of, &sheets);
        cash_is_the_ledgers(&of, &sheets);
        if let Some(expected) = asked(name, rate, *more) {
            as_engine += usize::from(compare(&of, &sheets, &expected, 1e-3) > 0);
        } else if rate.name.contains("price, ") {
            let [old, new] = [plain, &&sheets].map(|it| summary(it, "tco.total_usd"));
            assert!(new > old, "{of}: {old:?} {new:?}");
            moved += 1;
        }
    }
    assert!(as_engine >= 20 && moved >= 5, "{as_engine} {moved}");
}

/// Traffic moves every figure as in the engine. The times of an engine's steps are inputs of the
/// workbook, taken at the batch of the forecast: latencies follow to first order.
#[test]
fn traffic_moves_the_workbook_as_the_engine() {
    let Some(office) = tool(&["soffice"]) else { return };
    // Without an SLO: figures of a simulation stay as they were seen.
    let (name, folder) = ("llama-3-8b-ledger", scratch("spreadsheet-traffic"));
    let book = workbook(name, &folder);
    let before = recalculated(&office, std::slice::from_ref(&book)).remove(0);
    let rates = rates(&before, &["Service"]);
    let rate = rates.iter().find(|rate| rate.name == "inference.traffic.requests");
    let rate = rate.expect("the traffic");
    let changed = folder.join("changed.xlsx");
    edit(&book, &changed, &[(rate.line, 300.0)]);
    let expected = asked(name, rate, 300.0).expect("an answer");
    let after = recalculated(&office, &[changed]).remove(0);
    assert!(compare(name, &after, &expected, 5e-3) > 12);
}

/// Shares that the engine takes as nothing and as everything break no cell, and mean the same; those
/// of a mix of tariffs are changed together.
#[test]
fn shares_of_nothing_and_everything_break_no_cell() {
    let Some(office) = tool(&["soffice"]) else { return };
    let folder = scratch("spreadsheet-shares");
    let names = ["llama-3-8b-ledger", CFO];
    let plain: Vec<PathBuf> = names.iter().map(|name| workbook(name, &folder)).collect();
    let before = recalculated(&office, &plain);
    let (mut books, mut expected) = (Vec::new(), Vec::new());
    for ((name, book), sheets) in names.iter().zip(&plain).zip(&before) {
        let shares = rates(sheets, &RATES);
        let mixed = |rate: &&Rate| rate.name.contains("purchase.");
        let plans: Vec<&Rate> = shares.iter().filter(mixed).collect();
        for extreme in [0.0, 1.0] {
            let mut add = |what: &str, cells: &[(usize, f64)], answer| {
                let to = folder.join(format!("share-{}.xlsx", books.len()));
                edit(book, &to, cells);
                books.push(to);
                expected.push((format!("{name}: {what} of {extreme}"), answer));
            };
            let whole = |rate: &&&Rate| rate.unit.is_empty() && (0.0..=1.0).contains(&rate.value);
            for rate in shares.iter().collect::<Vec<_>>().iter().filter(whole) {
                if let Some(answer) = asked(name, rate, extreme) {
                    add(&rate.name, &[(rate.line, extreme)], Some(answer));
                }
            }
            for plan in ["reserved", "spot"] {
                let cells: Vec<(usize, f64)> = plans
                    .iter()
                    .map(|rate| {
                        (rate.line, if rate.name.contains(plan) { extreme } else { 1.0 - extreme })
                    })
                    .collect();
                if !cells.is_empty() {
                    add(plan, &cells, None);
                }
            }
        }
    }
    let mut compared = 0;
    for ((of, answer), sheets) in expected.iter().zip(recalculated(&office, &books)) {
        sound(of, &sheets);
        cash_is_the_ledgers(of, &sheets);
        if let Some(answer) = answer {
            compared += usize::from(compare(of, &sheets, answer, 1e-3) > 0);
        }
    }
    assert!(compared >= 12, "{compared} of {}", books.len());
}

/// Writes other numbers into the second column of the sheet Inputs, which is the second.
fn edit(from: &Path, to: &Path, cells: &[(usize, f64)]) {
    let mut archive = zip::ZipArchive::new(fs::File::open(from).expect("a book")).expect("a zip");
    let mut copy = zip::ZipWriter::new(fs::File::create(to).expect("a file"));
    let options = zip::write::SimpleFileOptions::default();
    for index in 0..archive.len() {
        let mut part = archive.by_index(index).expect("a part");
        let name = part.name().expect("a name").into_owned();
        let mut bytes = Vec::new();
        part.read_to_end(&mut bytes).expect("its bytes");
        if name == "xl/worksheets/sheet2.xml" {
            let mut text = String::from_utf8(bytes).expect("UTF-8");
            for (line, value) in cells {
                let at = text.find(&format!("r=\"B{line}\"")).expect("the cell");
                let start = at + text[at..].find("<v>").expect("a value") + 3;
                let end = start + text[start..].find("</v>").expect("its end");
                text = format!("{}{value:?}{}", &text[..start], &text[end..]);
            }
            bytes = text.into_bytes();
        }
        copy.start_file(name, options).expect("a part");
        copy.write_all(&bytes).expect("written");
    }
    copy.finish().expect("a book");
}
