//! Models known by their size alone: what they train at, and what the usual shape costs against the
//! shapes that presets have.

use flopcast::model::sized::ModelSize;
use flopcast::model::spec::{from_preset, preset_names};
use flopcast::model::{AttentionCount, Input, Model};
use flopcast::serving::calibration::Calibration as Serving;
use flopcast::training::calibration::Calibration as Training;
use serde_json::Value;

use crate::common::library::{Way, answer, resolved};
use crate::common::{close, number};

/// A run of a model known by its size, and the device-hours that its FLOPs by 6ND take (Kaplan et
/// al. 2020, arXiv:2001.08361; Hoffmann et al. 2022, arXiv:2203.15556).
#[test]
fn a_size_trains_at_six_n_d() {
    let cases = [
        // 6 x 70e9 x 1e12 / (989.4e12 x 0.4) / 3600
        ("{parameters: 70B}", "1T", "bf16", "h100-sxm", "{mfu: 0.4}", 4.2e23, 294_791.0),
        // 6 x 37e9 x 14.8e12: what a token passes counts (arXiv:2412.19437: 37B of 671B).
        (
            "{parameters: 671B, active: 37B}",
            "14.8T",
            "fp8",
            "h800-sxm",
            "{mfu: 0.2, convention: six_nd}",
            3.2856e24,
            2_305_878.0,
        ),
        ("671B-A37B", "14.8T", "fp8", "h800-sxm", "{mfu: 0.2}", 3.2856e24, 2_305_878.0),
        ("7B", "2T", "bf16", "a100-sxm-80gb", "{mfu: 0.5}", 8.4e22, 149_573.0),
        // Too small for a decoder: nothing but the count is known.
        ("{parameters: 5K}", "1B", "bf16", "h100-sxm", "{mfu: 0.4}", 3e13, 3e13 / 1.424_736e18),
    ];
    for (model, tokens, precision, device, efficiency, six_nd, hours) in cases {
        let text = format!(
            "name: by its size\nmodel: {model}\ndata: {{tokens: {tokens} tokens}}\ntraining:\n  \
             precision: {precision}\n  hardware: {{accelerator: {device}, count: 1024}}\n  \
             efficiency: {efficiency}\n  goodput: 1\n"
        );
        let forecast = forecast(&text);
        close(model, number(&forecast, "training.flops.six_nd"), six_nd, 1e-9);
        close(model, number(&forecast, "training.device_hours"), hours, 1e-5);
        // Attention products come on top.
        assert!(number(&forecast, "training.flops.model") >= six_nd * (1.0 - 1e-9), "{model}");
    }
}

fn forecast(text: &str) -> Value {
    let answer = resolved(text).and_then(|scenario| answer(Way::Estimate, &scenario));
    answer.unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The parameters are exactly those given, and each is multiplied once.
#[test]
fn a_shape_has_the_parameters_that_were_given() {
    let sizes = [1, 999, 100_000, 123_457, 5_000_000, 124_439_808, 1_000_000_007];
    let larger = [7_000_000_000, 13_015_864_320, 70_000_000_000, 405_853_388_800, 1 << 43];
    for total in sizes.into_iter().chain(larger) {
        for active in [total, total - total / 10, total / 2, total / 18, total / 100] {
            let active = active.max(1);
            let model = ModelSize::new(total, active).build(&Input::default());
            let model = model.unwrap_or_else(|error| panic!("{total}, {active}: {error}"));
            let counted = model.parameters();
            assert_eq!((counted.total, counted.active), (total, active));
            let tokens = model.input.sequence.expect("tokens") as f64;
            let products = model.forward(AttentionCount::Causal).matmul.value;
            let ratio = products / (2.0 * active as f64 * tokens);
            assert!(ratio > 0.98, "{total}, {active}: {ratio} of 2N");
            let known = model.extents.cached_elements(1000) > 0;
            assert!(known || active < 100_000, "{total}, {active}: no KV cache");
        }
    }
}

/// Decoders of presets, each shape once, with the size alone beside them: dense, with experts.
fn beside(experts: bool) -> Vec<(&'static str, ModelSize)> {
    let mut seen = Vec::new();
    let mut all = Vec::new();
    for name in preset_names() {
        let Ok(model) = from_preset(name, &Input::default()) else { continue };
        let shape = &model.extents;
        let counted = model.parameters();
        let parts = shape.weights;
        let routed = shape.experts.map_or(0, |it| it.count) * parts.expert;
        let told = parts.mixing + parts.dense + parts.head + parts.embedding + routed;
        let plain = shape.is_transformer()
            && shape.experts.is_some() == experts
            && parts.head > 0
            // Encoders keep no keys, and translate to a decoder of their own.
            && shape.cached_elements(1000) > 0
            && model.input.decoder_sequence.is_none()
            // No tower for images or sound.
            && told as f64 > 0.98 * counted.total as f64
            && counted.total >= 1_000_000_000;
        let key = (shape.layers, shape.hidden, shape.ffn, shape.experts);
        if plain && !seen.contains(&key) {
            seen.push(key);
            all.push((name, ModelSize::new(counted.total, counted.active)));
        }
    }
    all
}

/// |ln| of a figure of the usual shape over that of the preset's own.
fn error(of: &dyn Fn(&str) -> String, (name, size): &(&str, ModelSize), path: &str) -> Option<f64> {
    let ask = |model: &str| {
        let scenario = resolved(&of(model)).ok()?;
        Some(number(&answer(Way::Estimate, &scenario).ok()?, path))
    };
    let sized = format!("{{parameters: {}, active: {}}}", size.total, size.active);
    Some((ask(&sized)? / ask(name)?).ln().abs())
}

fn quantile(mut errors: Vec<f64>, share: f64) -> f64 {
    errors.sort_by(f64::total_cmp);
    errors[((errors.len() - 1) as f64 * share).round() as usize]
}

/// The declared spread of a shape that nobody gave: 80 % of the presets' shapes lie within it.
#[test]
fn the_usual_shape_costs_what_presets_cost_within_its_spread() {
    let train = |model: &str| {
        format!(
            "name: train\nmodel: {model}\ndata: {{tokens: 1T}}\ntraining:\n  precision: bf16\n  \
             global_batch: 4M\n  hardware: {{accelerator: h200-sxm, count: 64}}\n  goodput: 1\n  \
             parallelism: {{tensor: 8, zero: 3}}\n"
        )
    };
    let serve = |model: &str| {
        format!(
            "name: serve\nmodel: {model}\ninference:\n  traffic: {{requests: 1/s, input_tokens: \
             {{mean: 1155}}, output_tokens: {{mean: 211}}}}\n  hardware: {{accelerator: \
             b300-sxm}}\n  precision: bf16\n  parallelism: {{tensor: 8}}\n"
        )
    };
    let (training, serving) = (Training::shipped().expect("it"), Serving::shipped().expect("it"));
    let (mut found, mut wrong) = (Vec::new(), false);
    for (experts, key) in [(false, "assumed_dense"), (true, "assumed_experts")] {
        let presets = beside(experts);
        let of = |ask: &dyn Fn(&str) -> String, path: &str| -> Vec<f64> {
            presets.iter().filter_map(|preset| error(ask, preset, path)).collect()
        };
        let trained = of(&train, "training.tokens_per_second_per_device");
        let served = of(&serve, "inference.replica.max_rate_per_s");
        let answered = of(&serve, "inference.tpot_ms.mean");
        let mut widest: f64 = 0.0;
        let checks = [
            ("training", trained, training.intervals.half_width(key)),
            ("rate", served, serving.intervals.half_width(key)),
            ("tpot", answered, serving.intervals.half_width(key)),
        ];
        for (what, errors, declared) in checks {
            let count = errors.len();
            assert!(count >= 15, "{what}: {count} presets");
            let measured = quantile(errors, 0.8);
            found.push(format!("{key} {what}: {measured:.3} of {count} presets, not {declared}"));
            wrong |= measured > declared;
            widest = widest.max(measured / declared);
        }
        // A spread that is declared too wide says nothing either.
        wrong |= widest < 0.8;
    }
    assert!(!wrong, "{found:#?}");
}

#[test]
fn what_is_known_of_the_shape_stands() {
    let build = |text: &str| -> Model {
        let json: Value = serde_json::from_str(text).expect("JSON");
        let spec = flopcast::model::Spec::from_json(&json).expect(text);
        spec.build(&Input::default()).expect("no file").expect(text)
    };
    let known = build(
        r#"{"parameters": "671B", "active": "37B", "layers": 61, "hidden": 7168, "heads": 128,
            "vocab": "129280", "experts": 256, "top_k": 8}"#,
    );
    let shape = &known.extents;
    assert_eq!((shape.layers, shape.hidden, shape.heads), (61, 7168, 128));
    let experts = shape.experts.expect("experts");
    assert_eq!((experts.count, experts.top_k), (256, 8));
    let said: Vec<&str> = known.assumptions.iter().map(|it| it.what.as_str()).collect();
    assert!(!said.contains(&"model.layers") && said.contains(&"model.kv_heads"), "{said:?}");
    let counted = known.parameters();
    assert_eq!((counted.total, counted.active), (671_000_000_000, 37_000_000_000));
    for (text, part) in [
        (r#"{"parameters": "7B", "layers": 400, "hidden": 8192}"#, "more than the 7B given"),
        (r#"{"parameters": "7B", "experts": 8}"#, "needs `active`"),
        (r#"{"parameters": "7B", "hiden": 4096}"#, "did you mean `hidden`"),
        (r#"{"parameters": "7B", "layers": 0}"#, "above zero"),
        (r#"{"parameters": "47B", "active": "13B", "experts": 8, "top_k": 8}"#, "leave no expert"),
        (r#"{"hidden": 4096}"#, "beside `parameters`"),
    ] {
        let json: Value = serde_json::from_str(text).expect("JSON");
        let model = flopcast::model::Spec::from_json(&json)
            .and_then(|spec| spec.build(&Input::default()).expect("no file"));
        let error = model.err().unwrap_or_else(|| panic!("{text} builds")).to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}
