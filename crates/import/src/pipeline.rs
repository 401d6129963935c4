//! Pipelines of diffusion: how often each component runs for one image or video.

use flopcast_core::diagnostic::Result;
use flopcast_core::model::{Assumption, Input, Model};

use super::joined::joined;

/// A kind of pipeline as it is usually called.
struct Kind {
    /// How its class begins; the first that fits counts.
    class: &'static str,
    /// Steps.
    steps: u64,
    /// Each step runs twice, with the text and without. A denoiser that takes the strength of guidance as
    /// an input runs once.
    guided: bool,
}

/// A kind of pipeline by its class, with its usual steps and guidance.
const fn kind(class: &'static str, steps: u64, guided: bool) -> Kind {
    Kind { class, steps, guided }
}

/// Steps and guidance that pipelines take where the caller says none (defaults of diffusers 0.35.1).
const KINDS: [Kind; 47] = [
    kind("StableDiffusion3", 28, true),
    kind("StableDiffusionXLInstructPix2Pix", 100, true),
    kind("StableDiffusionInstructPix2Pix", 100, true),
    kind("StableDiffusionUpscale", 75, true),
    kind("StableDiffusionLatentUpscale", 75, true),
    kind("StableDiffusion", 50, true),
    kind("StableVideoDiffusion", 25, true),
    kind("StableCascadePrior", 20, true),
    kind("StableCascadeDecoder", 10, false),
    kind("StableAudio", 100, true),
    kind("FluxFill", 50, false),
    kind("Flux", 28, false),
    kind("Chroma", 35, true),
    kind("QwenImage", 50, true),
    kind("PixArt", 20, true),
    kind("SanaSprint", 2, false),
    kind("Sana", 20, true),
    kind("AuraFlow", 50, true),
    kind("Lumina", 30, true),
    kind("HiDream", 50, true),
    kind("HunyuanDiT", 50, true),
    kind("HunyuanSkyreels", 50, true),
    kind("HunyuanVideo", 50, false),
    kind("Wan", 50, true),
    kind("SkyReelsV2", 50, true),
    kind("CogVideoX", 50, true),
    kind("CogView", 50, true),
    kind("LTX", 50, true),
    kind("Mochi", 64, true),
    kind("Allegro", 100, true),
    kind("EasyAnimate", 50, true),
    kind("Latte", 50, true),
    kind("ConsisID", 50, true),
    kind("Cosmos", 35, true),
    kind("AnimateDiff", 50, true),
    kind("I2VGenXL", 50, true),
    kind("TextToVideoSD", 50, true),
    kind("Kandinsky3", 25, true),
    kind("KandinskyV22Prior", 25, true),
    kind("KandinskyPrior", 25, true),
    kind("Kandinsky", 100, true),
    kind("Kolors", 50, true),
    kind("LatentConsistencyModel", 4, false),
    kind("DiT", 50, true),
    kind("DDPM", 1000, false),
    kind("DDIM", 50, false),
    kind("AudioLDM2", 200, true),
];

/// Components that denoise.
const DENOISERS: [&str; 5] = ["transformer", "transformer_2", "unet", "prior", "decoder"];

/// True for a component that runs at every step.
pub(crate) fn denoises(component: &str) -> bool {
    DENOISERS.contains(&component)
}

/// The sum of a pipeline's components, each as often as it runs for one image or video: texts once,
/// the denoiser at every step, twice with guidance, the autoencoder once. In training the components
/// around the denoiser are frozen, and it runs once.
///
/// # Errors
/// If the sum is too large to count.
pub(crate) fn pipeline(
    class: &str,
    mut parts: Vec<(String, Model)>,
    input: &Input,
) -> Result<Model> {
    // What is denoised decides the input.
    parts.sort_by_key(|(name, _)| !denoises(name));
    let known = KINDS.iter().find(|kind| class.starts_with(kind.class));
    let once = input.training;
    let steps = if once { 1 } else { input.steps.or(known.map(|it| it.steps)).unwrap_or(1) };
    let distilled = known.is_some_and(|kind| !kind.guided);
    let guided = !once && !distilled && input.guided.unwrap_or(known.is_some());
    let passes = if guided { 2 } else { 1 };
    // Of two denoisers in turn, each takes a part of the noise: the first the larger half of the steps.
    let split = parts.iter().filter(|(name, _)| name.starts_with("transformer")).count() > 1;
    for (name, part) in &mut parts {
        let share = match name.as_str() {
            "transformer" if split => steps.div_ceil(2),
            "transformer_2" if split => steps / 2,
            _ => steps,
        };
        let times = if denoises(name) {
            share.saturating_mul(passes)
        } else if name.starts_with("text_encoder") {
            passes
        } else {
            1
        };
        for layer in &mut part.layers {
            // Training reads images; nothing is decoded.
            let idle = once && name == "vae" && layer.name.starts_with("decoder.");
            layer.count = if idle { 0 } else { layer.count.saturating_mul(times) };
            layer.trained &= !once || denoises(name);
        }
    }
    let mut model = joined(class, parts)?;
    model.input.steps = Some(steps);
    model.input.guided = Some(guided);
    let usual = format!("the default of {class}");
    let said = |given: bool, flag: &str| match (once, given, known) {
        (true, ..) => "a sample is denoised once in training".to_owned(),
        (_, true, _) => flag.to_owned(),
        (_, _, Some(_)) => format!("{usual}; {flag} says otherwise"),
        (_, _, None) => format!("nobody says how often a {class} runs; {flag} does"),
    };
    let (why_steps, why_guided) =
        (said(input.steps.is_some(), "--steps"), said(input.guided.is_some(), "--guidance"));
    model.assumptions.push(Assumption::of("steps", steps, why_steps));
    model.assumptions.push(Assumption::of("guided", guided, why_guided));
    if !once && known.is_none() && input.steps.is_none() {
        model.warnings.push(format!(
            "how many steps a {class} takes is not known: one is counted; give --steps"
        ));
    }
    Ok(model)
}
