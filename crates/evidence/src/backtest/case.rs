//! A published training throughput as a case for the step-time model: the row's model, layout,
//! hardware, batch and software, with the assumptions that its gaps required.

use chrono::NaiveDate;
use flopcast_core::catalog::Catalog;
use flopcast_core::diagnostic::Result;
use flopcast_core::model::extents::{Experts, Extents, Latent, Windows};
use flopcast_core::model::{Input, spec};
use flopcast_core::quantity::{DeviceBandwidth, DeviceMemory, DeviceTokenRate, Measure};
use flopcast_core::training::calibration::{Calibration, Familiarity, NOT_SAID, RunKind};
use flopcast_core::training::format::Format;
use flopcast_core::training::memory::{Memory, memory};
use flopcast_core::training::parallelism::{Batch, Parallelism, Recompute, Zero};
use flopcast_core::training::platform::{Hardware, Platform, Software, decimal_year};
use flopcast_core::training::state::{self, State};
use flopcast_core::training::step_time::{Step, step_of_part};

use super::table::Row;

/// One row of a throughput table, resolved.
#[derive(Clone, Debug)]
pub struct Case {
    /// The row's name.
    pub id: String,
    /// The model's name.
    pub model: String,
    /// The publisher.
    pub source: String,
    /// The table that it is from, where a column says so.
    pub table: Option<String>,
    /// The framework, if the calibration knows it.
    pub framework: Option<String>,
    /// The accelerator's name in the catalog.
    pub accelerator: String,
    /// The accelerator's generation, if the calibration knows it.
    pub generation: String,
    /// The model's extents.
    pub extents: Extents,
    /// How it was spread.
    pub layout: Parallelism,
    /// The tokens or samples of a step.
    pub batch: Batch,
    /// The devices and their links.
    pub hardware: Hardware,
    /// Part of the weights that is trained: 1, or that of adapters.
    pub trained: f64,
    /// Format of the matrix products.
    pub format: Format,
    /// The facts that are known of the software.
    pub software: Software,
    /// Published tokens per second and device.
    pub throughput: Option<DeviceTokenRate>,
    /// Published peak memory, and whether it is `allocated` or `reserved`.
    pub memory: Option<(DeviceMemory, MemoryKind)>,
    /// Bytes per parameter, by the framework.
    pub state: State,
    /// Assumptions in place of what the row does not say.
    pub assumptions: Vec<String>,
}

/// Which figure of memory was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryKind {
    /// The memory that tensors occupy.
    Allocated,
    /// The memory that the framework's allocator holds.
    Allocator,
    /// The memory that the process holds.
    Reserved,
}

/// Bytes per parameter of a run by a framework of this name. torchtune's recipes for a single device
/// keep paged states in 8 bits and apply gradients as they come.
fn trained(framework: &str, layout: &Parallelism) -> State {
    let formats = state::formats(framework).unwrap_or(&state::MIXED);
    let alone = formats.master <= 0.0 && layout.devices() == 1;
    let optimizer = if alone { "paged-adamw-8bit" } else { "adamw" };
    let kept = state::optimizer(optimizer).unwrap_or(&state::OPTIMIZERS[0]);
    State { in_backward: alone, ..state::recipe(kept, formats) }
}

impl Case {
    /// Reads a row in the columns of `docs/backtest.md`.
    ///
    /// # Errors
    /// If something is missing or contradictory: the row cannot be scored.
    pub fn read(row: Row<'_>, catalog: &Catalog, calibration: &Calibration) -> Result<Self> {
        let mut assumptions = Vec::new();
        let source = row.text("source").unwrap_or_default().to_owned();
        let model = row.text("model").unwrap_or_default().to_owned();
        let texts = [source.as_str(), row.text("framework").unwrap_or_default()];
        let framework = calibration.framework(&texts);
        let year = if let Some(text) = row.text("date") {
            year(text).ok_or_else(|| row.error("date", "no date"))?
        } else {
            assumptions.push("software of 2026".to_owned());
            2026.0
        };
        let extents = extents(row, &model)?;
        let (layout, batch) =
            layout(row, &extents, framework.map(|(.., f)| f), year, &mut assumptions)?;
        // It ran, whatever its degrees of expert parallelism divide.
        let ran = Parallelism { expert: 1, ..layout };
        ran.check(row.count("n_devices")?, extents.layers, 0, batch)?;
        let format = Format::parse(row.text("precision").unwrap_or("bf16"))?;
        let name = row.text("accelerator").ok_or_else(|| row.error("accelerator", "empty"))?;
        let hardware = hardware(row, catalog, calibration, name, format, &mut assumptions)?;
        let notes = row.text("notes").unwrap_or_default().to_lowercase();
        let known = calibration.software(framework.map(|(place, _, f)| (place, f)), year);
        let software = Software {
            overlaps_tensor: known.overlaps_tensor || notes.contains("async"),
            overlaps_gradients: framework.is_some(),
            ..known
        };
        let part = match row.text("kind") {
            None | Some("full" | "sft" | "pretraining") => 1.0,
            Some("lora" | "qlora") => ADAPTERS,
            Some(other) => return Err(row.error("kind", &format!("`{other}` is no recipe"))),
        };
        // PyTorch's sharding reports the counter of its allocator, other frameworks what the device
        // says is taken.
        let memory_kind = match row.text("memory_kind") {
            Some("reserved") if layout.zero == Zero::Weights => MemoryKind::Allocator,
            Some("reserved") => MemoryKind::Reserved,
            _ => MemoryKind::Allocated,
        };
        let trainer = row
            .text("framework")
            .map(str::to_owned)
            .or_else(|| framework.map(|(_, name, _)| name.to_owned()));
        let state = trained(trainer.as_deref().unwrap_or_default(), &layout);
        Ok(Self {
            id: row.id(),
            generation: calibration
                .generation(&hardware.architecture)
                .map_or_else(|| hardware.architecture.clone(), |(name, _)| name.to_owned()),
            accelerator: name.to_owned(),
            framework: framework.map(|(_, name, _)| name.to_owned()),
            throughput: row.number("tokens_per_s_per_device")?.map(DeviceTokenRate::from_stored),
            memory: row
                .number("peak_memory_gb")?
                .map(|gb| (DeviceMemory::from_stored(gb * 1e9), memory_kind)),
            table: row.text("table").map(str::to_owned),
            model,
            source,
            extents,
            layout,
            batch,
            state,
            hardware,
            trained: part,
            format,
            software,
            assumptions,
        })
    }

    /// The platform of the case with the constants of a calibration.
    ///
    /// # Errors
    /// Nothing was measured on the architecture or its relatives.
    pub fn platform(&self, calibration: &Calibration) -> Result<Platform> {
        Platform::new(&self.hardware, self.format, self.software, calibration)
    }

    /// The predicted step.
    ///
    /// # Errors
    /// As [`Case::platform`].
    pub fn step(&self, calibration: &Calibration) -> Result<Step> {
        let platform = self.platform(calibration)?;
        Ok(self.step_on(&platform))
    }

    /// The predicted step on a platform.
    pub fn step_on(&self, platform: &Platform) -> Step {
        step_of_part(&self.extents, &self.layout, self.batch, platform, self.trained)
    }

    /// The predicted memory.
    ///
    /// # Errors
    /// As [`Case::platform`].
    pub fn memory(&self, calibration: &Calibration) -> Result<Memory> {
        let platform = self.platform(calibration)?;
        Ok(memory(&self.extents, &self.layout, self.batch, &platform, self.state))
    }

    /// The calibration's coverage of the case's conditions.
    ///
    /// # Errors
    /// As [`Case::platform`].
    pub fn familiarity(&self, calibration: &Calibration) -> Result<Familiarity> {
        Ok(Familiarity {
            framework: self.framework.is_none().then_some(NOT_SAID),
            device: calibration.known(
                &self.accelerator,
                self.format.precision().name(),
                self.platform(calibration)?.calibrated(),
            ),
            kind: RunKind::of(&self.extents, self.trained),
            beyond: calibration.beyond(
                self.extents.parameters,
                self.batch.length,
                self.layout.devices(),
            ),
            scans: self.extents.scans(),
        })
    }

    /// Source and model: rows that share both are no independent evidence.
    pub fn family(&self) -> String {
        format!("{} {}", self.publisher(), self.model)
    }

    /// The publisher: the framework where known, otherwise the source up to its version.
    pub fn publisher(&self) -> &str {
        match &self.framework {
            Some(framework) => framework,
            None => self.source.split(['@', ' ']).next().unwrap_or(&self.source),
        }
    }
}

/// Architectures whose figures the columns cannot hold, by a part of the model's name.
struct Special {
    name: &'static str,
    latent: Option<Latent>,
    windows: Option<Windows>,
}

/// Multi-head latent attention (arXiv:2412.19437; the same ranks in Kimi K2, arXiv:2507.20534) and
/// sliding windows (model cards of gpt-oss, arXiv:2503.19786 for Gemma 3; chunks of Llama 4).
const SPECIAL: [Special; 9] = [
    Special { name: "deepseekv3", latent: Some(MLA), windows: None },
    Special { name: "deepseekr1", latent: Some(MLA), windows: None },
    Special { name: "kimik2", latent: Some(MLA), windows: None },
    Special { name: "gptoss", latent: None, windows: Some(Windows { share: 0.5, positions: 128 }) },
    Special {
        name: "gemma3",
        latent: None,
        windows: Some(Windows { share: 5.0 / 6.0, positions: 1024 }),
    },
    Special {
        name: "gemma2",
        latent: None,
        windows: Some(Windows { share: 0.5, positions: 4096 }),
    },
    // The small one keeps its queries whole; nearest is plain attention.
    Special { name: "deepseekv2lite", latent: None, windows: None },
    Special { name: "deepseekv2", latent: Some(MLA), windows: None },
    Special {
        name: "llama4",
        latent: None,
        windows: Some(Windows { share: 0.75, positions: 8192 }),
    },
];
/// The ranks of `DeepSeek-V3`'s latent attention.
const MLA: Latent = Latent { query_rank: 1536, key_value_rank: 512, rotary: 64 };

/// The extents of the row's model: from its columns, or from a preset of the same name.
fn extents(row: Row<'_>, name: &str) -> Result<Extents> {
    if row.text("n_layers").is_none() {
        // The shapes of a preset, where the table has none.
        let input = Input { sequence: Some(row.count("seq_len")?), ..Input::default() };
        return Ok(spec::from_preset(&plain_name(name), &input)?.extents);
    }
    let plain = name.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "");
    let special = SPECIAL.iter().find(|special| plain.starts_with(special.name));
    let heads = row.count("n_heads")?;
    let hidden = row.count("d_model")?;
    let head_dim = row.count_or("head_dim", hidden / heads)?;
    // A model of experts alone has no other MLP.
    let ffn = match row.number("d_ff")? {
        None => row.count("moe_d_ff")?,
        Some(_) => row.count("d_ff")?,
    };
    let layers = row.count("n_layers")?;
    let latent = special.and_then(|special| special.latent);
    let experts = match row.count_or_none("n_experts")? {
        0 | 1 => None,
        count => Some(Experts {
            count,
            top_k: row.count("top_k")?,
            ffn: row.count_or("moe_d_ff", ffn)?,
            shared: row.count_or_none("shared_experts")?,
            layers: layers.saturating_sub(row.count_or_none("dense_layers")?),
        }),
    };
    let mut model = Extents {
        layers,
        hidden,
        heads,
        kv_heads: row.count_or("n_kv_heads", heads)?,
        key_dim: if latent.is_some() { 192 } else { head_dim },
        value_dim: if latent.is_some() { 128 } else { head_dim },
        ffn,
        gated: row.count_or_none("gated")? == 1,
        vocabulary: row.count("vocab")?,
        parameters: 0,
        latent,
        experts,
        windows: special.and_then(|special| special.windows),
        ..Extents::default()
    };
    model.parameters = match row.number("params")? {
        Some(parameters) => parameters as u64,
        None => counted(&model, row.count_or_none("tied")? == 1),
    };
    Ok(model)
}

/// Parameters of adapters of a usual rank / all parameters.
const ADAPTERS: f64 = 0.003;

/// A name as presets spell it.
fn plain_name(name: &str) -> String {
    name.to_lowercase().replace([' ', '_'], "-")
}

/// Parameters from the extents alone, without norms and biases.
fn counted(model: &Extents, tied: bool) -> u64 {
    let experts = model.expert_layers() as f64 * model.expert_weights();
    let blocks = model.usual_weights() + experts;
    (blocks + if tied { 1.0 } else { 2.0 } * model.embedding_weights()) as u64
}

/// The layout that the row states, with the usual values for its gaps.
///
/// # Errors
/// If the degrees do not divide the devices or the batch.
fn layout(
    row: Row<'_>,
    model: &Extents,
    framework: Option<&flopcast_core::training::calibration::Framework>,
    year: f64,
    assumptions: &mut Vec<String>,
) -> Result<(Parallelism, Batch)> {
    let devices = row.count("n_devices")?;
    let tensor = row.count_or("tp", 1)?;
    let pipeline = row.count_or("pp", 1)?;
    let sequences = row.count("global_batch_seqs")?;
    let length = row.count("seq_len")?;
    let stated = row.number("micro_batch")?;
    // A micro-batch of a part of a sequence is a sequence over several devices.
    let split = match stated {
        Some(part) if part > 0.0 && part < 1.0 => (1.0 / part).round() as u64,
        _ => 1,
    };
    let context = row.count_or("cp", 1)? * split;
    let rest = tensor * pipeline * context;
    if !devices.is_multiple_of(rest) {
        return Err(row
            .error("n_devices", &format!("{devices} is not divisible by {rest}"))
            .hint("tensor x pipeline x context parallelism must divide the devices"));
    }
    let mut data = devices / rest;
    let mut context = context;
    if sequences < data {
        // Fewer sequences than copies: each is spread over several devices.
        context *= data.div_ceil(sequences);
        data = devices / (tensor * pipeline * context);
        assumptions.push(format!("context parallelism of {context}: fewer sequences than copies"));
    }
    let local = (sequences / data.max(1)).max(1);
    let mut micro_batch = match stated {
        Some(size) if size >= 1.0 => size as u64,
        Some(_) => 1,
        None => {
            let size = if pipeline > 1 { 1 } else { local.min(2) };
            assumptions.push(format!("micro-batch of {size}"));
            size
        }
    };
    micro_batch = micro_batch.min(local);
    if pipeline > 1 && micro_batch == local && local >= pipeline {
        // A pipeline cannot run its whole batch at once: frameworks then split it by the stages.
        micro_batch = local / pipeline;
        assumptions.push(format!("micro-batch of {micro_batch}: the local batch by the stages"));
    }
    let chunks = match row.count_or_none("vp")? {
        0 if pipeline == 1 => 1,
        0 => chunks(row, model, pipeline, framework, year, assumptions),
        stated => stated,
    };
    let policy = row.text("activation_ckpt").unwrap_or("unknown");
    let recompute = match policy {
        "none" => Recompute::None,
        "unknown" => Recompute::Unknown,
        p if p.starts_with("full") => Recompute::Full,
        p if p.starts_with("custom") => Recompute::Custom,
        p if p.starts_with("selective op") => Recompute::Products,
        p if p.starts_with("selective layer") => Recompute::Half,
        p if p.starts_with("selective") => Recompute::Selective,
        other => {
            assumptions.push(format!("recomputation `{other}` as an unknown policy"));
            Recompute::Unknown
        }
    };
    let layout = Parallelism {
        tensor,
        // Sequence parallelism came with arXiv:2205.05198 and is the rule since.
        sequence: year >= 2022.9 || policy.contains("SP"),
        pipeline,
        chunks,
        context,
        data,
        expert: row.count_or("ep", 1)?,
        zero: Zero::stage(row.count_or_none("zero_stage")?)?,
        micro_batch,
        recompute,
    };
    Ok((layout, Batch { sequences, length }))
}

/// Chunks per stage where the table does not say.
fn chunks(
    row: Row<'_>,
    model: &Extents,
    pipeline: u64,
    framework: Option<&flopcast_core::training::calibration::Framework>,
    year: f64,
    assumptions: &mut Vec<String>,
) -> u64 {
    let notes = row.text("notes").unwrap_or_default();
    if notes.contains("nterleaved") {
        return 2;
    }
    if notes.contains("1F1B") {
        return 1;
    }
    let since = framework.and_then(|f| f.interleaves_since);
    let chunks = if since.is_some_and(|since| year >= since) {
        (model.layers.div_ceil(pipeline) / 2).max(1)
    } else {
        1
    };
    assumptions.push(format!("{chunks} chunks of layers per pipeline stage"));
    chunks
}

/// The device of the row with the network that it states.
fn hardware(
    row: Row<'_>,
    catalog: &Catalog,
    calibration: &Calibration,
    name: &str,
    format: Format,
    assumptions: &mut Vec<String>,
) -> Result<Hardware> {
    let interconnect = row.text("interconnect").unwrap_or_default();
    let mut hardware = Hardware::of(catalog, name, format)?;
    if let Some(stated) = scale_out(interconnect) {
        hardware.device.links.scale_out = DeviceBandwidth::from_stored(stated);
    }
    let architecture = &hardware.architecture;
    let pod = calibration.generation(architecture).is_some_and(|(_, g)| !g.host_launched);
    let links = &mut hardware.device.links;
    match row.number("devices_per_node")? {
        Some(devices) if !pod => links.domain = devices as u64,
        _ if pod => {
            // A slice is wired as one torus, whatever its size.
            links.domain = links.domain.max(row.count("n_devices")?);
        }
        _ => assumptions.push(format!("scale-up domain of {} devices", links.domain)),
    }
    Ok(hardware)
}

/// Bytes per second and device of a stated network: `RoCE 1600Gbps/node`, `8x200Gb IB`,
/// `400Gb/s RDMA per GPU`.
fn scale_out(interconnect: &str) -> Option<f64> {
    let gigabits = |before: &str| -> Option<f64> {
        let end = interconnect.find(before)?;
        let head = interconnect[..end].trim_end();
        let digits = head.len() - head.chars().rev().take_while(char::is_ascii_digit).count();
        head[digits..].parse().ok()
    };
    let bytes = |gigabits: f64| gigabits / 8.0 * 1e9;
    if let Some(node) = gigabits("Gbps/node") {
        return Some(bytes(node) / 8.0);
    }
    if interconnect.contains("8x") {
        return gigabits("Gb").map(bytes);
    }
    None
}

/// The decimal year of `2024-01-06`, `2025-11` (mid-month) or `2025` (mid-year).
pub(super) fn year(text: &str) -> Option<f64> {
    if let Ok(date) = text.parse::<NaiveDate>() {
        return Some(decimal_year(date));
    }
    let (year, rest) = text.split_at_checked(4)?;
    let year: f64 = year.parse().ok()?;
    // A month where one follows, else the middle of the year: `2025`, `2025-H2`.
    let month: Option<f64> = rest.strip_prefix('-').and_then(|month| month.parse().ok());
    match month {
        Some(month) if (1.0..=12.0).contains(&month) => Some(year + (month - 0.5) / 12.0),
        _ => Some(year + 0.5),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_from_their_descriptions() {
        for (text, bandwidth) in [
            ("RoCE 1600Gbps/node", Some(25e9)),
            ("NVLink8 + 8x200Gb IB (Selene)", Some(25e9)),
            ("NVL72", None),
            ("NVLink8 + 400Gb/s RDMA per GPU", None),
            ("", None),
        ] {
            assert_eq!(scale_out(text), bandwidth, "{text}");
        }
    }

    #[test]
    fn dates_may_lack_their_day() {
        for (text, expected) in
            [("2024-07", 2024.541), ("2024-07-16", 2024.539), ("2025", 2025.5), ("2025-H2", 2025.5)]
        {
            let found = year(text).expect("a date");
            assert!((found - expected).abs() < 0.01, "{text}: {found}");
        }
        assert_eq!(year("soon"), None);
    }
}
