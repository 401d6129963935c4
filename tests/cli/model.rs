//! `flopcast model` and `flopcast import` as a user meets them.

use crate::common::{close, flopcast, json, number, root, stdout};

/// Lines are at most as wide as a terminal.
fn fits(text: &str) {
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{} columns: {line}", line.chars().count());
    }
}

fn shown(arguments: &[&str]) -> String {
    let text = stdout(arguments);
    fits(&text);
    text
}

#[test]
fn one_model() {
    insta::assert_snapshot!(shown(&["model", "gpt2", "--on", "h100-sxm", "--training"]), @r#"
    GPT-2 124M: forward and backward, batch 1, sequence 1024
      parameters                       124.4M  exactly 124439808
        in embeddings                  39.38M
      weights                        248.9 MB  bf16
      forward FLOPs, matmul       272.3 GFLOP  2 per multiply-accumulate
        causal attention          272.3 GFLOP  what the mask lets through
        full attention            291.6 GFLOP  every query against every key
        as MACs, full              145.8 GMAC  what papers often call FLOPs
      forward FLOPs, elementwise      996.9 M  norms, activations, softmax
      backward FLOPs, matmul          544.7 G  2 x forward
      training FLOPs, matmul            817 G  forward + backward
      forward pass, at least        0.3859 ms  roofline of h100-sxm, bf16

      layers              FLOP  share  params     bytes  FLOP/B   time  bound
      embedding        1.573 M   0.0%  39.38M  6.291 MB       0   0.5%  memory
      attention dense    174 G  21.2%  28.35M  207.7 MB   279.4  16.1%  memory
      attention        58.95 G   7.2%       0   75.5 MB   262.3   5.8%  memory
      mlp dense          348 G  42.5%  56.67M  302.1 MB     384  30.4%  compute
      mlp activation     604 M   0.1%       0    151 MB       2  11.7%  memory
      norm             314.6 M   0.0%  38,400  78.72 MB   1.748   6.1%  memory
      head dense       237.1 G  29.0%       0  181.7 MB   435.1  20.7%  compute
      other residual   37.75 M   0.0%       0  113.2 MB  0.1667   8.8%  memory
      hot spots: lm_head 29.0%, layers.*.mlp.up_proj x12 21.2%,
        layers.*.mlp.down_proj x12 21.2%
      assumed: architecture = GPT-2 124M (Radford et al. 2019)
      assumed: sequence = 1024 (the model's maximum)
    "#);
}

#[test]
fn long_names_fit() {
    shown(&["model", "deepseek-v3", "--layers", "--on", "h100-sxm"]);
    shown(&["model", "swin_t", "--layers", "--on", "h100-sxm", "--training"]);
    shown(&["model", "deepseek-v3", "--compress", "quantization=fp8", "--on", "h200-sxm"]);
}

#[test]
fn every_layer() {
    insta::assert_snapshot!(shown(&["model", "tests/data/config/config.json", "--layers"]), @r#"
    config.json: forward, batch 1, sequence 128
      parameters                      202,048  exactly 202048
        in embeddings                  64,000
      weights                        404.1 KB  bf16
      forward FLOPs, matmul       39.49 MFLOP  2 per multiply-accumulate
        causal attention          39.49 MFLOP  what the mask lets through
        full attention            43.65 MFLOP  every query against every key
        as MACs, full              21.82 MMAC  what papers often call FLOPs
      forward FLOPs, elementwise      830.5 k  norms, activations, softmax

      layers                                   FLOP  share  params     bytes  FLOP/B
      embed_tokens                                0   0.0%  64,000  32.77 KB       0
      layers.*.input_layernorm x2           65.54 k   0.2%     128  65.79 KB  0.9961
      layers.*.self_attn.q_proj x2          2.097 M   5.2%   8,192  81.92 KB    25.6
      layers.*.self_attn.rotary x2          49.15 k   0.1%       0  65.54 KB    0.75
      layers.*.self_attn.k_proj x2          1.049 M   2.6%   4,096  57.34 KB   18.29
      layers.*.self_attn.rotary x2          24.58 k   0.1%       0  32.77 KB    0.75
      layers.*.self_attn.v_proj x2          1.049 M   2.6%   4,096  57.34 KB   18.29
      layers.*.self_attn.attention x2       4.623 M  11.5%       0   98.3 KB   47.03
      layers.*.self_attn.o_proj x2          2.097 M   5.2%   8,192  81.92 KB    25.6
      layers.*.add x4                       32.77 k   0.1%       0  196.6 KB  0.1667
      …yers.*.pre_feedforward_layernorm x2  65.54 k   0.2%     128  65.79 KB  0.9961
      layers.*.mlp.gate_proj x2             4.194 M  10.4%  16,384  131.1 KB      32
      layers.*.mlp.up_proj x2               4.194 M  10.4%  16,384  131.1 KB      32
      layers.*.mlp.activation x2            131.1 k   0.3%       0  131.1 KB       1
      layers.*.mlp.multiply x2              32.77 k   0.1%       0  196.6 KB  0.1667
      layers.*.mlp.down_proj x2             4.194 M  10.4%  16,384  131.1 KB      32
      norm                                  32.77 k   0.1%      64   32.9 KB  0.9961
      lm_head                               16.38 M  40.6%  64,000  400.4 KB   40.92
      assumed: sequence = 128 (the model's maximum)
    "#);
}

#[test]
fn side_by_side() {
    insta::assert_snapshot!(shown(&["model", "gpt2", "mixtral-8x7b", "--on", "h100-sxm"]), @r#"
    model         parameters  active    FLOPs     MACs   weights  forward >=
    GPT-2 124M        124.4M  124.4M  272.3 G  136.2 G  248.9 MB   0.3859 ms
    Mixtral 8x7B       46.7B  12.88B  53.32 T  26.66 T  93.41 GB    61.68 ms

    forward pass of batch 1; FLOPs of the matmul class, 2 per MAC; weights in bf16
    "#);
}

#[test]
fn before_and_after() {
    let arguments = ["model", "llama-3-8b", "--on", "h100-sxm", "--compress", "quantization=fp8"];
    insta::assert_snapshot!(
        shown(&[&arguments[..], &["--compress", "pruning.mlp=2:4"]].concat()), @r#"
    Llama 3 8B: pruning 2:4 of mlp, quantization fp8; batch 1, sequence 2048 from
    bf16, on h100-sxm
                                   before        after  change
      parameters kept               8.03B       5.212B  -35.1%
      weights                    16.06 GB     6.967 GB  -56.6%
      forward FLOPs, matmul   31.84 TFLOP  20.29 TFLOP  -36.3%
      KV cache of one token      131.1 KB     131.1 KB    same
      bytes moved                 43.8 GB     29.34 GB  -33.0%
      forward pass, at least     37.01 ms     16.73 ms  -54.8%

      layers               FLOP    after   weights     after        time       after
      embedding               0        0  1.051 GB  1.051 GB  0.01002 ms  0.01002 ms
      attention dense   5.498 T  5.498 T  2.684 GB  1.342 GB    5.556 ms    2.778 ms
      attention rotary  1.007 G  1.007 G       0 B       0 B   0.4006 ms   0.4006 ms
      attention         1.113 T  1.113 T       0 B       0 B    1.112 ms    1.112 ms
      mlp dense         23.09 T  11.54 T  11.27 GB  3.523 GB    23.34 ms    5.834 ms
      mlp activation    3.758 G  3.758 G       0 B       0 B    1.122 ms    1.122 ms
      mlp gate          939.5 M  939.5 M       0 B       0 B    1.683 ms    1.683 ms
      norm              2.181 G  2.181 G  532.5 KB  532.5 KB   0.6512 ms   0.6512 ms
      head dense        2.152 T  2.152 T  1.051 GB  1.051 GB    2.175 ms    2.175 ms
      other residual    536.9 M  536.9 M       0 B       0 B   0.9616 ms   0.9616 ms
      most of the saved time: layers.*.mlp.gate_proj 28.8%, layers.*.mlp.up_proj
        28.8%, layers.*.mlp.down_proj 28.8%
      what this costs in quality is not forecast
    "#
    );
}

#[test]
fn from_a_teacher() {
    let arguments = ["model", "llama-3-8b", "--compress", "distillation=llama-3-70b"];
    insta::assert_snapshot!(shown(&arguments), @r#"
    Llama 3 8B learns from Llama 3 70B; batch 1, sequence 2048 from bf16
                                  before        after  change
      parameters kept             70.55B        8.03B  -88.6%
      weights                   141.1 GB     16.06 GB  -88.6%
      forward FLOPs, matmul  290.2 TFLOP  31.84 TFLOP  -89.0%
      KV cache of one token     327.7 KB     131.1 KB  -60.0%
      bytes moved               278.6 GB      43.8 GB  -84.3%

      layers               FLOP    after   weights     after
      embedding               0        0  2.101 GB  1.051 GB
      attention dense   49.48 T  5.498 T  24.16 GB  2.684 GB
      attention rotary   4.53 G  1.007 G       0 B       0 B
      attention         5.565 T  1.113 T       0 B       0 B
      mlp dense         230.9 T  23.09 T  112.7 GB  11.27 GB
      mlp activation    18.79 G  3.758 G       0 B       0 B
      mlp gate          4.698 G  939.5 M       0 B       0 B
      norm               10.8 G  2.181 G  2.638 MB  532.5 KB
      head dense        4.304 T  2.152 T  2.101 GB  1.051 GB
      other residual    2.684 G  536.9 M       0 B       0 B
      training on this input: 385.7 TFLOP = 290.2 TFLOP forward of the teacher +
        95.52 TFLOP forward and backward of the student
    "#);
}

#[test]
fn a_score_and_its_front() {
    let models = ["vit_b_16", "vit_l_16", "convnext_tiny", "convnext_base", "convnext_large"];
    let arguments = [&["model"], &models[..], &["--metric", "torchvision"]].concat();
    insta::assert_snapshot!(shown(&arguments), @r#"
    model           parameters    FLOPs     MACs   weights   top1  front
    ViT-B/16            86.57M  35.13 G  17.56 G  173.1 MB  81.07
    ViT-L/16            304.3M  123.1 G  61.55 G  608.7 MB  79.66
    ConvNeXt tiny       28.59M  8.911 G  4.456 G  57.18 MB  82.52      *
    ConvNeXt base       88.59M  30.71 G  15.35 G  177.2 MB  84.06      *
    ConvNeXt large      197.8M  68.72 G  34.36 G  395.5 MB  84.41      *

    forward pass of batch 1; FLOPs of the matmul class, 2 per MAC; weights in bf16

      top1 (* on the Pareto front)
        84.41 |                                                 * convnext_large
              |                               * convnext_base
              |
              |
              |  * convnext_tiny
              |
              |                                  o vit_b_16
              |
              |
        79.66 |                                                      vit_l_16 o
              +------------------------------------------------------------------
               8.911 GFLOP           forward FLOPs, matmul            123.1 GFLOP
    "#);
}

/// Every model of the shipped table, at every cost.
#[test]
fn torchvision_out_of_the_box() {
    let against = |cost: &[&str]| {
        let arguments = [&["model", "--metric", "torchvision", "--format", "json"], cost].concat();
        json(&arguments)
    };
    let by_flops = against(&[]);
    let rows = by_flops.as_array().expect("an array");
    assert!(rows.len() >= 20, "{}", rows.len());
    for (name, on_front) in [("ConvNeXt tiny", false), ("ViT-B/16", false), ("VGG-19", false)] {
        let row = rows.iter().find(|row| row["name"] == name);
        let row = row.unwrap_or_else(|| panic!("no {name}"));
        assert_eq!(row["metric"]["pareto_front"], on_front, "{name}");
    }
    for cost in [&["--against", "parameters"][..], &["--against", "time", "--on", "a100-sxm-80gb"]]
    {
        let front = against(cost);
        let on = front.as_array().expect("an array").iter();
        let on = on.filter(|row| row["metric"]["pareto_front"] == true).count();
        assert!((2..rows.len()).contains(&on), "{cost:?}: {on}");
    }
}

/// The keys that DESIGN promises, and what compression does to them.
#[test]
fn json_keys() {
    let model = json(&["model", "gpt2", "--format", "json", "--training"]);
    assert_eq!(model["schema"], "flopcast.model/1");
    close("parameters", number(&model, "parameters.total"), 124_439_808.0, 0.0);
    let forward = number(&model, "forward.flops.matmul");
    close("MACs", number(&model, "forward.macs"), forward / 2.0, 1e-12);
    let operators = model["operators"].as_array().expect("operators");
    for key in ["name", "kind", "count", "parameters", "weight_bytes", "activation_bytes"] {
        assert!(operators.iter().all(|operator| !operator[key].is_null()), "{key}");
    }
    let sum = |key: &str| -> f64 {
        operators.iter().map(|operator| number(operator, &format!("{key}.matmul"))).sum()
    };
    close("the operators' forward", sum("forward_flops"), forward, 1e-12);
    let backward = number(&model, "backward.flops.matmul");
    close("the operators' backward", sum("backward_flops"), backward, 1e-12);

    let arguments = ["model", "gpt2", "--format", "json", "--on", "h100-sxm"];
    let int8 = json(&[&arguments[..], &["--compress", "quantization=int8"]].concat());
    assert_eq!(int8["schema"], "flopcast.compression/1");
    close(
        "FLOPs stay",
        number(&int8, "after.forward_flops.total"),
        number(&int8, "before.forward_flops.total"),
        1e-12,
    );
    assert!(number(&int8, "after.forward_time_s") < number(&int8, "before.forward_time_s"));
}

/// What is imported counts as its source does.
#[test]
fn imports_read_back() {
    let folder = env!("CARGO_TARGET_TMPDIR");
    let cases = [
        ("tests/data/config/config.json", ""),
        ("tests/data/onnx/lstm_2x512.onnx", ""),
        ("tests/data/onnx/vit_b_16-dynN.onnx", "N=2"),
        ("tests/data/onnx/resnet18-dynNHW.onnx", "N=1,H=224,W=224"),
        ("tests/data/onnx/mobilenet_v2-dynamo-dynN.onnx", "N=1"),
    ];
    for (spec, bind) in cases {
        let name = spec.rsplit('/').next().unwrap_or_default();
        let file = format!("{folder}/{name}.yaml");
        let bound = ["--bind", bind];
        let bound = if bind.is_empty() { &[][..] } else { &bound[..] };
        let written = flopcast(&[&["import", spec, "-o", &file, "--force"], bound].concat());
        assert!(written.status.success(), "{spec}: {}", String::from_utf8_lossy(&written.stderr));
        let count = ["--format", "json", "--training"];
        let source = json(&[&["model", spec], &count[..], bound].concat());
        let back = json(&[&["model", &file], &count[..]].concat());
        assert_eq!(source["parameters"], back["parameters"], "{spec}");
        assert_eq!(source["unresolved"], back["unresolved"], "{spec}");
        for path in ["forward.flops.matmul", "forward.flops.elementwise", "backward.flops.matmul"] {
            close(&format!("{spec} {path}"), number(&back, path), number(&source, path), 1e-12);
        }
    }
}

/// The compress section reaches the fleet: fewer bytes, fewer devices, and a word of warning.
#[test]
fn a_scenario_serves_what_is_left() {
    let scenario = "scenarios/llama-3-70b-serving.yaml";
    let served = |compress: &str| {
        let arguments = ["estimate", scenario, "--format", "json"];
        // Without an SLO a replica is the fewest devices that hold the model.
        let sets = ["--set", "inference.precision=bf16", "--set", "inference.slo={}", "--set"];
        json(&[&arguments[..], &sets, &[compress]].concat())
    };
    let plain = served("compress.quantization={}");
    let devices = |estimate: &serde_json::Value| number(estimate, "inference.replica.devices");
    let per_query = |estimate: &serde_json::Value| number(estimate, "inference.per_query.flops");
    close("in bf16", devices(&plain), 4.0, 0.0);
    let int4 = served("compress.quantization=int4");
    close("in int4", devices(&int4), 1.0, 0.0);
    close("FLOPs of a query stay", per_query(&int4), per_query(&plain), 1e-12);
    let sparse = served("compress.pruning=2:4");
    assert!(per_query(&sparse) < 0.6 * per_query(&plain));
    let warnings = sparse["warnings"].to_string();
    assert!(warnings.contains("pruning 2:4"), "{warnings}");
    let refused = flopcast(&["estimate", scenario, "--set", "compress.distillation=llama-3-8b"]);
    assert_eq!(refused.status.code(), Some(2));
    let message = String::from_utf8_lossy(&refused.stderr);
    assert!(message.contains("recipe: distill"), "{message}");
}

/// The plot as a picture: written whole, and never over another unasked.
#[test]
fn the_plot_is_a_picture() {
    let file = format!("{}/front.svg", env!("CARGO_TARGET_TMPDIR"));
    let arguments = ["model", "resnet50", "vit_b_16", "--metric", "torchvision", "--svg", &file];
    stdout(&[&arguments[..], &["--force"]].concat());
    let svg = std::fs::read_to_string(&file).expect("a picture");
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    assert_eq!(svg.matches("<circle").count(), 2);
    assert_eq!(flopcast(&arguments).status.code(), Some(2));
}

/// Every command of docs/model.md runs, its output as wide as a terminal.
#[test]
fn the_page_tells_the_truth() {
    let page = std::fs::read_to_string(root().join("docs/model.md")).expect("the page");
    let commands: Vec<&str> =
        page.lines().filter_map(|line| line.strip_prefix("flopcast ")).collect();
    assert!(commands.len() > 20, "{}", commands.len());
    for command in commands {
        let folder = env!("CARGO_TARGET_TMPDIR");
        let arguments: Vec<String> = command
            .split(' ')
            .flat_map(|word| match word {
                "model.yaml" | "front.svg" => {
                    vec![format!("{folder}/page-{word}"), "--force".into()]
                }
                "--force" => Vec::new(),
                word => vec![word.to_owned()],
            })
            .collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let text = stdout(&arguments);
        if !command.contains("--format") {
            fits(&text);
        }
    }
}
