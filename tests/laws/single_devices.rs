//! Training on one device that has no link to others, and on dies that no run was measured on.

use crate::common::holds;
use crate::common::library::{Way, answer, resolved};

/// Adapters of a small model on devices of this name.
fn adapted(hardware: &str) -> Result<f64, String> {
    let text = format!(
        "name: a\nmodel: llama-3.2-1b\ndata: {{tokens: 100M}}\ntraining:\n  recipe: lora\n  lora: \
         {{rank: 16}}\n  sequence_length: 1024\n  global_batch: 16k tokens\n  hardware: {{{hardware}}}\n"
    );
    let found = resolved(&text).and_then(|scenario| answer(Way::Estimate, &scenario));
    let found = found.map_err(|error| error.to_string())?;
    found["training"]["device_hours"].as_f64().ok_or_else(|| found.to_string())
}

#[test]
fn one_device_needs_no_link() {
    for device in [
        "M4 Max",
        "M2 Ultra",
        "M3 Ultra",
        "M3 Max",
        "M1 Ultra",
        "jetson-agx-orin-64gb",
        "RTX 3070",
        "RTX 4070 Ti",
        "RTX 4080",
        "RTX 4000 Ada",
    ] {
        let hours = adapted(&format!("accelerator: {device}, count: 1"));
        assert!(hours.as_ref().is_ok_and(|hours| *hours > 1.0), "{device}: {hours:?}");
    }
    let two = adapted("accelerator: M4 Max, count: 2").unwrap_err();
    holds("two", &two, &["does not know the link", "training.hardware.count: 1"]);
    assert!(!two.contains("inference"), "{two}");
    // What leads nowhere is not advised.
    let unknown = adapted("accelerator: xeon-8480").unwrap_err();
    assert!(unknown.contains("mfu: 0.35") && !unknown.contains("count: 1"), "{unknown}");
}
