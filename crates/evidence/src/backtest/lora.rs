//! Published runs with adapters: their layouts are to fit, since they ran, and their memory is
//! compared.

use std::sync::Arc;

use flopcast_core::catalog::{Catalog, Links};
use flopcast_core::diagnostic::{Place, Placed, Result};
use flopcast_core::model::adapt::lora;
use flopcast_core::model::{AttentionCount, Input as ModelInput, Model, spec};
use flopcast_core::provenance::{Basis, Input};
use flopcast_core::quantity::{Measure, Precision, Tokens};
use flopcast_core::training::format::Format;
use flopcast_core::training::parallelism::{Parallelism, Recompute, Zero};
use flopcast_core::training::plan::Prediction;
use flopcast_core::training::predict::predict;
use flopcast_core::training::state::{self, State};

use super::case::year;
use super::score::Scored;
use super::table::Row;

/// The figure of memory: 1 where the layout is said to fit. All of them ran.
pub const FITS: &str = "layout_fits";
/// Rank of the adapters where a row does not say.
const RANK: f64 = 16.0;
/// Bytes of a weight in 4 bits with its scales (arXiv:2305.14314, sec. 3).
const NF4: f64 = 4.127 / 8.0;

/// The verdict of memory of a row in the columns of `docs/backtest.md`.
///
/// # Errors
/// If something is missing or unknown: the row cannot be scored.
pub fn verdict(row: Row<'_>, catalog: &Catalog) -> Result<Vec<Scored>> {
    let named = |column: &str| row.text(column).ok_or_else(|| row.error(column, "empty"));
    let sequence = row.count("seq_len")?;
    let input = ModelInput { sequence: Some(sequence), ..ModelInput::default() };
    let plain = preset(named("model")?, &input)?;
    let rank = row.number("rank")?.unwrap_or(RANK) as u64;
    let adapted = lora(&plain, rank, &[], &std::collections::BTreeMap::new())?;
    let parameters = adapted.parameters();
    let trained = parameters.trainable as f64 / parameters.total as f64;
    let matmul = |model: &Model| {
        let count = AttentionCount::Causal;
        (model.forward(count) + model.backward(count)).matmul.value
    };
    let precision = match Format::parse(named("precision")?)? {
        Format::Half => Precision::Bf16,
        Format::Nvfp4 => Precision::Fp4,
        _ => Precision::Fp8,
    };
    let four = named("kind")? == "qlora";
    let stored = match precision {
        Precision::Fp8 => 1.0,
        Precision::Fp4 => 0.5625,
        _ => 2.0,
    };
    let framework = row.text("framework").unwrap_or_default();
    let formats = state::formats(framework).unwrap_or(&state::MIXED);
    let frozen = if four { NF4 } else { stored };
    let kept = state::recipe(state::optimizer("adamw")?, formats);
    let devices = row.count("n_devices")?;
    let place =
        Place { file: "table".into(), inside: 0, line: 1, column: 1, width: 1, text: "".into() };
    let usual = u64::from(formats.sharded && devices > 1) * 2 + 1;
    let layout = layout(row, devices, usual)?;
    let date = row.text("date").and_then(year).ok_or_else(|| row.error("date", "no date"))?;
    let wanted = Prediction {
        tokens: given("tokens", Tokens::from_stored(1e9)),
        epochs: given("epochs", 1.0),
        accelerator: named("accelerator")?.to_owned(),
        devices,
        precision,
        sequences: row.count("global_batch_seqs")?,
        sequence,
        layout: layout.map(|value| Placed { value, place: place.clone() }),
        devices_place: place,
        state: State { trained, frozen, ..kept },
        recompute_open: true,
        weight_bytes: if four { NF4 } else { 2.0 },
        trained,
        work: matmul(&adapted) / matmul(&plain),
        learned: matmul(&adapted) / matmul(&plain),
        written: 0.0,
        framework: row.text("framework").map(str::to_owned),
        software_epoch: chrono::NaiveDate::from_yo_opt(
            date as i32,
            1 + (date.fract() * 364.0) as u32,
        )
        .unwrap_or_default(),
        stages: Vec::new(),
        network: given("network", Links::of(catalog.accelerator(named("accelerator")?)?).scale_out),
        model: Arc::new(plain),
    };
    let predicted = predict(&wanted, catalog);
    let groups = || {
        let of = |name, column| (name, row.text(column).unwrap_or("unknown").to_owned());
        vec![of("accelerator", "accelerator"), of("source", "group"), of("model", "model")]
    };
    let scored = |figure, measured, predicted, interval| Scored {
        id: row.id(),
        figure,
        measured,
        predicted,
        interval,
        groups: groups(),
    };
    // No layout of the devices that ran is a verdict as well.
    let fits = predicted.as_ref().is_ok_and(|it| it.candidate.memory.fits());
    let verdict = f64::from(u8::from(fits));
    Ok(vec![scored(FITS, 1.0, verdict, (verdict, verdict))])
}

/// The layout that a row states; none where its notes say that nobody knows it.
fn layout(row: Row<'_>, devices: u64, zero: u64) -> Result<Option<Parallelism>> {
    if row.text("notes").is_some_and(|notes| notes.contains("not identified")) {
        return Ok(None);
    }
    let [tensor, pipeline, context] =
        [row.count_or("tp", 1)?, row.count_or("pp", 1)?, row.count_or("cp", 1)?];
    Ok(Some(Parallelism {
        tensor,
        pipeline,
        context,
        chunks: row.count_or("vp", 1)?,
        expert: row.count_or("ep", 1)?,
        data: (devices / (tensor * pipeline * context).max(1)).max(1),
        micro_batch: row.count_or("micro_batch", 1)?,
        zero: Zero::stage(row.count_or("zero_stage", zero)?)?,
        recompute: Recompute::None,
        sequence: true,
    }))
}

/// The preset whose name has the same letters and digits, or that a model of this name is.
fn preset(name: &str, input: &ModelInput) -> Result<Model> {
    let letters =
        |name: &str| name.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "");
    let known = spec::preset_names().find(|known| letters(known) == letters(name));
    spec::from_preset(known.unwrap_or(name), input)
}

/// An input of the row.
fn given<Q: Measure>(name: &str, value: Q) -> Input<Q> {
    Input::new(name, value, Basis::Derived { formula: "of the row".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::super::table::Table;
    use super::*;

    /// Layouts that ran: Llama 2 70B with adapters in the results of `MLPerf` Training v4.0 and v5.0,
    /// and the README of torchtune.
    #[test]
    fn layouts_that_ran_are_said_to_fit() {
        let table = Table::read(
            "id,kind,model,date,seq_len,accelerator,n_devices,precision,global_batch_seqs,micro_batch,tp,pp,cp,rank,framework,tokens_per_s_per_device\n\
             h100,lora,llama2-70b,2024-05,8192,h100-sxm,8,fp8,8,1,4,1,1,16,nemo,2013\n\
             gb200,lora,llama2-70b,2025-05,8192,gb200,8,fp8,8,1,1,1,1,16,nemo,5511\n\
             mi325x,lora,llama2-70b,2025-05,8192,mi325x,8,fp8,8,1,1,1,1,16,nemo,2797\n\
             rtx,lora,llama3-8b,2025-02,2048,rtx-4090,1,bf16,2,2,1,1,1,8,torchtune,3083\n",
        )
        .unwrap();
        for row in table.rows() {
            let scored = verdict(row, &Catalog::embedded()).unwrap();
            assert!(scored[0].figure == FITS && scored[0].predicted > 0.5, "{:?}", scored[0]);
        }
    }
}
