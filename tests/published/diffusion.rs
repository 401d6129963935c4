//! Pipelines of diffusion: what an image takes, by arithmetic from their components and against
//! published latencies.

use flopcast::model::{AttentionCount, Input, Model, spec};
use flopcast::quantity::Measure;

use crate::common::{json, number, refused, written};

fn pipeline(name: &str, steps: u64, guided: bool) -> Model {
    let input = Input { steps: Some(steps), guided: Some(guided), ..Input::default() };
    spec::from_preset(name, &input).expect("a pipeline")
}

fn flops(model: &Model) -> f64 {
    model.forward(AttentionCount::Full).matmul.stored()
}

/// Texts once, the denoiser at every step, the autoencoder once; guidance doubles the first two
/// (Ho & Salimans 2022, arXiv:2207.12598).
#[test]
fn an_image_takes_its_steps() {
    let of = |steps, guided| flops(&pipeline("sdxl", steps, guided));
    let step = of(2, false) - of(1, false);
    let (plain, guided) = (of(30, false), of(30, true));
    assert!((plain - of(1, false) - 29.0 * step).abs() < 1e-6 * plain);
    let texts = guided - plain - 30.0 * step;
    assert!(texts > 0.0 && texts < 0.1 * step, "{texts}");
    // The denoiser of FLUX.1 takes the strength of guidance as an input.
    let [with, without] = [true, false].map(|guided| flops(&pipeline("flux.1-dev", 8, guided)));
    assert!((with / without - 1.0).abs() < 1e-12, "{with} {without}");
    let parameters = |steps| pipeline("sdxl", steps, true).parameters().total;
    assert_eq!(parameters(1), parameters(50));
}

/// A training sample passes a frozen encoder of images and texts, and the denoiser once.
#[test]
fn a_sample_is_denoised_once_in_training() {
    let input = Input { training: true, ..Input::default() };
    let model = spec::from_preset("sdxl", &input).expect("a pipeline");
    let of = |part: &str| {
        let layers = model.layers.iter().filter(|layer| layer.name.contains(part));
        let pass = |layer: &flopcast::model::Layer| {
            let forward = layer.forward(AttentionCount::Full).matmul.stored();
            (forward, layer.backward(AttentionCount::Full).matmul.stored())
        };
        layers.map(pass).fold((0.0, 0.0), |sum, it| (sum.0 + it.0, sum.1 + it.1))
    };
    let (forward, backward) = of("denoiser");
    assert!((backward / forward - 2.0).abs() < 0.02, "{}", backward / forward);
    assert!(of("text_encoders").1 == 0.0);
    let (encoded, learned) = of("vae.encoder");
    assert!(encoded > 0.0 && learned == 0.0 && of("vae.decoder").0 == 0.0);
    // 2,567,463,684 parameters of the UNet (diffusers 0.42 on the meta device).
    assert_eq!(model.parameters().trainable, 2_567_463_684);
}

fn latency(accelerator: &str) -> f64 {
    let text = format!(
        "flopcast: 1\nname: sdxl\nmodel: sdxl\ninference:\n  placement: {{purchase: {{price: 2 \
         USD/device-h}}, region: USA}}\n  traffic: {{requests: 1/day, steps: 30, guidance: 5}}\n  \
         hardware: {{accelerator: {accelerator}}}\n  precision: fp16\n"
    );
    let path = written("diffusion", &format!("{accelerator}.yaml"), text);
    number(&json(&["estimate", &path, "--format", "json"]), "inference.e2e_ms.mean")
}

/// An image of 1024 x 1024 by SDXL base 1.0 in 30 guided steps, in ms: with `TensorRT`, and as PyTorch
/// runs it (stabilityai/stable-diffusion-xl-1.0-tensorrt, README). Networks are compiled here, and
/// 80 % of their speeds lie within a factor of e^0.292 (`hardware/kernel-calibration.yaml`).
#[test]
fn an_image_takes_the_published_time() {
    for (accelerator, tensorrt, eager) in
        [("h100-sxm", 1471.0, 2496.0), ("a100-sxm-80gb", 2742.0, 3704.0)]
    {
        let predicted = latency(accelerator);
        let error = f64::ln(predicted / tensorrt);
        assert!(error.abs() < 0.292, "{accelerator}: {predicted} ms, not {tensorrt}");
        assert!(predicted < eager, "{accelerator}: {predicted} ms, eager takes {eager}");
    }
}

#[test]
fn what_is_no_pipeline_has_no_steps() {
    let error = refused(&["model", "llama-3-8b", "--steps", "3"], 2);
    assert!(error.contains("has no use for steps"), "{error}");
}
