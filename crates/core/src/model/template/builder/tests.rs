use serde_json::{Value as Json, json};

use crate::model::input::{AttentionCount, Input};
use crate::model::spec::from_layers;
use crate::quantity::system::compute::flop;

fn check(layers: &Json, expected: Result<(u64, f64), &str>) {
    let model = from_layers("test", layers, &Input::default());
    let counted = model.map(|model| {
        let forward = model.forward(AttentionCount::Full).matmul.get::<flop>();
        (model.parameters().total, forward)
    });
    match (counted, expected) {
        (Ok((parameters, flops)), Ok((total, forward))) => {
            assert_eq!(parameters, total, "{layers}");
            assert!((flops - forward).abs() < 0.5, "{layers}: {flops} != {forward}");
        }
        (Err(error), Err(part)) => {
            assert!(error.to_string().contains(part), "{layers}: {error}");
        }
        (counted, expected) => panic!("{layers}: {counted:?}, not {expected:?}"),
    }
}

#[test]
fn layer_lists_count_as_their_formulas_say() {
    let conv = json!({"conv2d": {"in": [3, 224, 224], "out_channels": 64, "kernel": 7, "stride": 2, "padding": 3}});
    let macs = 118_013_952.0;
    check(&json!([conv]), Ok((9408, 2.0 * macs)));
    check(
        &json!([conv, "relu", {"global_pool": {}}, "flatten", {"dense": {"out": 10, "bias": true}}]),
        Ok((9408 + 650, 2.0 * (macs + 640.0))),
    );
    let dense = json!({"dense": {"in": 8, "out": 8}});
    check(&json!([{"repeat": 3, "layers": [dense]}]), Ok((192, 384.0)));
    check(
        &json!([{"repeat": "2 + 2", "as": "i", "weights": "i == 0", "layers": [dense]}]),
        Ok((64, 512.0)),
    );
    check(
        &json!([dense, {"residual": [{"dense": {"out": 4}}, {"dense": {"out": 8}}]}]),
        Ok((128, 256.0)),
    );
    check(
        &json!([dense, {"concat": [[], [{"dense": {"out": 4}}]]}, {"dense": {"out": 1}}]),
        Ok((108, 216.0)),
    );
    check(
        &json!([{"scope": "moe", "experts": 8, "top_k": 2, "layers": [dense]}]),
        Ok((512, 256.0)),
    );
    check(
        &json!([{"lstm": {"in": 4, "hidden": 8, "layers": 2, "directions": 2}}]),
        Ok((2 * 4 * 8 * (4 + 8 + 2) + 2 * 4 * 8 * (16 + 8 + 2), 2.0 * 64.0 * 36.0)),
    );
    check(
        &json!({"let": {"width": 6}, "blocks": {"twice": [{"dense": {"in": "width", "out": "2 * width"}}]}, "layers": [{"use": "twice"}, {"use": "twice", "with": {"width": "width + 1"}}]}),
        Ok((72 + 98, 2.0 * 170.0)),
    );
    check(
        &json!([{"input": {"extents": [10], "features": 4}}, {"attention": {"heads": 4, "kv_heads": 2, "head_dim": 3, "causal": true}}]),
        Ok((0, 2.0 * 4.0 * 100.0 * 6.0)),
    );
}

#[test]
fn what_makes_no_sense_is_refused() {
    let cases = [
        (json!([{"dens": {"out": 1}}]), "did you mean `dense`"),
        (json!([{"dense": {"ot": 1}}]), "no setting `ot`"),
        (json!([{"dense": {"out": 1}}]), "needs `in`"),
        (json!([{"dense": {"in": 2}}]), "needs `out`"),
        (json!([{"dense": {"in": 2, "out": "3 / 2"}}]), "1.5, not a whole number"),
        (json!([{"dense": {"in": 2, "out": -2}}]), "-2, not a whole number"),
        (json!([{"dense": {"in": 2, "out": 0}}]), "is 0"),
        (json!([{"dense": {"in": 2, "out": "wide"}}]), "`wide` is missing"),
        (json!([{"conv2d": {"in": [3, 4, 4], "out": 2, "kernel": 7}}]), "larger than its input"),
        (json!([{"conv2d": {"in": 3, "out": 2, "kernel": 7}}]), "needs an input with 2 axes"),
        (json!([{"conv2d": {"in": [3, 4, 4], "out": 2, "groups": 2}}]), "groups"),
        (
            json!([{"dense": {"in": 2, "out": 2}}, {"residual": [{"dense": {"out": 3}}]}]),
            "cannot be added",
        ),
        (
            json!([{"repeat": 1e18, "as": "i", "layers": [{"dense": {"in": "i + 1", "out": 1}}]}]),
            "too many different layers",
        ),
        (
            json!([{"repeat": 1e18, "layers": [{"dense": {"in": 1e9, "out": 1e9}}]}]),
            "too large to count",
        ),
        (json!([{"dense": {"in": 1e18, "out": 1e18}}]), "too large to count"),
        (
            json!([{"scope": "moe", "experts": 2, "top_k": 3, "layers": []}]),
            "3 experts per position out of 2",
        ),
        (json!([{"use": "nothing"}]), "no block `nothing`"),
        (json!({"blocks": {"a": [{"use": "a"}]}, "layers": [{"use": "a"}]}), "nested too deeply"),
        (
            json!({"let": {"a": "b", "b": "a"}, "layers": [{"dense": {"in": "a", "out": 1}}]}),
            "`a` is missing",
        ),
        (json!({"lets": {}, "layers": []}), "unknown field `lets`"),
        (json!([{"attention": {"heads": 3, "kv_heads": 2, "head_dim": 4}}]), "do not share"),
        (json!([7]), "a layer is a section"),
    ];
    for (layers, part) in cases {
        check(&layers, Err(part));
    }
}
