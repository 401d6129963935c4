//! Post-training that writes its own answers against published steps: GRPO on OpenMathInstruct-2,
//! NeMo RL 0.4, DGX H100, bf16 (`docs/about/performance-summary.md` of NVIDIA-NeMo/RL at r0.4.0).

use crate::common::library::{Way, answer, resolved};
use crate::common::number;

/// A published step.
struct Step {
    model: &'static str,
    /// Longest sequence, and answers with their prompt on average.
    longest: u32,
    mean: u32,
    samples: u32,
    devices: u32,
    /// Devices of a replica of the engine.
    tensor: u32,
    /// Devices that only write, one step ahead.
    apart: u32,
    seconds: f64,
}

#[rustfmt::skip]
const STEPS: [Step; 8] = [
    Step { model: "llama-3.1-8b", longest: 4096, mean: 1060, samples: 2048, devices: 16, tensor: 1, apart: 0, seconds: 97.7 },
    Step { model: "llama-3.1-8b", longest: 4096, mean: 1129, samples: 2048, devices: 16, tensor: 1, apart: 8, seconds: 74.6 },
    Step { model: "qwen3-235b-a22b", longest: 8192, mean: 5671, samples: 512, devices: 128, tensor: 16, apart: 0, seconds: 506.0 },
    Step { model: "qwen3-235b-a22b", longest: 8192, mean: 5691, samples: 512, devices: 256, tensor: 8, apart: 128, seconds: 241.0 },
    Step { model: "qwen3-30b-a3b", longest: 4096, mean: 3154, samples: 2048, devices: 32, tensor: 4, apart: 0, seconds: 225.0 },
    Step { model: "qwen3-30b-a3b", longest: 4096, mean: 3158, samples: 2048, devices: 32, tensor: 2, apart: 16, seconds: 244.0 },
    Step { model: "qwen3-32b", longest: 4096, mean: 3206, samples: 2048, devices: 32, tensor: 4, apart: 0, seconds: 393.0 },
    Step { model: "qwen3-32b", longest: 4096, mean: 3207, samples: 2048, devices: 64, tensor: 4, apart: 32, seconds: 215.0 },
];

/// Prompts of grade-school mathematics.
const PROMPT: u32 = 150;

/// Predicted / published seconds. Prompts and the spread of answers are not published.
fn error(step: &Step) -> f64 {
    let Step { model, longest, mean, samples, devices, tensor, apart, seconds } = step;
    let answer_mean = mean - PROMPT;
    let p95 = (longest - PROMPT - 1).min(answer_mean * 11 / 5);
    let beside = match apart {
        0 => String::new(),
        apart => format!(", devices: {apart}, asynchronous: true"),
    };
    let text = format!(
        "name: r\nmodel: {model}\ndata: {{tokens: 1B}}\ntraining:\n  recipe: grpo\n  precision: \
         bf16\n  sequence_length: {longest}\n  global_batch: {} tokens\n  hardware: {{accelerator: \
         h100-sxm, count: {devices}}}\n  rl: {{rollout: {{prompt_tokens: {PROMPT}, answer_tokens: \
         {{mean: {answer_mean}, p95: {p95}}}, tensor: {tensor}, group: 32{beside}}}}}\n",
        samples * mean
    );
    let forecast = answer(Way::Estimate, &resolved(&text).expect("a scenario")).expect("fits");
    let pace = number(&forecast, "training.tokens_per_second_per_device");
    f64::from(samples * mean) / (pace * f64::from(*devices)) / seconds
}

/// Seven of eight within a factor of 1.5, and no bias: what the factor beside engine and trainer is
/// for. Without it every step is predicted 1.5 to 2.7 times too short.
#[test]
fn steps_of_grpo_take_what_was_published() {
    let errors: Vec<f64> = STEPS.iter().map(|step| error(step).ln()).collect();
    let within = errors.iter().filter(|error| error.abs() < 1.5_f64.ln()).count();
    let mean = errors.iter().sum::<f64>() / errors.len() as f64;
    assert!(within >= 7 && mean.abs() < 0.1, "{errors:?}");
}
