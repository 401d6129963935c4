//! The workbook in an office suite: recalculated, its totals are the forecast's, and a changed
//! price moves them.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{json, root, scratch, stdout, tool};

const SCENARIOS: [&str; 5] =
    ["gpt3-175b", "llama-3-70b-serving", "llama-3-8b-ledger", "bloom-176b-owned", "carbon-london"];

/// Every formula is computed anew when the file is opened.
const RECALCULATE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry"><item oor:path="/org.openoffice.Office.Calc/Formula/Load"><prop oor:name="OOXMLRecalcMode" oor:op="fuse"><value>0</value></prop></item></oor:items>"#;

fn workbook(name: &str, folder: &Path) -> PathBuf {
    let path = folder.join(format!("{name}.xlsx"));
    let scenario = format!("scenarios/{name}.yaml");
    stdout(&["report", &scenario, "-o", path.to_str().expect("UTF-8")]);
    path
}

/// The sheets as the office suite computes them, each as rows of cells.
fn recalculated(office: &Path, book: &Path) -> Vec<(String, Vec<csv::StringRecord>)> {
    let folder = book.with_extension("sheets");
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
        .arg(book)
        .output()
        .expect("the office suite runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let stem = book.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();
    let mut sheets = Vec::new();
    for entry in fs::read_dir(&folder).expect("the sheets").filter_map(Result::ok) {
        let path = entry.path();
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        let Some(sheet) = name.strip_prefix(&format!("{stem}-")) else { continue };
        let mut reader = csv::ReaderBuilder::new();
        let reader = reader.has_headers(false).flexible(true).from_path(&path);
        let rows = reader.expect("a table").into_records().map(|row| row.expect("a row"));
        sheets.push((sheet.to_owned(), rows.collect()));
    }
    assert!(sheets.len() >= 3, "{:?}", fs::read_dir(&folder));
    sheets
}

/// The value beside a path on the summary.
fn summary(sheets: &[(String, Vec<csv::StringRecord>)], path: &str) -> Option<f64> {
    let (_, rows) = sheets.iter().find(|(name, _)| name == "Summary")?;
    rows.iter().find(|row| row.get(3) == Some(path))?.get(1)?.parse().ok()
}

const LATENCIES: [&str; 3] = ["inference.ttft_ms", "inference.tpot_ms", "inference.e2e_ms"];

/// Holds the summary against a forecast, latencies to within `latency`; returns how many figures
/// were compared.
fn compare(
    name: &str,
    sheets: &[(String, Vec<csv::StringRecord>)],
    estimate: &serde_json::Value,
    latency: f64,
) -> usize {
    let mut compared = 0;
    let (_, rows) = sheets.iter().find(|(sheet, _)| sheet == "Summary").expect("a summary");
    for row in rows {
        let Some(path) = row.get(3).filter(|path| path.contains('.')) else { continue };
        let pointer = format!("/{}", path.replace('.', "/"));
        let expected = estimate.pointer(&pointer).unwrap_or_else(|| panic!("{name}: {path}"));
        let actual: Option<f64> = row[1].parse().ok();
        match (expected.as_f64(), actual) {
            (Some(expected), Some(actual)) => {
                let off = (actual - expected).abs() / expected.abs().max(f64::MIN_POSITIVE);
                let kept =
                    if LATENCIES.iter().any(|it| path.starts_with(it)) { latency } else { 1e-6 };
                assert!(off < kept, "{name} {path}: {actual} {expected}");
                compared += 1;
            }
            (expected, _) => {
                assert!(expected.is_none() && ["unknown", "never"].contains(&&row[1]), "{path}");
            }
        }
    }
    compared
}

#[test]
fn recalculated_totals_are_the_forecasts() {
    let Some(office) = tool(&["soffice"]) else { return };
    let folder = scratch("spreadsheet");
    for name in SCENARIOS {
        let book = workbook(name, &folder);
        let sheets = recalculated(&office, &book);
        for (sheet, rows) in &sheets {
            let wrong = rows
                .iter()
                .flatten()
                .find(|cell| ["#", "Err:"].iter().any(|mark| cell.starts_with(mark)));
            assert_eq!(wrong, None, "{name}, {sheet}");
        }
        let estimate = json(&["estimate", &format!("scenarios/{name}.yaml"), "--format", "json"]);
        let compared = compare(name, &sheets, &estimate, 1e-6);
        assert!(compared >= 12, "{name}");
    }
}

#[test]
fn a_price_up_by_a_tenth_moves_the_cost_by_a_tenth() {
    let Some(office) = tool(&["soffice"]) else { return };
    let folder = scratch("spreadsheet-price");
    let book = workbook("gpt3-175b", &folder);
    let before = recalculated(&office, &book);
    let (_, inputs) = before.iter().find(|(name, _)| name == "Inputs").expect("the inputs");
    let price = |row: &csv::StringRecord| row[0].starts_with("training price");
    let row = inputs.iter().position(price).expect("the price");
    let value: f64 = inputs[row][1].parse().expect("a number");
    let dearer = folder.join("dearer.xlsx");
    edit(&book, &dearer, &format!("B{}", row + 1), 1.1 * value);
    let after = recalculated(&office, &dearer);
    let ratio = |path: &str| {
        let [before, after] = [&before, &after].map(|sheets| summary(sheets, path));
        after.expect("after") / before.expect("before")
    };
    assert!((ratio("training.cost_usd.compute") - 1.1).abs() < 1e-9);
    assert!((ratio("training.energy_kwh.facility") - 1.0).abs() < 1e-12);
    assert!(ratio("tco.total_usd") > 1.01);
}

/// The cells of the second column, by row: what stands in them, and whether a formula does.
fn values(book: &Path, sheet: u32) -> Vec<(String, bool)> {
    let bytes = fs::File::open(book).expect("a book");
    let mut archive = zip::ZipArchive::new(bytes).expect("a zip");
    let mut text = String::new();
    let name = format!("xl/worksheets/sheet{sheet}.xml");
    archive.by_name(&name).expect("a sheet").read_to_string(&mut text).expect("UTF-8");
    let cells = text.split("<c r=\"B").skip(1);
    let cells = cells.filter_map(|cell| cell.split_once("</c>"));
    cells
        .filter(|(cell, _)| !cell.contains("t=\"s\"") && cell.contains("<v>"))
        .map(|(cell, _)| (cell.to_owned(), cell.contains("<f>")))
        .collect()
}

/// A figure that was computed stays a formula, in every workbook of the shipped scenarios: on the
/// sheets Summary and Calculation only the exchange rate is a number that stands there alone.
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
        let calculation = values(&book, 3);
        assert!(calculation.len() > 5, "{name}");
        let dead: Vec<_> = calculation.iter().filter(|(_, live)| !live).collect();
        assert!(dead.is_empty(), "{name}: {dead:?}");
        let alone = values(&book, 1).iter().filter(|(_, live)| !live).count();
        let rates = fs::read_to_string(&path).expect("a scenario").matches("currency:").count();
        assert!(alone <= rates, "{name}: {alone} cells of the summary are no formulas");
        live += calculation.len();
    }
    assert!(live > 1000, "{live}");
}

/// What a reader changes in the workbook, and what the engine says of the same change.
struct Change {
    /// The scenario.
    scenario: &'static str,
    /// How the row of the input begins.
    input: &'static str,
    /// The input's new value in the unit of its row.
    value: f64,
    /// The same in the scenario.
    set: &'static str,
}

const CHANGES: [Change; 5] = [
    Change {
        scenario: "deepseek-v3",
        input: "training price",
        value: 3.5,
        set: "placement.purchase.price=3.5 USD/device-h",
    },
    Change { scenario: "gpt3-175b", input: "placement.pue", value: 1.3, set: "placement.pue=1.3" },
    Change {
        // Without an SLO: figures of a simulation stay as they were seen.
        scenario: "llama-3-8b-ledger",
        input: "inference.traffic.requests",
        value: 300.0,
        set: "inference.traffic.requests=300/s",
    },
    Change {
        scenario: "bloom-176b-owned",
        input: "finance.discount_rate",
        value: 0.11,
        set: "finance.discount_rate=11 %",
    },
    Change {
        scenario: "llama-3-8b-ledger",
        input: "finance.discount_rate",
        value: 0.02,
        set: "finance.discount_rate=2 %",
    },
];

/// A changed price, PUE, traffic and discount rate move every figure as in the engine. The times of
/// an engine's steps are inputs of the workbook, taken at the batch of the forecast: with the
/// traffic, latencies follow to first order.
#[test]
fn the_workbook_follows_a_change_as_the_engine_does() {
    let Some(office) = tool(&["soffice"]) else { return };
    for (index, Change { scenario, input, value, set }) in CHANGES.iter().enumerate() {
        let folder = scratch(&format!("spreadsheet-walk-{index}"));
        let book = workbook(scenario, &folder);
        let sheets = recalculated(&office, &book);
        let (_, inputs) = sheets.iter().find(|(name, _)| name == "Inputs").expect("the inputs");
        let named: Vec<_> = inputs.iter().map(|row| row[0].to_owned()).collect();
        let found = named.iter().position(|name| name.starts_with(input));
        let row = found.unwrap_or_else(|| panic!("{scenario}: no {input} in {named:?}"));
        let changed = folder.join(format!("changed-{index}.xlsx"));
        edit(&book, &changed, &format!("B{}", row + 1), *value);
        let after = recalculated(&office, &changed);
        let file = format!("scenarios/{scenario}.yaml");
        let expected = json(&["estimate", &file, "--set", set, "--format", "json"]);
        let moved = compare(scenario, &after, &expected, 1e-3);
        assert!(moved > 0, "{scenario}, {input}");
    }
}

/// Writes another number into a cell of the sheet Inputs, which is the second.
fn edit(from: &Path, to: &Path, cell: &str, value: f64) {
    let mut archive = zip::ZipArchive::new(fs::File::open(from).expect("a book")).expect("a zip");
    let mut copy = zip::ZipWriter::new(fs::File::create(to).expect("a file"));
    let options = zip::write::SimpleFileOptions::default();
    for index in 0..archive.len() {
        let mut part = archive.by_index(index).expect("a part");
        let name = part.name().expect("a name").into_owned();
        let mut bytes = Vec::new();
        part.read_to_end(&mut bytes).expect("its bytes");
        if name == "xl/worksheets/sheet2.xml" {
            let text = String::from_utf8(bytes).expect("UTF-8");
            let at = text.find(&format!("r=\"{cell}\"")).expect("the cell");
            let start = at + text[at..].find("<v>").expect("a value") + 3;
            let end = start + text[start..].find("</v>").expect("its end");
            bytes = format!("{}{value:?}{}", &text[..start], &text[end..]).into_bytes();
        }
        copy.start_file(name, options).expect("a part");
        copy.write_all(&bytes).expect("written");
    }
    copy.finish().expect("a book");
}

/// Shares of a mix of tariffs may be set to nothing and to everything.
#[test]
fn shares_of_nothing_and_everything_break_no_cell() {
    let Some(office) = tool(&["soffice"]) else { return };
    let folder = scratch("spreadsheet-shares");
    let book = workbook("llama-3-8b-ledger", &folder);
    let sheets = recalculated(&office, &book);
    let (_, inputs) = sheets.iter().find(|(name, _)| name == "Inputs").expect("the inputs");
    let shares = inputs.iter().zip(1..).filter(|(row, _)| row[0].contains("purchase."));
    let shares: Vec<(bool, u32)> =
        shares.map(|(row, line)| (row[0].contains("reserved"), line)).collect();
    assert!(shares.len() >= 4, "{shares:?}");
    for reserved in [0.0, 1.0] {
        let mut from = book.clone();
        for (of_reserved, line) in &shares {
            let to = folder.join(format!("changed-{reserved}-{line}.xlsx"));
            let value = if *of_reserved { reserved } else { 1.0 - reserved };
            edit(&from, &to, &format!("B{line}"), value);
            from = to;
        }
        for (sheet, rows) in recalculated(&office, &from) {
            let wrong = |cell: &&str| ["#", "Err:"].iter().any(|mark| cell.starts_with(mark));
            assert_eq!(rows.iter().flatten().find(wrong), None, "{reserved}, {sheet}");
        }
    }
}
