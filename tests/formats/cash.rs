//! The walk of who signs the budget: 512 owned H100, then a service on reservations that are paid
//! partly ahead. Page, PDF, workbook and portfolio say the same cash by calendar quarter, to the cent.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::{json, root, scratch, stdout, tool};
use crate::spreadsheet::{CFO, recalculated, sheet};

/// USD by quarter.
type Quarters = BTreeMap<String, f64>;

/// True for `2027Q1`.
fn is_quarter(text: &str) -> bool {
    let parts = text.split_once('Q');
    parts.is_some_and(|(year, quarter)| year.len() == 4 && "1234".contains(quarter))
}

/// Money as documents write it.
fn usd(text: &str) -> f64 {
    text.replace(',', "").parse().unwrap_or_else(|_| panic!("`{text}` is no amount"))
}

/// Holds that two documents say the same, to the cent.
fn same(name: &str, right: &Quarters, got: &Quarters) {
    assert_eq!(right.keys().collect::<Vec<_>>(), got.keys().collect::<Vec<_>>(), "{name}");
    for (quarter, right) in right {
        let off = (right - got[quarter]).abs();
        assert!(off < 0.005 + 1e-6, "{name}, {quarter}: {} and {right}", got[quarter]);
    }
}

/// The third number after each quarter: capex, opex, together.
fn together<'a>(mut words: impl Iterator<Item = &'a str>) -> Quarters {
    let mut quarters = Quarters::new();
    while let Some(word) = words.next() {
        if is_quarter(word) {
            let paid = words.nth(2).expect("three amounts");
            quarters.insert(word.to_owned(), usd(paid));
        }
    }
    quarters
}

/// The words of the table of cash on the page.
fn of_page(html: &str) -> Quarters {
    let from = html.find("id=\"s0-cash\"").expect("the table");
    let table = &html[from..from + html[from..].find("</table>").expect("its end")];
    together(table.split(['<', '>']).filter(|word| word.starts_with(|c: char| c.is_ascii_digit())))
}

/// A service that says when it starts has its quarters in a portfolio, wherever it says so.
#[test]
fn a_portfolio_takes_the_start_of_a_service() {
    let folder = scratch("cash-service");
    let text = "name: x\nmodel: llama-3-8b\ninference:\n  placement: {provider: aws, region: us-east-2, \
                purchase: on-demand, start: 2027-04-01}\n  traffic: {requests: 5/s, input_tokens: \
                {mean: 1000}, output_tokens: {mean: 300}, peak_to_mean: 2}\n  hardware: {accelerator: \
                h100-sxm}\n  precision: fp8\nfinance: {horizon: 1 year}\n";
    fs::write(folder.join("x.yaml"), text).expect("a file");
    let folder = folder.to_str().expect("UTF-8");
    let value = json(&["portfolio", folder, "--by", "quarter", "--format", "json"]);
    let quarters = value["by"]["quarter"].as_array().expect("quarters").iter();
    let quarters: Vec<_> = quarters.filter_map(|it| it["value"].as_str()).collect();
    assert_eq!(quarters, ["2027Q2", "2027Q3", "2027Q4", "2028Q1"]);
}

#[test]
fn page_pdf_workbook_and_portfolio_agree_to_the_cent() {
    let folder = scratch("cash");
    let file = format!("tests/data/ledger/{CFO}.yaml");
    let written = |ending: &str| {
        let path = folder.join(format!("budget.{ending}"));
        stdout(&["report", &file, "-o", path.to_str().expect("UTF-8")]);
        path
    };
    let budgets = folder.join("budgets");
    fs::create_dir_all(&budgets).expect("a folder");
    fs::copy(root().join(&file), budgets.join("run.yaml")).expect("a copy");
    let arguments = ["portfolio", budgets.to_str().expect("UTF-8"), "--by", "quarter"];
    let portfolio = json(&[&arguments[..], &["--format", "json"]].concat());
    let quarters: Quarters = portfolio["by"]["quarter"]
        .as_array()
        .expect("quarters")
        .iter()
        .map(|it| {
            let name = it["value"].as_str().expect("a quarter").to_owned();
            (name, it["sums"]["cost_usd"].as_f64().expect("USD"))
        })
        .collect();
    assert!(quarters.len() > 12, "{quarters:?}");

    let page = fs::read_to_string(written("html")).expect("a page");
    same("page", &quarters, &of_page(&page));

    let estimate = json(&["estimate", &file, "--format", "json"]);
    let rows = |key: &str, kind: &str| -> f64 {
        let rows = estimate[key].as_array().expect(key).iter();
        let rows = rows.filter(|row| row["kind"] == kind);
        rows.map(|row| row["amount_usd"].as_f64().expect("USD")).sum()
    };
    let bought = rows("purchases", "capex");
    assert!(
        (bought - 512.0 * 50_000.0).abs() < 0.005,
        "512 devices of 30,000 x 1.5 / 0.9: {bought}"
    );
    let paid: f64 = quarters.values().sum();
    let expected = rows("ledger", "opex") + bought;
    assert!((paid - expected).abs() < 0.005, "{paid} {expected}");
    let all = portfolio["total_by"]["quarter"]["sums"]["cost_usd"].as_f64();
    assert!(all.is_some_and(|all| (all - paid).abs() < 0.005), "{all:?} {paid}");

    if let Some(office) = tool(&["soffice"]) {
        let sheets = recalculated(&office, &[written("xlsx")]).remove(0);
        let cash = sheet(&sheets, "Cash flow");
        let line = cash.iter().find(|row| &row[0] == "together").expect("the sum");
        let named = cash[0].iter().zip(line).filter(|(name, _)| is_quarter(name));
        let book = named.map(|(name, cell)| (name.to_owned(), usd(cell))).collect();
        same("workbook", &quarters, &book);
        // Inputs that add rows or drop them are no formula's, and the book says which.
        let told = |row: &csv::StringRecord| row[0].contains("Forecast anew where you change");
        assert!(sheet(&sheets, "Summary").iter().any(told));
    }
    let browser = tool(&["chromium", "chromium-browser", "google-chrome"]);
    if let Some((_, reader)) = browser.zip(tool(&["pdftotext"])) {
        same("PDF", &quarters, &of_pdf(&reader, &written("pdf")));
    }
}

/// The table of cash in a PDF: the lines that begin with a quarter and amounts to the cent.
fn of_pdf(reader: &Path, pdf: &Path) -> Quarters {
    let output = Command::new(reader).arg("-layout").arg(pdf).arg("-").output().expect("text");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let of_cash = |line: &&str| {
        let mut words = line.split_whitespace();
        words.next().is_some_and(is_quarter) && words.all(|word| word.contains('.'))
    };
    together(text.lines().filter(of_cash).flat_map(str::split_whitespace))
}
