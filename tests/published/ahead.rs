//! Layers that predict tokens further ahead (MTP): they train in pre-training, and draft in a service
//! (DeepSeek-V3, arXiv:2412.19437, sections 2.2 and 5.4.3).

use flopcast::model::{AttentionCount, Input, spec};
use flopcast::quantity::Measure;

use crate::common::{json, number, refused, written};

fn scenario(name: &str, more: &str) -> String {
    let text = format!(
        "flopcast: 1\nname: {name}\nmodel: deepseek-v3\ndata: {{tokens: 14.8T}}\ntraining:\n  \
         precision: fp8\n  sequence_length: 4096\n  hardware: {{accelerator: h800-sxm, count: \
         2048}}\n{more}"
    );
    written("ahead", &format!("{name}.yaml"), text)
}

/// One layer of 61 with a projection of twice its width, and the head once more: forward and backward.
#[test]
fn they_train_in_pre_training() {
    let flops = |more: &str| {
        let value = json(&["estimate", &scenario("train", more), "--format", "json"]);
        ["six_nd", "model"].map(|count| number(&value, &format!("training.flops.{count}")))
    };
    let [six_nd, with] = flops("");
    let [same, without] = flops("  mtp: false\n");
    assert!((six_nd / same - 1.0).abs() < 1e-12, "6ND counts the model alone");
    let input = Input { sequence: Some(4096), ..Input::default() };
    let model = spec::from_preset("deepseek-v3", &input).expect("a preset");
    let forward: f64 =
        model.ahead.iter().map(|it| it.forward(AttentionCount::Causal).matmul.stored()).sum();
    let more = (with - without) / 14.8e12 * 4096.0;
    assert!((more / (3.0 * forward) - 1.0).abs() < 1e-3, "{more} {forward}");
    // A sparse layer visits 8 + 1 experts of 3 x 7168 x 2048, the projection has 2 x 7168^2, the head
    // 7168 x 129280.
    let visited = 9.0 * 3.0 * 7168.0 * 2048.0 + 2.0 * 7168.0 * 7168.0 + 7168.0 * 129_280.0;
    assert!(forward > 2.0 * 4096.0 * visited && forward < 2.6 * 4096.0 * visited, "{forward}");
    let tuned = flops("  recipe: finetune\n")[1];
    assert!((tuned / without - 1.0).abs() < 1e-12, "{tuned} {without}");
}

/// The second token is accepted 85 to 90 % of the time and makes decoding 1.8 times as fast.
#[test]
fn they_draft_for_a_service() {
    let service = |more: &str| {
        let text = format!(
            "flopcast: 1\nname: ahead\nmodel: deepseek-v3\ninference:\n  placement: {{purchase: \
             {{price: 2 USD/device-h}}, region: USA}}\n  traffic: {{requests: 1/min, input_tokens: \
             {{mean: 2000}}, output_tokens: {{mean: 500}}}}\n  hardware: {{accelerator: \
             h200-sxm}}\n  precision: fp8\n  parallelism: {{tensor: 8}}\n{more}"
        );
        let path = written("ahead", "serve.yaml", text);
        let value = json(&["estimate", &path, "--format", "json"]);
        number(&value, "inference.tpot_ms.mean")
    };
    let (plain, drafted) =
        (service(""), service("  speculative: {draft: mtp, tokens: 1, acceptance: 85 %}\n"));
    let faster = plain / drafted;
    assert!(faster > 1.4 && faster < 1.85, "{faster}");
    let path = scenario("none", "  mtp: true\n");
    let error = refused(&["estimate", &path, "--set", "model=llama-3-8b"], 2);
    assert!(error.contains("no MTP layers"), "{error}");
}
