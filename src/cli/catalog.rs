//! `flopcast catalog`.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::NaiveDate;
use clap::{Args, Subcommand, ValueEnum};
use flopcast_core::catalog::{Card, Catalog, GridBasis, Price, Purchase, Sourced};
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::quantity::{Measure, Precision};
use flopcast_report::tree::wrap;
use serde_json::{Value, json};

use super::listing::{Cell, Listing};
use super::{Format, Global, load, print, refresh};

/// Options of `flopcast catalog`.
#[derive(Args, Debug)]
pub(super) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// What the catalog knows: its tables, or the rows of one.
    List {
        /// The table; without it, all tables.
        what: Option<What>,
        /// Only rows in which each of these words occurs, such as `h100 aws`.
        words: Vec<String>,
        /// Prices on these terms.
        #[arg(long, value_enum, default_value = "on-demand")]
        purchase: Terms,
    },
    /// Everything about a device, a place, a default or a source.
    Show {
        /// Such as `h100-sxm`, `aws/us-east-2`, `France`, `colocation.rent`.
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// How old the facts of each table are, and where its gaps are.
    Doctor {
        /// Fail (exit code 1) if the newest facts of a source of prices are older.
        #[arg(long, value_name = "DAYS")]
        max_age: Option<i64>,
        /// Instead, what the last refresh changed in the built-in figures.
        #[arg(long)]
        diff: bool,
    },
    /// Ask live sources for today's prices and grids. Nothing else dials out.
    Refresh(refresh::Options),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    Accelerators,
    Prices,
    Providers,
    Regions,
    Grid,
    Api,
    Purchases,
    Defaults,
    Sources,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Terms {
    OnDemand,
    Spot,
    #[value(name = "reserved-1y")]
    Reserved1y,
    #[value(name = "reserved-3y")]
    Reserved3y,
}

impl Options {
    pub(super) fn run(&self, global: &Global) -> Result<ExitCode> {
        let catalog = load::catalog(global)?;
        let today = global.as_of.or_else(today);
        match &self.command {
            Command::List { what, words, purchase } => {
                let purchase = Purchase::ALL[*purchase as usize];
                let mut listing = list(&catalog, *what, purchase, today);
                listing.filter(words);
                if listing.rows.is_empty() {
                    let error = Error::input("no row has all of these words");
                    return Err(error.hint("`flopcast catalog list` says what there is"));
                }
                print(&listing.render(global.format))
            }
            Command::Show { names } => {
                let cards = names.iter().map(|name| catalog.card(name)).collect::<Result<Vec<_>>>();
                print(&cards_as(&cards?, global.format))
            }
            Command::Doctor { diff: true, .. } => refresh::changed(global),
            Command::Doctor { max_age, .. } => doctor(&catalog, *max_age, today, global.format),
            Command::Refresh(options) => options.run(global),
        }
    }
}

/// The day by this machine's clock (UTC).
#[expect(clippy::disallowed_methods, reason = "the command line may read the clock")]
fn today() -> Option<NaiveDate> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let days = i32::try_from(since.as_secs() / 86400).ok()?;
    NaiveDate::from_epoch_days(days)
}

fn list(
    catalog: &Catalog,
    what: Option<What>,
    purchase: Purchase,
    today: Option<NaiveDate>,
) -> Listing {
    match what {
        None => tables(catalog, today),
        Some(What::Accelerators) => accelerators(catalog),
        Some(What::Prices) => prices(catalog, purchase),
        Some(What::Providers) => providers(catalog),
        Some(What::Regions) => regions(catalog),
        Some(What::Grid) => grid(catalog),
        Some(What::Api) => api(catalog),
        Some(What::Purchases) => purchases(catalog),
        Some(What::Defaults) => defaults(catalog),
        Some(What::Sources) => sources(catalog),
    }
}

/// The value in a unit given in stored units.
fn value<Q: Measure>(fact: Option<&Sourced<Q>>, unit: f64) -> Cell {
    Cell::number(fact.map(|fact| fact.value.stored() / unit))
}

const PER_HOUR: f64 = 1.0 / 3600.0;
const PER_KWH: f64 = 1.0 / 3.6e6;
const G_PER_KWH: f64 = 1e-3 / 3.6e6;

/// What `catalog list` calls a table.
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

fn tables(catalog: &Catalog, today: Option<NaiveDate>) -> Listing {
    let rows = catalog.doctor(today.unwrap_or_default()).into_iter().map(|table| {
        let newest = table.sources.iter().filter_map(|s| s.newest).max();
        let listed = LISTED.iter().find(|(_, file)| *file == table.table);
        vec![
            Cell::text(listed.map_or("", |(name, _)| name)),
            Cell::text(table.table),
            Cell::Count(table.rows as u64),
            Cell::Count(table.sources.len() as u64),
            Cell::text(newest.map(|date| date.to_string()).unwrap_or_default()),
        ]
    });
    Listing { columns: &["list", "table", "rows", "sources", "newest"], rows: rows.collect() }
}

fn accelerators(catalog: &Catalog) -> Listing {
    let rows = catalog.accelerators().map(|device| {
        let peak = |precision| {
            let peak = device.peak(precision).ok();
            Cell::number(peak.map(|peak| peak.value.stored() / 1e12))
        };
        vec![
            Cell::text(&device.id),
            Cell::text(&device.vendor),
            Cell::text(device.kind.name()),
            peak(Precision::Fp16),
            peak(Precision::Bf16),
            peak(Precision::Fp8),
            value(device.memory.as_ref(), 1e9),
            value(device.bandwidth.as_ref(), 1e9),
            value(device.tdp.as_ref(), 1.0),
        ]
    });
    Listing {
        columns: &[
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
        rows: rows.collect(),
    }
}

fn prices(catalog: &Catalog, purchase: Purchase) -> Listing {
    let mut rows: Vec<&Price> = catalog.prices().filter(|p| p.sells(purchase)).collect();
    let newest_first = |p: &&Price| std::cmp::Reverse(p.citation.as_of);
    rows.sort_by_key(|p| (&p.provider, &p.accelerator, &p.region, &p.sku, newest_first(p)));
    let rows = rows.into_iter().map(|price| {
        let device = if price.accelerator.is_empty() { &price.product } else { &price.accelerator };
        vec![
            Cell::text(&price.provider),
            Cell::text(&price.region),
            Cell::text(&price.sku),
            Cell::text(device),
            price.devices.map_or(Cell::Gap, Cell::Count),
            value(price.per_instance(purchase).as_ref(), PER_HOUR),
            value(price.per_device(purchase).as_ref(), PER_HOUR),
            Cell::text(price.basis.name()),
            Cell::text(price.citation.as_of.map(|date| date.to_string()).unwrap_or_default()),
        ]
    });
    Listing {
        columns: &[
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
        rows: rows.collect(),
    }
}

fn providers(catalog: &Catalog) -> Listing {
    let rows = catalog.providers().into_iter().map(|provider| {
        let prices = || catalog.prices().filter(move |p| p.provider == provider);
        let devices: std::collections::BTreeSet<_> =
            prices().map(|p| p.accelerator.as_str()).filter(|id| !id.is_empty()).collect();
        let newest = prices().filter_map(|p| p.citation.as_of).max();
        vec![
            Cell::text(provider),
            Cell::Count(catalog.regions_of(provider).count() as u64),
            Cell::Count(prices().count() as u64),
            Cell::Count(devices.len() as u64),
            Cell::text(newest.map(|date| date.to_string()).unwrap_or_default()),
        ]
    });
    Listing {
        columns: &["provider", "regions", "prices", "accelerators", "newest_price"],
        rows: rows.collect(),
    }
}

fn regions(catalog: &Catalog) -> Listing {
    let rows = catalog.regions().map(|region| {
        let grid = |basis| value(region.grid(basis).map(|grid| &grid.intensity), G_PER_KWH);
        vec![
            Cell::text(&region.provider),
            Cell::text(&region.code),
            Cell::text(&region.location),
            grid(GridBasis::LifeCycle),
            grid(GridBasis::Direct),
            grid(GridBasis::Marginal),
            Cell::number(region.pue.as_ref().map(|pue| pue.value.get())),
            value(region.wue.as_ref(), PER_KWH),
            value(region.electricity.as_ref(), PER_KWH),
        ]
    });
    Listing {
        columns: &[
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
        rows: rows.collect(),
    }
}

fn grid(catalog: &Catalog) -> Listing {
    let rows = catalog.zones().flat_map(|zone| {
        catalog.grid_series(&zone.code).into_iter().map(|(year, grid)| {
            vec![
                Cell::text(&zone.code),
                Cell::text(&zone.name),
                Cell::text(&zone.kind),
                Cell::text(year.to_string()),
                Cell::Number(grid.intensity.value.stored() / G_PER_KWH),
                Cell::text(grid.basis.name()),
            ]
        })
    });
    Listing {
        columns: &["zone", "name", "kind", "year", "g_per_kwh", "basis"],
        rows: rows.collect(),
    }
}

fn api(catalog: &Catalog) -> Listing {
    let rows = catalog.api_prices().map(|price| {
        vec![
            Cell::text(&price.provider),
            Cell::text(&price.model),
            value(Some(&price.input), 1e-6),
            value(price.output.as_ref(), 1e-6),
            value(price.cached_input.as_ref(), 1e-6),
            Cell::text(price.input.citation.as_of.map(|d| d.to_string()).unwrap_or_default()),
        ]
    });
    Listing {
        columns: &[
            "provider",
            "model",
            "input_usd_per_mtok",
            "output_usd_per_mtok",
            "cached_usd_per_mtok",
            "as_of",
        ],
        rows: rows.collect(),
    }
}

fn purchases(catalog: &Catalog) -> Listing {
    let devices = catalog.accelerators().map(|a| a.id.as_str()).chain([""]);
    let rows = devices.flat_map(|id| catalog.purchases(id)).map(|bought| {
        let citation = &bought.price.citation;
        vec![
            Cell::text(&bought.accelerator),
            Cell::text(&bought.product),
            value(Some(&bought.price), 1.0),
            Cell::text(citation.as_of.map(|date| date.to_string()).unwrap_or_default()),
        ]
    });
    Listing {
        columns: &["accelerator", "product", "usd_per_device", "as_of"],
        rows: rows.collect(),
    }
}

fn defaults(catalog: &Catalog) -> Listing {
    let rows = catalog.defaults().map(|default| {
        vec![
            Cell::text(&default.id),
            Cell::text(&default.low),
            Cell::text(&default.value),
            Cell::text(&default.high),
            Cell::text(default.citation.as_of.map(|date| date.to_string()).unwrap_or_default()),
        ]
    });
    Listing { columns: &["id", "low", "value", "high", "as_of"], rows: rows.collect() }
}

fn sources(catalog: &Catalog) -> Listing {
    let rows = catalog.sources().map(|source| {
        vec![
            Cell::text(&source.id),
            Cell::text(&source.title),
            Cell::text(source.as_of.map(|date| date.to_string()).unwrap_or_default()),
            Cell::text(&source.licence),
        ]
    });
    Listing { columns: &["id", "title", "date", "licence"], rows: rows.collect() }
}

fn cards_as(cards: &[Card], format: Format) -> String {
    match format {
        Format::Json => {
            let cards: Vec<Value> = cards.iter().map(card_json).collect();
            // Values of this program always serialise.
            serde_json::to_string_pretty(&cards).unwrap_or_default()
        }
        Format::Table => cards.iter().map(card_text).collect::<Vec<_>>().join("\n"),
        Format::Csv | Format::Markdown => card_listing(cards).render(format),
    }
}

/// A card for a terminal: what it is, its quantities with the numbers of their sources, the
/// sources, the note.
fn card_text(card: &Card) -> String {
    let mut out = format!("{} ({})\n", card.name, card.kind);
    for (label, text) in &card.about {
        let lines = wrap(text, 56);
        let _ = writeln!(out, "  {label:<20}  {}", lines.join(&format!("\n{:24}", "")));
    }
    let mut citations: Vec<String> = Vec::new();
    for fact in &card.facts {
        let citation = fact.citation.to_string();
        let known = citations.iter().position(|c| *c == citation);
        let number = known.unwrap_or_else(|| {
            citations.push(citation);
            citations.len() - 1
        });
        let name = fact.step.name.as_deref().unwrap_or_default();
        let _ = writeln!(out, "  {name:<38}  {:>20}  [{}]", fact.step.shown(), number + 1);
    }
    for (i, citation) in citations.iter().enumerate() {
        let _ = writeln!(out, "  [{}] {}", i + 1, wrap(citation, 72).join("\n      "));
    }
    if !card.note.is_empty() {
        let _ = writeln!(out, "  note: {}", wrap(&card.note, 70).join("\n        "));
    }
    out
}

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

fn card_listing(cards: &[Card]) -> Listing {
    let mut rows = Vec::new();
    for card in cards {
        for (label, text) in &card.about {
            let row = [card.name.as_str(), label, text, "", ""];
            rows.push(row.into_iter().map(Cell::text).collect());
        }
        for fact in &card.facts {
            let name = fact.step.name.clone().unwrap_or_default();
            let date = fact.citation.as_of.map(|date| date.to_string()).unwrap_or_default();
            let row = [card.name.clone(), name, fact.step.shown(), fact.citation.titles(), date];
            rows.push(row.into_iter().map(Cell::text).collect());
        }
        if !card.note.is_empty() {
            let row = [card.name.as_str(), "note", &card.note, "", ""];
            rows.push(row.into_iter().map(Cell::text).collect());
        }
    }
    Listing { columns: &["name", "fact", "value", "source", "as_of"], rows }
}

fn doctor(
    catalog: &Catalog,
    max_age: Option<i64>,
    today: Option<NaiveDate>,
    format: Format,
) -> Result<ExitCode> {
    let today = today.ok_or_else(|| {
        Error::input("this machine's clock gives no date").hint("name the day with --as-of")
    })?;
    let health = catalog.doctor(today);
    let (mut ages, mut gaps) = (Vec::new(), Vec::new());
    for table in &health {
        for source in &table.sources {
            ages.push(vec![
                Cell::text(table.table),
                Cell::text(&source.source),
                Cell::Count(source.facts as u64),
                Cell::text(source.newest.map(|date| date.to_string()).unwrap_or_default()),
                Cell::number(source.age_days.map(|days| days as f64)),
            ]);
        }
        for (column, count) in &table.gaps {
            gaps.push(vec![
                Cell::text(table.table),
                Cell::text(column),
                Cell::Count(*count as u64),
                Cell::Count(table.rows as u64),
            ]);
        }
    }
    let ages = Listing { columns: &["table", "source", "facts", "newest", "age_days"], rows: ages };
    let gaps = Listing { columns: &["table", "column", "gaps", "rows"], rows: gaps };
    match format {
        Format::Json => {
            let parse =
                |l: &Listing| serde_json::from_str(&l.render(format)).unwrap_or(Value::Null);
            let value = json!({
                "schema": "flopcast.doctor/1", "on": today.to_string(),
                "ages": parse(&ages), "gaps": parse(&gaps),
            });
            print(&serde_json::to_string_pretty(&value).unwrap_or_default())?;
        }
        _ => {
            print(&format!("{}\n{}", ages.render(format), gaps.render(format)))?;
        }
    }
    let Some(limit) = max_age else { return Ok(ExitCode::SUCCESS) };
    let prices = health.iter().find(|table| table.table == "pricing/prices.csv");
    let old: Vec<_> = prices
        .into_iter()
        .flat_map(|table| &table.sources)
        .filter(|source| source.age_days.is_some_and(|days| days > limit))
        .map(|source| source.source.as_str())
        .collect();
    if old.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    Err(Error::limit(format!("prices older than {limit} days: {}", old.join(", ")))
        .hint("`flopcast catalog refresh` or a price book (--data-dir) brings newer ones"))
}
