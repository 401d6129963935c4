//! Published runs: FLOPs, device-hours, energy and carbon against what flopcast makes of their
//! inputs.
//!
//! FLOPs follow the convention that the row states. Device-hours come from the shape, tokens,
//! hardware and count alone, or from the MFU where the row has one. Energy is device-hours x
//! power, x PUE where the published figure contains it; carbon is that x the published grid.
//! [`Whole`] runs are what the constants of `hardware/run-calibration.yaml` are fitted to.

use flopcast_core::catalog::Catalog;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::model::extents::{Experts, Extents};
use flopcast_core::provenance::{Basis, Input, Traced};
use flopcast_core::quantity::system::time::day;
use flopcast_core::quantity::{DeviceTime, Devices, Measure, Mfu, Time};
use flopcast_core::training::calibration::{Calibration, Familiarity, NOT_SAID, RunKind};
use flopcast_core::training::format::Format;
use flopcast_core::training::goodput;
use flopcast_core::training::layout::{Wish, plan};
use flopcast_core::training::parallelism::Batch;
use flopcast_core::training::plan::Goodput;
use flopcast_core::training::platform::{Hardware, Platform};
use flopcast_core::training::state::ADAMW;
use flopcast_core::training::whole_run::{self, Fitted, Losses};

use super::case::year;
use super::fit::{Evidence, Method, Start};
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
    losses: &whole_run::Calibration,
) -> Result<(Vec<Scored>, Vec<String>)> {
    type Figure<'a> = (&'static str, &'a str, Result<(f64, f64)>);
    let mut scored = Vec::new();
    let mut skipped = Vec::new();
    let exact = |value: f64| (value, ARITHMETIC);
    let figures: [Figure<'_>; 4] = [
        ("flops", "published_training_flops", flops(row).map(exact)),
        ("device_hours", "device_hours", device_hours(row, catalog, calibration, losses)),
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

/// Device-hours of a whole run with the half-width of their interval.
fn device_hours(
    row: Row<'_>,
    catalog: &Catalog,
    calibration: &Calibration,
    losses: &whole_run::Calibration,
) -> Result<(f64, f64)> {
    let run = Whole::read(row, catalog, calibration)?;
    let hours = run.elapsed(&losses.fitted_losses()?)?.stored() / 3600.0;
    Ok((hours, losses.half_width(run.useful(), run.step)))
}

/// A published run: the time of its steps, predicted, beside the time that it took.
#[derive(Clone, Debug)]
pub struct Whole {
    id: String,
    /// The submitter, or the family of models.
    publisher: String,
    /// Device-time of its steps.
    productive: DeviceTime,
    devices: Devices,
    /// Published device-time.
    measured: DeviceTime,
    /// Half-width of the interval of ln of its step.
    step: f64,
    groups: Vec<(&'static str, String)>,
}

/// The figure of whole runs.
pub const DEVICE_HOURS: &str = "device_hours";
/// Standard deviation of ln(predicted / measured) that a good row is expected to have.
const NOISE: f64 = 0.2;

impl Whole {
    /// Reads a row: the steps from the MFU where one is published, else predicted from shape, tokens
    /// and hardware.
    ///
    /// # Errors
    /// A column is missing, or a model, device or framework is unknown.
    pub fn read(row: Row<'_>, catalog: &Catalog, calibration: &Calibration) -> Result<Self> {
        let (hours, step) = steps(row, catalog, calibration)?;
        // Where no count is published: a month.
        let count = row.number("n_devices")?.unwrap_or(hours / 720.0);
        let id = row.id();
        let text = |column: &str| row.text(column).unwrap_or_default().to_owned();
        let family = |name: &str| {
            name.split(|c: char| !c.is_alphabetic()).next().unwrap_or(name).to_lowercase()
        };
        let time = |hours: f64| DeviceTime::from_stored(hours * 3600.0);
        Ok(Self {
            publisher: match row.text("org") {
                Some(org) => org.to_lowercase(),
                None => family(&text("id")),
            },
            productive: time(hours),
            devices: Devices::from_stored(count),
            measured: time(needed(row, "device_hours")?),
            step,
            groups: groups(row, DEVICE_HOURS),
            id,
        })
    }

    /// Time of its steps.
    fn useful(&self) -> Time {
        self.productive / self.devices
    }

    /// Device-time of the run, what it loses included: as `estimate` computes it.
    fn elapsed(&self, fitted: &Fitted) -> Result<DeviceTime> {
        let basis = Basis::Derived { formula: "of the row".to_owned() };
        let devices = Input::new("devices", self.devices, basis);
        let planned = Goodput::usual(devices, Losses::new(fitted, |_| String::new()));
        let uptime = goodput::of(&planned, &Traced::constant(self.productive))?;
        Ok(self.productive / uptime.goodput.value())
    }

    /// Runs of hours and runs of days have an interval each.
    fn length(&self) -> &'static str {
        if self.useful() < Time::new::<day>(0.5) { "hours" } else { "days" }
    }
}

impl Evidence for Whole {
    type Facts = whole_run::Documented;
    type Setup = Fitted;
    const METHOD: Method = Method { step: 1e-4, gain: 1e-6, start: Start::Priors, families: 4 };

    fn usable(&self, _: &whole_run::Calibration) -> bool {
        true
    }

    fn family(&self) -> String {
        self.publisher.clone()
    }

    fn publisher(&self) -> Option<&str> {
        Some(&self.publisher)
    }

    fn alike(&self) -> String {
        self.publisher.clone()
    }

    fn figures(&self) -> usize {
        1
    }

    fn setups(rows: &[&Self], calibration: &whole_run::Calibration) -> Result<Vec<Fitted>> {
        Ok(vec![calibration.fitted_losses()?; rows.len()])
    }

    fn errors(&self, fitted: &Fitted) -> Vec<f64> {
        let ratio = self.elapsed(fitted).map_or(1.0, |elapsed| (elapsed / self.measured).stored());
        vec![ratio.ln() / NOISE]
    }

    fn score(&self, calibration: &whole_run::Calibration) -> Result<Vec<Scored>> {
        let predicted = self.elapsed(&calibration.fitted_losses()?)?.stored() / 3600.0;
        let width = calibration.half_width(self.useful(), self.step).exp();
        let mut groups = self.groups.clone();
        groups.push(("length", self.length().to_owned()));
        Ok(vec![Scored {
            id: self.id.clone(),
            figure: DEVICE_HOURS,
            measured: self.measured.stored() / 3600.0,
            predicted,
            interval: (predicted / width, predicted * width),
            groups,
        }])
    }

    /// Steps alone: nothing is lost.
    fn rule_of_thumb(&self) -> Option<Scored> {
        let predicted = self.productive.stored() / 3600.0;
        let mut groups = self.groups.clone();
        groups.push(("length", self.length().to_owned()));
        Some(Scored {
            id: self.id.clone(),
            figure: DEVICE_HOURS,
            measured: self.measured.stored() / 3600.0,
            predicted,
            interval: (predicted, predicted),
            groups,
        })
    }

    fn tested(row: &Scored, seen: bool) -> Option<&str> {
        row.group("length").filter(|_| !seen)
    }

    /// The interval of the row's length, whatever its step's.
    fn half_width(calibration: &whole_run::Calibration, row: &Scored, _: bool) -> f64 {
        calibration.intervals.half_width(row.group("length").unwrap_or("days"))
    }
}

/// The runs of a table whose device-hours can be predicted, and the reasons of the others.
pub fn whole_runs(
    table: &super::table::Table,
    catalog: &Catalog,
    calibration: &Calibration,
) -> (Vec<Whole>, Vec<(String, String)>) {
    let (mut runs, mut skipped) = (Vec::new(), Vec::new());
    for row in table.rows().filter(|row| row.text("device_hours").is_some()) {
        match Whole::read(row, catalog, calibration) {
            Ok(run) => runs.push(run),
            Err(error) => skipped.push((row.id(), error.message().to_owned())),
        }
    }
    (runs, skipped)
}

/// Device-hours of the steps with the half-width of the interval of their speed: from the MFU where
/// one is published, else predicted from shape, tokens and hardware.
fn steps(row: Row<'_>, catalog: &Catalog, calibration: &Calibration) -> Result<(f64, f64)> {
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
        return Ok((hours, 0.0));
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
        trained: 1.0,
        interleave: year >= 2022.5,
    };
    let best = plan(&model, wish, &platform)?.best;
    let rate = best.step.throughput.stored();
    let known = Familiarity {
        framework: framework.is_none().then_some(NOT_SAID),
        device: calibration.known(name, format.precision().name(), platform.calibrated()),
        kind: RunKind::of(&model, 1.0),
        beyond: calibration.beyond(model.parameters, length, devices),
        scans: model.scans(),
    };
    Ok((tokens / rate / 3600.0, known.half_width(&calibration.intervals)))
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
