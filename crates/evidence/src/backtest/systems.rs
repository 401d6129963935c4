//! Systems of which parameters, compute and hardware are known and no more: Epoch AI's table of
//! models, in its own columns and names. Predicted are the hours of the training.

use flopcast_core::catalog::{Accelerator, Catalog};
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::quantity::Precision;

use super::score::Scored;
use super::table::Row;

/// Useful FLOP/s / peak that runs of unknown software reached: the median of what is published of
/// language, vision, biology and games alike.
const USUAL_MFU: f64 = 0.33;
/// Half-width of the 80 % interval of ln(measured / predicted): compute and hours of such tables
/// are estimates themselves.
const HALF_WIDTH: f64 = 0.95;

/// The hours of a row beside their prediction.
///
/// # Errors
/// Compute, hours or hardware are missing or unknown.
pub fn score(row: Row<'_>, catalog: &Catalog) -> Result<Scored> {
    let measured = row.required("training_hours")?;
    let names = row.text("hardware").ok_or_else(|| row.error("hardware", "empty"))?;
    // Of several kinds the first did most of the work.
    let first = names.split(',').next().unwrap_or(names);
    let device = accelerator(catalog, first)?;
    let devices = row.count("hardware_quantity")? as f64;
    let format = row.text("numerical_format").unwrap_or_default().to_lowercase();
    let single = matches!(format.as_str(), "fp32" | "tf32");
    let formats = [Precision::Bf16, Precision::Fp16, Precision::Tf32, Precision::Fp32];
    let wide = [Precision::Tf32, Precision::Bf16, Precision::Fp32, Precision::Fp16];
    let order = if single { wide } else { formats };
    let peak = order
        .into_iter()
        .find_map(|it| device.peak(it).ok())
        .ok_or_else(|| row.error("hardware", "no peak is known"))?
        .value;
    let predicted = work(row)? / (devices * peak.value * USUAL_MFU) / 3600.0;
    let domain = row.text("domain").unwrap_or("unknown");
    Ok(Scored {
        id: row.id(),
        figure: "training_hours",
        measured,
        predicted,
        interval: (predicted / HALF_WIDTH.exp(), predicted * HALF_WIDTH.exp()),
        groups: vec![
            ("kind", domain.split(',').next().unwrap_or(domain).to_lowercase()),
            ("accelerator", device.id.clone()),
        ],
    })
}

/// FLOPs of the run itself: of a model made from another, the compute of the table is that of
/// both.
fn work(row: Row<'_>) -> Result<f64> {
    let all = row.required("training_compute_flop")?;
    if row.text("base_model").is_none() {
        return Ok(all);
    }
    if let Some(tuning) = row.number("finetune_compute_flop")?.filter(|flops| *flops > 1e12) {
        return Ok(tuning.min(all));
    }
    // Data of language is counted in tokens.
    let language = row.text("domain").is_some_and(|domain| domain.starts_with("Language"));
    let data = (row.number("parameters")?, row.number("dataset_datapoints")?);
    let (Some(parameters), Some(tokens)) = data else { return Ok(all) };
    if !language {
        return Ok(all);
    }
    let epochs = row.number("epochs")?.unwrap_or(1.0);
    Ok((6.0 * parameters * tokens * epochs).min(all))
}

/// The accelerator that a table of another house means: the catalog's own names first, then the
/// row that shares most words with it.
///
/// # Errors
/// The catalog has none like it.
pub fn accelerator<'a>(catalog: &'a Catalog, name: &str) -> Result<&'a Accelerator> {
    let words = words(name);
    let plain = words.join(" ");
    for known in [name, &plain, &words.join("-")] {
        if let Ok(found) = catalog.accelerator(known) {
            return Ok(found);
        }
    }
    // A word with a digit that is no size of memory names the chip.
    let chip =
        |word: &&String| word.contains(|c: char| c.is_ascii_digit()) && !word.ends_with("gb");
    let shared = |device: &&Accelerator| {
        let parts: Vec<&str> = device.id.split('-').collect();
        let common = parts.iter().filter(|part| words.iter().any(|word| word == *part)).count();
        let named = words.iter().filter(chip).any(|word| parts.contains(&word.as_str()));
        let count = |parts: usize| i64::try_from(parts).unwrap_or(i64::MAX / 4);
        named.then_some(2 * count(common) - count(parts.len()))
    };
    let mut best: Option<(i64, &Accelerator)> = None;
    for device in catalog.accelerators() {
        if let Some(score) = shared(&device)
            && best.is_none_or(|(most, _)| score > most)
        {
            best = Some((score, device));
        }
    }
    best.map(|(_, device)| device).ok_or_else(|| {
        Error::input(format!("the catalog has no accelerator like `{name}`"))
            .hint("add it in a table of your own (`--data-dir`)")
    })
}

/// Words of a name without its vendor: `NVIDIA A100 SXM4 80 GB` is `a100 sxm 80gb`.
fn words(name: &str) -> Vec<String> {
    const VENDORS: [&str; 11] = [
        "nvidia", "tesla", "geforce", "google", "amazon", "aws", "huawei", "amd", "intel",
        "instinct", "quadro",
    ];
    let lower = name.to_lowercase();
    let mut words: Vec<String> = Vec::new();
    for word in lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        if word == "gb" && words.last().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()))
        {
            if let Some(last) = words.last_mut() {
                last.push_str("gb");
            }
        } else if !VENDORS.contains(&word) {
            let plain = if word.starts_with("sxm") { "sxm" } else { word };
            words.push(plain.to_owned());
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_another_house_are_understood() {
        let catalog = Catalog::embedded();
        for (name, id) in [
            ("NVIDIA A100 SXM4 80 GB", "a100-sxm-80gb"),
            ("NVIDIA A100 SXM4 40 GB", "a100-sxm-40gb"),
            ("NVIDIA H100 SXM5 80GB", "h100-sxm"),
            ("NVIDIA H100 PCIe", "h100-pcie"),
            ("NVIDIA Tesla V100 DGXS 32 GB", "v100-sxm2-32gb"),
            ("Google TPU v3", "tpu-v3"),
            ("Amazon Trainium1", "trainium1"),
            ("NVIDIA GeForce RTX 3090", "rtx-3090"),
        ] {
            assert_eq!(accelerator(&catalog, name).map(|it| it.id.as_str()), Ok(id), "{name}");
        }
        assert!(accelerator(&catalog, "a quantum computer").is_err());
    }
}
