//! Published runs: FLOPs, device-hours, energy and carbon against what flopcast makes of their
//! inputs.
//!
//! FLOPs follow the convention that the row states. Device-hours come from the shape, tokens,
//! hardware and count alone, or from the MFU where the row has one. Energy is device-hours x
//! power, x PUE where the published figure contains it; carbon is that x the published grid.

use flopcast_core::catalog::Catalog;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::model::extents::{Experts, Extents};
use flopcast_core::quantity::system::time::{day, hour};
use flopcast_core::quantity::{Measure, Mfu, Time};
use flopcast_core::training::calibration::{Calibration, Familiarity};
use flopcast_core::training::format::Format;
use flopcast_core::training::goodput::{whole_run, whole_run_spread};
use flopcast_core::training::layout::{Wish, plan};
use flopcast_core::training::parallelism::Batch;
use flopcast_core::training::platform::{Hardware, Platform};
use flopcast_core::training::state::ADAMW;

use super::case::year;
use super::score::Scored;
use super::table::Row;

/// Half-width of the 80 % interval of ln(measured / predicted) of arithmetic on published inputs.
const ARITHMETIC: f64 = 0.05;

/// The figures of a row that can be scored, and why others cannot.
///
/// # Errors
/// A cell that is no number.
pub fn score_run(
    row: Row<'_>,
    catalog: &Catalog,
    calibration: &Calibration,
) -> Result<(Vec<Scored>, Vec<String>)> {
    type Figure<'a> = (&'static str, &'a str, Result<(f64, f64)>);
    let mut scored = Vec::new();
    let mut skipped = Vec::new();
    let exact = |value: f64| (value, ARITHMETIC);
    let figures: [Figure<'_>; 4] = [
        ("flops", "published_training_flops", flops(row).map(exact)),
        ("device_hours", "device_hours", device_hours(row, catalog, calibration)),
        ("energy_mwh", "published_energy_mwh", energy_mwh(row).map(exact)),
        ("tco2e", "published_tco2e", tco2e(row).map(exact)),
    ];
    for (figure, column, predicted) in figures {
        let Some(measured) = row.number(column)? else { continue };
        match predicted {
            Ok((predicted, width)) => scored.push(Scored {
                id: row.id(),
                figure,
                measured,
                predicted,
                interval: (predicted / width.exp(), predicted * width.exp()),
                groups: groups(row, figure),
            }),
            Err(error) => skipped.push(format!("{figure}: {}", error.message())),
        }
    }
    Ok((scored, skipped))
}

/// The groups that a figure of the row is scored in.
fn groups(row: Row<'_>, figure: &str) -> Vec<(&'static str, String)> {
    let text = |column: &str| row.text(column).unwrap_or("unknown").to_owned();
    let basis = match (figure, row.text("mfu")) {
        ("device_hours", Some(_)) => "published MFU",
        ("device_hours", None) => "shape alone",
        _ => "published inputs",
    };
    vec![("kind", text("kind")), ("accelerator", text("accelerator")), ("basis", basis.to_owned())]
}

/// The error of a figure that is not published.
fn missing(what: &str) -> Error {
    Error::input(format!("{what} is not published"))
}

/// The number of a column.
///
/// # Errors
/// If the column is empty: the figure cannot be computed.
fn needed(row: Row<'_>, column: &str) -> Result<f64> {
    row.number(column)?.ok_or_else(|| missing(column))
}

/// Active parameters x tokens x 6, an encoder-decoder by half: each token passes one side.
fn six_nd(row: Row<'_>) -> Result<f64> {
    let parameters = match row.number("active_params")? {
        Some(active) => active,
        None if row.text("kind") == Some("moe") => return Err(missing("active_params")),
        None => needed(row, "total_params")?,
    };
    let tokens = needed(row, "training_tokens_or_samples")?;
    let sides = if row.text("kind") == Some("encdec") { 0.5 } else { 1.0 };
    Ok(6.0 * parameters * tokens * sides)
}

/// FLOPs in the convention that the row states.
fn flops(row: Row<'_>) -> Result<f64> {
    let convention = row.text("flops_convention").unwrap_or("6ND");
    let says = |words: &[&str]| words.iter().any(|word| convention.contains(word));
    if says(&["circular"]) && !convention.starts_with("6ND") {
        // A rate times a time: no operation was counted.
        let rate = match row.number("published_tflops_per_device")? {
            Some(rate) => rate * 1e12,
            None => return Err(missing("published_tflops_per_device")),
        };
        return Ok(rate * needed(row, "device_hours")? * 3600.0);
    }
    let counted = six_nd(row)?;
    if says(&["8ND", "recomputation"]) {
        return Ok(counted * 8.0 / 6.0);
    }
    if says(&["+ attention", "incl. attention"]) {
        let extents = [
            needed(row, "n_layers")?,
            needed(row, "d_model")?,
            needed(row, "seq_len")?,
            needed(row, "training_tokens_or_samples")?,
        ];
        return Ok(counted + 12.0 * extents.iter().product::<f64>());
    }
    Ok(counted)
}

/// Energy in `MWh`: device-hours x power, x PUE where the published figure contains it.
fn energy_mwh(row: Row<'_>) -> Result<f64> {
    let it = needed(row, "device_hours")? * needed(row, "power_w")? / 1e6;
    match row.text("energy_includes_pue") {
        Some("yes") => Ok(it * needed(row, "published_pue")?),
        Some("no") => Ok(it),
        _ => Err(missing("whether the energy includes the PUE")),
    }
}

/// Carbon in t: energy of the devices x grid, x PUE where the published figure contains it.
fn tco2e(row: Row<'_>) -> Result<f64> {
    let grid = needed(row, "published_grid_gco2_per_kwh")?;
    let pue = row.number("published_pue")?;
    let (hours, power) = (row.number("device_hours")?, row.number("power_w")?);
    let it = if let (Some(hours), Some(power)) = (hours, power) {
        hours * power / 1e6
    } else {
        let energy = needed(row, "published_energy_mwh")?;
        match row.text("energy_includes_pue") {
            Some("no") => energy,
            Some("yes") => energy / pue.ok_or_else(|| missing("published_pue"))?,
            _ => return Err(missing("whether the energy includes the PUE")),
        }
    };
    let facility = match row.text("co2_includes_pue") {
        Some("yes") => it * pue.ok_or_else(|| missing("published_pue"))?,
        Some("no") => it,
        _ => return Err(missing("whether the carbon includes the PUE")),
    };
    Ok(facility * grid / 1e3)
}

/// Device-hours: from the MFU where one is published, else predicted from shape, tokens and
/// hardware; x what a whole run takes beside it ([`whole_run`]).
fn device_hours(row: Row<'_>, catalog: &Catalog, calibration: &Calibration) -> Result<(f64, f64)> {
    let kind = row.text("kind").unwrap_or("dense");
    if !["dense", "moe", "encoder", "encdec"].contains(&kind) {
        return Err(Error::input(format!(
            "a {kind} model's time does not follow from parameters and tokens"
        )));
    }
    let tokens = needed(row, "training_tokens_or_samples")?;
    let flops = six_nd(row)?;
    let name = row.text("accelerator").ok_or_else(|| missing("accelerator"))?;
    let format = Format::parse(row.text("precision").unwrap_or("bf16"))?;
    let hardware = Hardware::of(catalog, name, format)?;
    if let Some(mfu) = row.number("mfu")? {
        // MFUs are stated of the 16-bit peak, also of runs in fp8.
        let mfu = Mfu::new(mfu).map_err(|error| row.error("mfu", &error.to_string()))?;
        let hours = flops / (hardware.device.peak16.stored() * mfu.get()) / 3600.0;
        return elapsed(row, hours, 0.0);
    }
    let year = row.text("year_month").and_then(year).ok_or_else(|| missing("year_month"))?;
    let texts = [row.text("source").or(row.text("source_1")).unwrap_or_default()];
    let framework = calibration.framework(&texts).map(|(place, _, facts)| (place, facts));
    let software = calibration.software(framework, year);
    let platform = Platform::new(&hardware, format, software, calibration)?;
    let model = extents(row, kind)?;
    let length = row.number("seq_len")?.unwrap_or(2048.0) as u64;
    // Where no count is published: what would take a month at 40 % of the peak.
    let month = Time::new::<day>(30.0).stored();
    let wanted = flops / (0.4 * hardware.device.peak16.stored() * month);
    let devices = match row.number("n_devices")? {
        Some(devices) => devices as u64,
        None => (wanted.max(8.0) as u64).next_power_of_two(),
    };
    let batch = batch(&model, devices, length);
    // Published counts are often no product of powers of two; the speed of a device is that of
    // the next rounder cluster.
    let round = rounded(devices);
    let wish = Wish {
        devices: round,
        batch: Batch { sequences: batch, length },
        state: ADAMW,
        interleave: year >= 2022.5,
    };
    let best = plan(&model, wish, &platform)?.best;
    let rate = best.step.throughput.stored();
    let known = Familiarity {
        framework: false,
        accelerator: platform.calibrated(),
        experts: model.experts.is_some(),
        adapters: false,
    };
    elapsed(row, tokens / rate / 3600.0, known.half_width(&calibration.intervals))
}

/// Device-hours of a whole run, given those of its steps, with the half-width of its interval.
fn elapsed(row: Row<'_>, hours: f64, width: f64) -> Result<(f64, f64)> {
    let useful = match row.number("n_devices")? {
        Some(devices) => Time::new::<hour>(hours / devices),
        None => Time::new::<day>(30.0),
    };
    Ok((hours / whole_run(useful).get(), width.hypot(whole_run_spread(useful))))
}

/// The nearest number of devices with few prime factors: a multiple of a power of two.
fn rounded(devices: u64) -> u64 {
    if devices < 8 {
        return devices.max(1);
    }
    let unit = (devices.next_power_of_two() / 16).max(8);
    (devices / unit).max(1) * unit
}

/// Sequences of a step where none are published: 4M tokens, 16M beyond 100B parameters, at least
/// one for each device of a small model's run.
fn batch(model: &Extents, devices: u64, length: u64) -> u64 {
    let tokens = match model.parameters {
        0..1_000_000_000 => 1 << 20,
        1_000_000_000..100_000_000_000 => 1 << 22,
        _ => 1 << 24,
    };
    let sequences = (tokens / length).max(1);
    let unit = rounded(devices);
    (sequences / unit).max(1) * unit
}

/// The extents, and where only the parameters are published those of a usual transformer: as
/// deep as wide / 110, heads of 128, an MLP of 4 x its width.
fn extents(row: Row<'_>, kind: &str) -> Result<Extents> {
    let total = needed(row, "total_params")?;
    let active = row.number("active_params")?.unwrap_or(total);
    // An encoder-decoder's token passes half of the parameters.
    let passed = if kind == "encdec" { active / 2.0 } else { active };
    let stated = (row.number("n_layers")?, row.number("d_model")?);
    let (layers, hidden) = if let (Some(layers), Some(hidden)) = stated {
        (layers as u64, hidden as u64)
    } else {
        let layers = (passed / (12.0 * 110.0 * 110.0)).cbrt().round().max(1.0);
        let hidden = (passed / (12.0 * layers)).sqrt();
        (layers as u64, ((hidden / 128.0).round().max(1.0) as u64) * 128)
    };
    let heads = match row.number("n_heads")? {
        Some(heads) => heads as u64,
        None => (hidden / 128).max(1),
    };
    let ffn = row.number("d_ff")?.map_or(4 * hidden, |ffn| ffn as u64);
    let head_dim = (hidden / heads).max(1);
    let experts = (kind == "moe").then(|| {
        // Two experts of a token make up the MLP of the active parameters.
        let attention = 4.0 * (hidden * hidden) as f64;
        let rest = |all: f64| (all / layers as f64 - attention).max(1.0);
        // Counts are powers of two, so that devices can share them.
        let count = (2.0 * rest(total) / rest(passed)).log2().round().exp2().max(2.0) as u64;
        let width = rest(passed) / 2.0 / (3.0 * hidden as f64);
        Experts { count, top_k: 2, ffn: width.max(1.0) as u64, shared: 0, layers }
    });
    Ok(Extents {
        layers,
        hidden,
        heads,
        kv_heads: row.number("n_kv_heads")?.map_or(heads, |heads| heads as u64),
        key_dim: head_dim,
        value_dim: head_dim,
        ffn,
        // A gated MLP is named by its narrower width: 8/3 of the residual's.
        gated: kind == "moe" || (ffn as f64) < 3.7 * hidden as f64,
        vocabulary: row.number("vocab")?.map_or(50_304, |vocabulary| vocabulary as u64),
        parameters: if kind == "encdec" { passed } else { total } as u64,
        experts,
        ..Extents::default()
    })
}
