//! The catalog's tables, a fact by its name, and the age of its facts.

use chrono::NaiveDate;
use flopcast_core::catalog::{AsOf, Card, Catalog, GridBasis, Price, Purchase, Sourced};
use flopcast_core::quantity::{Measure, Precision};
use serde_json::{Value, json};

use crate::doc::{Block, Cell, Column, Doc, Grid, Kind, Subject};
use crate::render::json as objects;

/// A table of the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// Devices.
    Accelerators,
    /// Rents.
    Prices,
    /// Providers.
    Providers,
    /// Regions.
    Regions,
    /// Grids, by year.
    Grid,
    /// Hosted models.
    Api,
    /// Purchase prices of devices.
    Purchases,
    /// Defaults where nobody says.
    Defaults,
    /// Publications.
    Sources,
}

impl Table {
    /// All of them, by the name on the command line.
    pub const ALL: [(&str, Self); 9] = [
        ("accelerators", Self::Accelerators),
        ("prices", Self::Prices),
        ("providers", Self::Providers),
        ("regions", Self::Regions),
        ("grid", Self::Grid),
        ("api", Self::Api),
        ("purchases", Self::Purchases),
        ("defaults", Self::Defaults),
        ("sources", Self::Sources),
    ];
}

/// The rows of a table of the catalog, or the list of tables. `purchase` chooses the terms of
/// prices.
pub fn list(
    catalog: &Catalog,
    table: Option<Table>,
    purchase: Purchase,
    today: Option<NaiveDate>,
) -> Grid {
    match table {
        None => tables(catalog, today),
        Some(Table::Accelerators) => accelerators(catalog),
        Some(Table::Prices) => prices(catalog, purchase),
        Some(Table::Providers) => providers(catalog),
        Some(Table::Regions) => regions(catalog),
        Some(Table::Grid) => zones(catalog),
        Some(Table::Api) => api(catalog),
        Some(Table::Purchases) => purchases(catalog),
        Some(Table::Defaults) => defaults(catalog),
        Some(Table::Sources) => sources(catalog),
    }
}

/// A document that is one table, without a title.
pub fn listing(grid: Grid) -> Doc {
    Doc { blocks: vec![Block::Grid(grid)], ..Doc::default() }
}

/// A table by the keys of its columns; their headings are the keys in words.
pub fn grid(keys: &[&str], rows: impl IntoIterator<Item = Vec<Cell>>) -> Grid {
    let rows: Vec<Vec<Cell>> = rows.into_iter().collect();
    let columns = keys.iter().enumerate().map(|(at, key)| {
        let counts = |row: &Vec<Cell>| matches!(row[at], Cell::Number { .. } | Cell::Count(_));
        let kind = if rows.iter().any(counts) { Kind::Numbers } else { Kind::Words };
        Column { kind, ..Column::words(*key).headed(heading(key)) }
    });
    Grid { rows: rows.clone(), ..Grid::new(columns) }.flush()
}

/// `on_demand_usd_per_h` as words: `on demand USD/h`.
fn heading(name: &str) -> String {
    let words = name.replace("_per_", "/").replace("device_h", "device-h").replace('_', " ");
    let unit = |word: &str| match word {
        "usd" => "USD".to_owned(),
        "tflops" => "TFLOP/s".to_owned(),
        "gb" => "GB".to_owned(),
        "w" => "W".to_owned(),
        _ => word.replace("usd/", "USD/").replace("gb/", "GB/").replace("/kwh", "/kWh"),
    };
    words.split(' ').map(unit).collect::<Vec<_>>().join(" ")
}

/// Words, or a gap where the catalog has none.
pub fn text(text: impl Into<String>) -> Cell {
    let text = text.into();
    if text.is_empty() { Cell::Gap } else { Cell::Text(text) }
}

/// A number without the last digits' noise of a change of units, or a gap.
pub fn number(value: Option<f64>) -> Cell {
    let tidy = |value: f64| format!("{value:.12e}").parse().unwrap_or(value);
    value.map_or(Cell::Gap, |value| Cell::number(tidy(value)))
}

/// A date to the precision that the catalog knows it; a gap without one.
fn date(date: Option<AsOf>) -> Cell {
    text(date.map(|date| date.to_string()).unwrap_or_default())
}

/// The value in a unit given in stored units.
fn value<Q: Measure>(fact: Option<&Sourced<Q>>, unit: f64) -> Cell {
    number(fact.map(|fact| fact.value.stored() / unit))
}

const PER_HOUR: f64 = 1.0 / 3600.0;
const PER_KWH: f64 = 1.0 / 3.6e6;
const G_PER_KWH: f64 = 1e-3 / 3.6e6;

/// The name of a table in `catalog list`.
const LISTED: &[(&str, &str)] = &[
    ("accelerators", "hardware/accelerators.csv"),
    ("prices", "pricing/prices.csv"),
    ("regions", "regions/regions.csv"),
    ("grid", "regions/grid.csv"),
    ("api", "pricing/api.csv"),
    ("purchases", "pricing/purchase.csv"),
    ("defaults", "pricing/defaults.csv"),
    ("sources", "sources.csv"),
];

/// The list of tables: rows, sources, and the date of the newest fact.
fn tables(catalog: &Catalog, today: Option<NaiveDate>) -> Grid {
    let rows = catalog.doctor(today.unwrap_or_default()).into_iter().map(|table| {
        let newest = table.sources.iter().filter_map(|s| s.newest).max();
        let listed = LISTED.iter().find(|(_, file)| *file == table.table);
        vec![
            text(listed.map_or("", |(name, _)| name)),
            text(table.table),
            Cell::Count(table.rows as u64),
            Cell::Count(table.sources.len() as u64),
            date(newest),
        ]
    });
    grid(&["list", "table", "rows", "sources", "newest"], rows)
}

/// The devices with peaks, memory, links, power.
fn accelerators(catalog: &Catalog) -> Grid {
    let rows = catalog.accelerators().map(|device| {
        let peak = |precision| {
            let peak = device.peak(precision).ok();
            number(peak.map(|peak| peak.value.stored() / 1e12))
        };
        vec![
            text(&device.id),
            text(&device.vendor),
            text(device.kind.name()),
            peak(Precision::Fp16),
            peak(Precision::Bf16),
            peak(Precision::Fp8),
            value(device.memory.as_ref(), 1e9),
            value(device.bandwidth.as_ref(), 1e9),
            value(device.tdp.as_ref(), 1.0),
        ]
    });
    grid(
        &[
            "id",
            "vendor",
            "kind",
            "fp16_tflops",
            "bf16_tflops",
            "fp8_tflops",
            "memory_gb",
            "gb_per_s",
            "tdp_w",
        ],
        rows,
    )
}

/// The rents on the given terms in USD/h, as the lists state them and per device.
fn prices(catalog: &Catalog, purchase: Purchase) -> Grid {
    let mut rows: Vec<&Price> = catalog.prices().filter(|p| p.sells(purchase)).collect();
    let newest_first = |p: &&Price| std::cmp::Reverse(p.citation.as_of);
    rows.sort_by_key(|p| (&p.provider, &p.accelerator, &p.region, &p.sku, newest_first(p)));
    let rows = rows.into_iter().map(|price| {
        let device = if price.accelerator.is_empty() { &price.product } else { &price.accelerator };
        vec![
            text(&price.provider),
            text(&price.region),
            text(&price.sku),
            text(device),
            price.devices.map_or(Cell::Gap, Cell::Count),
            value(price.per_instance(purchase).as_ref(), PER_HOUR),
            value(price.per_device(purchase).as_ref(), PER_HOUR),
            text(price.basis.name()),
            date(price.citation.as_of),
        ]
    });
    grid(
        &[
            "provider",
            "region",
            "sku",
            "accelerator",
            "devices",
            "usd_per_h",
            "usd_per_device_h",
            "basis",
            "as_of",
        ],
        rows,
    )
}

/// The providers with the number of their regions, prices and devices.
fn providers(catalog: &Catalog) -> Grid {
    let rows = catalog.providers().into_iter().map(|provider| {
        let prices = || catalog.prices().filter(move |p| p.provider == provider);
        let devices: std::collections::BTreeSet<_> =
            prices().map(|p| p.accelerator.as_str()).filter(|id| !id.is_empty()).collect();
        let newest = prices().filter_map(|p| p.citation.as_of).max();
        vec![
            text(provider),
            Cell::Count(catalog.regions_of(provider).count() as u64),
            Cell::Count(prices().count() as u64),
            Cell::Count(devices.len() as u64),
            date(newest),
        ]
    });
    grid(&["provider", "regions", "prices", "accelerators", "newest_price"], rows)
}

/// The regions with intensities by basis in gCO2e/kWh, PUE, WUE and electricity in USD/kWh.
fn regions(catalog: &Catalog) -> Grid {
    let rows = catalog.regions().map(|region| {
        let intensity = |basis| value(region.grid(basis).map(|grid| &grid.intensity), G_PER_KWH);
        vec![
            text(&region.provider),
            text(&region.code),
            text(&region.location),
            intensity(GridBasis::LifeCycle),
            intensity(GridBasis::Direct),
            intensity(GridBasis::Marginal),
            number(region.pue.as_ref().map(|pue| pue.value.get())),
            value(region.wue.as_ref(), PER_KWH),
            value(region.electricity.as_ref(), PER_KWH),
        ]
    });
    grid(
        &[
            "provider",
            "region",
            "location",
            "life_cycle_g_per_kwh",
            "direct_g_per_kwh",
            "marginal_g_per_kwh",
            "pue",
            "wue_l_per_kwh",
            "electricity_usd_per_kwh",
        ],
        rows,
    )
}

/// The annual intensities of countries and states in gCO2e/kWh.
fn zones(catalog: &Catalog) -> Grid {
    let rows = catalog.zones().flat_map(|zone| {
        catalog.grid_series(&zone.code).into_iter().map(|(year, entry)| {
            vec![
                text(&zone.code),
                text(&zone.name),
                text(&zone.kind),
                text(year.to_string()),
                number(Some(entry.intensity.value.stored() / G_PER_KWH)),
                text(entry.basis.name()),
            ]
        })
    });
    grid(&["zone", "name", "kind", "year", "g_per_kwh", "basis"], rows)
}

/// The hosted models with prices in USD per million tokens.
fn api(catalog: &Catalog) -> Grid {
    let rows = catalog.api_prices().map(|price| {
        vec![
            text(&price.provider),
            text(&price.model),
            value(Some(&price.input), 1e-6),
            value(price.output.as_ref(), 1e-6),
            value(price.cached_input.as_ref(), 1e-6),
            date(price.input.citation.as_of),
        ]
    });
    grid(
        &[
            "provider",
            "model",
            "input_usd_per_mtok",
            "output_usd_per_mtok",
            "cached_usd_per_mtok",
            "as_of",
        ],
        rows,
    )
}

/// The purchase prices of devices in USD.
fn purchases(catalog: &Catalog) -> Grid {
    let devices = catalog.accelerators().map(|a| a.id.as_str()).chain([""]);
    let rows = devices.flat_map(|id| catalog.purchases(id)).map(|bought| {
        let citation = &bought.price.citation;
        vec![
            text(&bought.accelerator),
            text(&bought.product),
            value(Some(&bought.price), 1.0),
            date(citation.as_of),
        ]
    });
    grid(&["accelerator", "product", "usd_per_device", "as_of"], rows)
}

/// The candidates for assumptions, with their range.
fn defaults(catalog: &Catalog) -> Grid {
    let rows = catalog.defaults().map(|default| {
        vec![
            text(&default.id),
            text(&default.low),
            text(&default.value),
            text(&default.high),
            date(default.citation.as_of),
        ]
    });
    grid(&["id", "low", "value", "high", "as_of"], rows)
}

/// The publications with date and licence.
fn sources(catalog: &Catalog) -> Grid {
    let rows = catalog.sources().map(|source| {
        vec![text(&source.id), text(&source.title), date(source.as_of), text(&source.licence)]
    });
    grid(&["id", "title", "date", "licence"], rows)
}

/// Facts by their names.
impl Subject for Vec<Card> {
    fn doc(&self) -> Doc {
        Doc { rows: Some(facts(self)), ..Doc::joined(self.iter().map(card)) }
    }

    fn json(&self) -> Option<Value> {
        Some(self.iter().map(card_json).collect())
    }
}

/// A card: its subject, its quantities with the numbers of their sources, the sources, the note.
fn card(card: &Card) -> Doc {
    let mut doc = Doc::default();
    doc.push(Block::Caption(format!("{} ({})", card.name, card.kind)));
    let mut about = Grid::new([Column::words(""), Column::prose("")]);
    for (label, text) in &card.about {
        about.push([Cell::text(*label), Cell::text(text)]);
    }
    doc.push_some(Block::Grid(about));
    let mut citations: Vec<String> = Vec::new();
    let columns = [Column::words("fact"), Column::numbers("value"), Column::words("source")];
    let mut quantities = Grid::new(columns);
    for fact in &card.facts {
        let citation = fact.citation.to_string();
        let known = citations.iter().position(|other| *other == citation);
        let number = known.unwrap_or_else(|| {
            citations.push(citation);
            citations.len() - 1
        });
        let name = fact.step.name.as_deref().unwrap_or_default();
        let value = Cell::shown(fact.step.value, fact.step.shown());
        quantities.push([name.into(), value, Cell::text(format!("[{}]", number + 1))]);
    }
    doc.push_some(Block::Grid(quantities));
    let numbered = citations.iter().zip(1..).map(|(text, number)| format!("[{number}] {text}"));
    let note = (!card.note.is_empty()).then(|| format!("note: {}", card.note));
    doc.push_some(Block::List(numbered.chain(note).collect()));
    doc
}

/// One row per fact.
fn facts(cards: &[Card]) -> Grid {
    let mut rows = Vec::new();
    for card in cards {
        let said = |label: &str, says: &str| -> Vec<Cell> {
            [card.name.as_str(), label, says, "", ""].map(text).into()
        };
        rows.extend(card.about.iter().map(|(label, says)| said(label, says)));
        for fact in &card.facts {
            let name = fact.step.name.clone().unwrap_or_default();
            let words = [card.name.clone(), name, fact.step.shown(), fact.citation.titles()];
            rows.push(words.map(text).into_iter().chain([date(fact.citation.as_of)]).collect());
        }
        if !card.note.is_empty() {
            rows.push(said("note", &card.note));
        }
    }
    grid(&["name", "fact", "value", "source", "as_of"], rows)
}

/// A card as JSON: text by label, quantities with value, unit and source.
fn card_json(card: &Card) -> Value {
    let facts: Vec<Value> = card
        .facts
        .iter()
        .map(|fact| {
            let sources: Vec<_> = fact.citation.sources.iter().map(|s| s.id.as_str()).collect();
            json!({
                "fact": fact.step.name,
                "value": fact.step.value,
                "unit": fact.step.dimension.stored_unit(),
                "shown": fact.step.shown(),
                "row": fact.citation.row,
                "sources": sources,
                "as_of": fact.citation.as_of.map(|date| date.to_string()),
            })
        })
        .collect();
    let about: serde_json::Map<_, _> =
        card.about.iter().map(|(label, text)| ((*label).to_owned(), json!(text))).collect();
    json!({
        "schema": "flopcast.card/1", "name": card.name, "kind": card.kind, "about": about,
        "facts": facts, "note": card.note,
    })
}

/// The age of each table's facts by source, and the gaps of each table.
#[derive(Clone, Debug)]
pub struct Checkup {
    /// The day from which ages count.
    pub on: NaiveDate,
    ages: Grid,
    gaps: Grid,
}

impl Checkup {
    /// The ages and gaps of a catalog on a day.
    pub fn new(catalog: &Catalog, on: NaiveDate) -> Self {
        let (mut ages, mut gaps) = (Vec::new(), Vec::new());
        for table in catalog.doctor(on) {
            for source in &table.sources {
                ages.push(vec![
                    text(table.table),
                    text(&source.source),
                    Cell::Count(source.facts as u64),
                    date(source.newest),
                    number(source.age_days.map(|days| days as f64)),
                ]);
            }
            for (column, count) in &table.gaps {
                gaps.push(vec![
                    text(table.table),
                    text(column),
                    Cell::Count(*count as u64),
                    Cell::Count(table.rows as u64),
                ]);
            }
        }
        let ages = grid(&["table", "source", "facts", "newest", "age_days"], ages);
        Self { on, ages, gaps: grid(&["table", "column", "gaps", "rows"], gaps) }
    }
}

impl Subject for Checkup {
    fn doc(&self) -> Doc {
        let blocks = [&self.ages, &self.gaps].map(|grid| Block::Grid(grid.clone()));
        Doc { blocks: blocks.into(), ..Doc::default() }
    }

    fn json(&self) -> Option<Value> {
        Some(json!({
            "schema": "flopcast.doctor/1", "on": self.on.to_string(),
            "ages": objects::rows(&self.ages), "gaps": objects::rows(&self.gaps),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::{csv, json, markdown, terminal};

    fn prices() -> Grid {
        let row = |sku: &str, price| vec![text(sku), number(price)];
        let rows = [row("p5.48xlarge", Some(55.04)), row("p5, spot", None)];
        grid(&["sku", "price_usd_per_h"], rows)
    }

    #[test]
    fn every_form_keeps_gaps_apart_from_zero() {
        let doc = listing(prices());
        let table =
            "sku          price USD/h\np5.48xlarge        55.04\np5, spot               -\n";
        assert_eq!(terminal::text(&doc, 80), table);
        assert_eq!(csv::text(&doc), "sku,price_usd_per_h\np5.48xlarge,55.04\n\"p5, spot\",\n");
        let expected =
            "| sku | price USD/h |\n|---|---:|\n| p5.48xlarge | 55.04 |\n| p5, spot | - |\n";
        assert_eq!(markdown::text(&doc), expected);
        let value: Value = serde_json::from_str(&json::text(&doc)).unwrap();
        assert_eq!(value[1]["price_usd_per_h"], Value::Null);
        assert_eq!(value[0]["price_usd_per_h"], 55.04);
    }

    #[test]
    fn words_filter_rows() {
        let mut grid = prices();
        grid.filter(&["P5".to_owned(), "spot".to_owned()]);
        assert_eq!(grid.rows.len(), 1);
    }
}
