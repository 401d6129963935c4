//! Speed of training predictions: steps per second, and the search for a layout.

use flopcast::catalog::Catalog;
use flopcast::model::Extents;
use flopcast::training::calibration::Calibration;
use flopcast::training::format::Format;
use flopcast::training::layout::{Wish, plan};
use flopcast::training::parallelism::{Batch, Parallelism};
use flopcast::training::platform::{Hardware, Platform, Software};
use flopcast::training::state::ADAMW;
use flopcast::training::step_time::step;

fn main() {
    divan::main();
}

/// Llama 3.1 405B (arXiv:2407.21783).
fn llama() -> Extents {
    Extents {
        layers: 126,
        hidden: 16384,
        heads: 128,
        kv_heads: 8,
        key_dim: 128,
        value_dim: 128,
        ffn: 53248,
        gated: true,
        vocabulary: 128_256,
        parameters: 405_853_388_800,
        ..Extents::default()
    }
}
const BATCH: Batch = Batch { sequences: 2048, length: 8192 };

fn platform() -> Platform {
    let catalog = Catalog::embedded();
    let calibration = Calibration::shipped().expect("embedded");
    let hardware = Hardware::of(&catalog, "h100-sxm", Format::Half).expect("in the catalog");
    let software = Software { overlaps_tensor: true, ..Software::usual(2025.5) };
    Platform::new(&hardware, Format::Half, software, calibration).expect("calibrated")
}

/// At least 200,000 a second.
#[divan::bench]
fn one_step(bencher: divan::Bencher) {
    let platform = platform();
    let layout =
        Parallelism { tensor: 8, pipeline: 16, chunks: 4, data: 128, ..Parallelism::SINGLE };
    let model = llama();
    bencher.bench(|| step(divan::black_box(&model), &layout, BATCH, &platform));
}

/// At most 100 ms.
#[divan::bench]
fn layout_of_16384_devices(bencher: divan::Bencher) {
    let platform = platform();
    let wish = Wish { devices: 16384, batch: BATCH, state: ADAMW, interleave: true, trained: 1.0 };
    let model = llama();
    bencher.bench(|| plan(divan::black_box(&model), wish, &platform).expect("fits"));
}
