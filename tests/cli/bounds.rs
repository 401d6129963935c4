//! What a hostile or a careless input cannot do: the findings of an attack, turned round.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{holds, refused, scratch, stdout, written};

const RUN: &str = "scenarios/gpt3-175b.yaml";

/// The shipped run with one key set must be refused with a message that holds every part.
fn set(assignment: &str, parts: &[&str]) {
    holds(assignment, &refused(&["estimate", RUN, "--set", assignment], 2), parts);
}

#[test]
fn numbers_that_cannot_be_are_refused_with_their_place() {
    let zero = [
        "training.goodput=0",
        "data.tokens=0",
        "data.epochs=0",
        "functional_unit=0 requests",
        "placement.embodied={lifetime: 0 years}",
        "placement.embodied={utilisation: 0}",
        "training.reliability={checkpoint_interval: 0 s}",
        "training.hardware.power=0 W",
        "training.efficiency={step_time: 0 s}",
        "training.efficiency={device_hours: 0 device-h}",
        "training.efficiency={tokens_per_second_per_device: 0}",
    ];
    for assignment in zero {
        set(assignment, &["is not above zero", "--set", "^"]);
    }
    let negative = [
        "data.epochs=-1",
        "training.experiments=-0.5",
        "training.costs={staff: {fte: -5, cost: 350k USD/year}}",
        "training.costs={checkpoints: {keep: -20, size: 1 TB}}",
        "training.costs={storage: {data: -1 TB}}",
        "inference.max_batch=-1",
        "training.reliability={failures_per_1000_devices_day: -0.5}",
    ];
    let shipped = "scenarios/distill-llama-3-8b.yaml";
    let batch = ["estimate", shipped, "--set", "training.global_batch=18446744073709551616"];
    holds("batch", &refused(&batch, 2), &["sequences is none", "--set", "^"]);
    for assignment in negative {
        set(assignment, &["cannot be negative", "--set", "^"]);
    }
    for assignment in ["finance.price_change=-150 %/year", "inference.traffic.growth=-200 %/year"] {
        set(assignment, &["less than 100 % a year", "--set"]);
    }
    set("inference.traffic.growth=1e9 %/year", &["hundredfold a year"]);
    set("data.tokens=1e30", &["more than there is"]);
    let many = "training={precision: bf16, hardware: {accelerator: h100-sxm, count: 1e18}}";
    set(many, &["devices is none", "a thousand million"]);
    set("training.costs={storage: {data: 1 TB, retention: 1e9 years}}", &["100 years"]);
    set("finance.horizon=1000 years", &["years"]);
}

/// 300e9 tokens of GPT-3 are 3.1e23 FLOPs, 3 million V100-hours at 28 % of the peak of 125 TFLOP/s.
#[test]
fn a_pace_that_no_device_has_is_said() {
    for (hours, said) in [("200000", true), ("3100000", false)] {
        let pace = format!("training.efficiency={{device_hours: {hours}}}");
        let screen = stdout(&["estimate", RUN, "--set", &pace]);
        assert_eq!(screen.contains("is impossible"), said, "{screen}");
    }
}

/// 2 bytes of a weight, 4 of a gradient, 12 of master copy and moments: GPT-3 takes 3.14 TB, and no given
/// MFU makes them fit on 64 devices of 32 GiB.
#[test]
fn a_given_pace_does_not_make_room() {
    let few = ["estimate", RUN, "--full", "--set", "training.hardware.count=64"];
    let spoken = stdout(&few).split_whitespace().collect::<Vec<_>>().join(" ");
    holds("few", &spoken, &["GPT-3 175B does not fit", "at least 92 devices", "training.offload"]);
    let offloaded = few.into_iter().chain(["--set", "training.offload=weights"]);
    assert!(!stdout(&offloaded.collect::<Vec<_>>()).contains("does not fit"));
}

#[test]
fn a_run_of_more_than_a_century_is_refused() {
    let set = |assignment: &str| {
        let message = refused(&["estimate", RUN, "--set", assignment], 2);
        holds(assignment, &message, &["years; at most 100 are forecast", "hint"]);
    };
    set("training.goodput=1e-9");
    set("data.tokens=3e11T");
    set("training.efficiency={tokens_per_second_per_device: 1e-6}");
}

const KNOWN_BY_SIZE: &str = "\
name: kv
model: {parameters: 7B}
inference:
  placement: {purchase: {price: 2 USD/device-h}, region: CHN}
  traffic: {requests: 2M/day, input_tokens: {mean: 500}, output_tokens: {mean: 50}}
  hardware: {accelerator: h100-sxm}
  precision: bf16
";

#[test]
fn no_figure_is_without_end_or_a_part_of_nothing() {
    let by_size = written("bounds", "kv.yaml", KNOWN_BY_SIZE);
    let cases: [&[&str]; 2] =
        [&["estimate", &by_size], &["estimate", RUN, "--set", "inference.traffic.requests=0/s"]];
    for case in cases {
        for format in ["table", "json", "csv", "markdown"] {
            let text = stdout(&[case, &["--full", "--format", format]].concat());
            let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
            for word in words {
                let wrong = ["inf", "-inf", "nan", "unknownt"].contains(&&*word.to_lowercase());
                assert!(!wrong, "{case:?} {format}: {word}");
            }
            if format != "csv" {
                holds(&format!("{case:?} {format}"), &text, &["unknown: "]);
            }
        }
    }
}

/// A project below a folder: scenarios that name files, each with what the message must hold.
fn project(name: &str, repository: bool) -> PathBuf {
    let folder = scratch(name);
    fs::create_dir_all(folder.join("plans")).expect("a folder");
    // The scratch folder is inside this repository: mark the project, or the outside of it.
    let git = if repository { folder.join(".git") } else { folder.join("plans/.git") };
    fs::create_dir_all(git).expect("a folder");
    folder
}

fn plan(folder: &Path, text: &str) -> String {
    let path = folder.join("plans/plan.yaml");
    fs::write(&path, format!("name: x\n{text}\n")).expect("a scenario");
    path.display().to_string()
}

#[test]
fn a_scenario_names_files_of_its_project_alone() {
    let folder = project("bounds-paths", false);
    fs::write(folder.join("secret"), "KEY=SECRET123\n").expect("a file");
    fs::write(folder.join("base.yaml"), "model: gpt2\n").expect("a file");
    fs::write(folder.join("plans/.git/config.yaml"), "token: SECRET123\n").expect("a file");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("../secret", folder.join("plans/link")).expect("a link");
        std::os::unix::fs::symlink("..", folder.join("plans/up")).expect("a link");
    }
    let outside = format!("extends: {}", folder.join("secret").display());
    let texts = [
        "extends: /proc/self/environ\nmodel: gpt2",
        &outside,
        "extends: ../secret",
        "extends: ../base.yaml",
        "extends: ../missing",
        "extends: link",
        "extends: up/base.yaml",
        "extends: up/plans/../secret",
        "model: {file: /etc/shadow}",
        "model: {hf_config: ../secret}",
        "model: {onnx: ../../../../../../../etc/passwd}",
        "extends: .git/config.yaml",
        "model: gpt2\ninference: {traffic: {trace: ../secret}, hardware: {accelerator: h100-sxm}, precision: bf16}",
    ];
    for text in texts {
        let message = refused(&["validate", &plan(&folder, text)], 2);
        assert!(!message.contains("SECRET") && !message.contains("root:"), "{text}: {message}");
        let told = message.contains("outside the project") || message.contains("inside .git");
        assert!(told, "{text}: {message}");
    }
    // What the user allows, or has in one repository, is read.
    let allowed = plan(&folder, "extends: ../base.yaml");
    stdout(&["validate", &allowed, "--allow-path", &folder.display().to_string()]);
    fs::remove_dir_all(folder.join("plans/.git")).expect("a folder");
    fs::create_dir_all(folder.join(".git")).expect("a folder");
    stdout(&["validate", &allowed]);
}

#[test]
fn files_that_are_no_documents_tell_nothing() {
    let folder = project("bounds-lines", true);
    fs::write(folder.join("plans/keys"), "AWS SECRET123: [\n").expect("a file");
    fs::write(folder.join("plans/words.yaml"), "just words\n").expect("a file");
    for text in ["extends: keys", "model: {file: keys}", "model: {hf_config: keys}"] {
        let message = refused(&["validate", &plan(&folder, text)], 2);
        assert!(!message.contains("SECRET123"), "{text}: {message}");
    }
    let message = refused(&["validate", &plan(&folder, "extends: words.yaml\nmodel: gpt2")], 2);
    holds("words", &message, &["holds no keys"]);
    #[cfg(unix)]
    {
        let pipe = folder.join("plans/pipe.yaml");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.expect("mkfifo").success());
        for text in ["extends: pipe.yaml", "model: {file: pipe.yaml}"] {
            let message = refused(&["validate", &plan(&folder, text)], 2);
            holds(text, &message, &["no regular file"]);
        }
    }
}

/// The files of a model's folder, which the user did not type, are of its project.
#[cfg(unix)]
#[test]
fn a_model_s_folder_leads_nowhere_else() {
    use std::os::unix::fs::symlink;
    let folder = project("bounds-model", true);
    let model = folder.join("model");
    let secret = folder.with_file_name("bounds-model-secret");
    fs::write(&secret, "{\"model_type\": \"SECRET123\"}\n").expect("a file");
    let at = |path: &Path| path.display().to_string();
    let read = |parts: &[&str]| {
        for command in ["model", "import"] {
            let message = refused(&[command, &at(&model)], 2);
            assert!(!message.contains("SECRET123"), "{command}: {message}");
            holds(command, &message, parts);
        }
        fs::remove_dir_all(&model).expect("a folder");
    };
    let anew = || fs::create_dir_all(&model).expect("a folder");
    anew();
    symlink(&secret, model.join("config.json")).expect("a link");
    read(&["outside the project"]);
    anew();
    let pipe = std::process::Command::new("mkfifo").arg(model.join("config.json")).status();
    assert!(pipe.expect("mkfifo").success());
    read(&["no regular file"]);
    anew();
    symlink(folder.join(".."), model.join("unet")).expect("a link");
    let index = "{\"_class_name\": \"X\", \"unet\": [\"diffusers\", \"UNet2DConditionModel\"]}";
    fs::write(model.join("model_index.json"), index).expect("a file");
    let message = refused(&["model", &at(&model)], 2);
    assert!(!message.contains("SECRET123"), "{message}");
    fs::remove_dir_all(&model).expect("a folder");
    // The Hub's cache has links into the folder beside, which is the repository's own.
    let hub = folder.join("models--a--b");
    for part in ["blobs", "snapshots/abc"] {
        fs::create_dir_all(hub.join(part)).expect("a folder");
    }
    fs::write(hub.join("blobs/x"), "{\"model_type\": \"gpt2\"}").expect("a file");
    let snapshot = hub.join("snapshots/abc");
    symlink("../../blobs/x", snapshot.join("config.json")).expect("a link");
    stdout(&["model", &at(&snapshot)]);
}

#[test]
fn a_lock_names_scenarios_of_its_folder_alone() {
    let folder = project("bounds-lock", true);
    let scenario = plan(&folder, "model: gpt2");
    stdout(&["lock", &scenario]);
    let lock = folder.join("plans/flopcast.lock");
    let text = fs::read_to_string(&lock).expect("the lock");
    for name in ["../../../etc/passwd", "/etc/passwd", "../secret"] {
        fs::write(&lock, text.replace("\"plan.yaml\"", &format!("\"{name}\""))).expect("a lock");
        let message = refused(&["lock", &scenario], 2);
        holds(name, &message, &["flopcast.lock", "outside"]);
        assert!(!message.contains("root:"), "{message}");
    }
}

#[test]
fn paths_and_documents_are_of_bounded_depth_and_size() {
    let deep = format!("x-y{}", ".a".repeat(300_000));
    let table = written("bounds", "deep.csv", format!("{deep},accuracy\n1,0.5\n"));
    let shape =
        "name: s\nmodel: {transformer: {layers: 2, hidden: 64, heads: 4, vocab: 100, ffn: 128}}\n";
    let shape = written("bounds", "shapes.yaml", shape);
    holds("csv", &refused(&["optimize", &shape, "--shapes", &table], 2), &["more than 64 keys"]);
    let short = format!("x-y{}=1", ".a".repeat(60_000));
    for arguments in [["estimate", RUN, "--set", &short], ["sweep", RUN, "--vary", &short]] {
        let message = refused(&arguments, 2);
        holds(arguments[0], &message, &["more than 64 keys"]);
        assert!(message.len() < 2000, "a message of {} bytes", message.len());
    }
}

#[test]
fn models_have_the_budgets_of_scenarios() {
    let mut aliases = format!("a: &a {{x: \"{}\"}}\nlayers: [", "y".repeat(1_000_000));
    let _ = writeln!(aliases, "{}]", vec!["*a"; 2000].join(","));
    let brackets = format!("layers: {}{}\n", "[".repeat(200_000), "]".repeat(200_000));
    let twice = "type: llama\ntype: gpt2\n";
    let cases = [
        ("aliases.yaml", aliases.as_str(), "YAML"),
        ("brackets.yaml", &brackets, "YAML"),
        ("twice.yaml", twice, "duplicate key `type`"),
    ];
    for (name, text, part) in cases {
        let path = written("bounds", name, text);
        holds(name, &refused(&["model", &path], 2), &[part]);
        let calibration = ["backtest", "--calibration", &path];
        holds(name, &refused(&calibration, 2), &[part]);
    }
    holds(
        "batch",
        &refused(&["model", "gpt2", "--batch", "18446744073709551615"], 2),
        &["--batch"],
    );
}

/// Words of a file are short in a message, and long ones take no time to be compared.
#[test]
fn a_message_is_short() {
    let long = "x".repeat(100_000);
    let policy =
        written("bounds", "long.yaml", format!("limits:\n  - {{figure: {long}, max: 1}}\n"));
    let folder = scratch("bounds-long");
    fs::write(folder.join("prices.csv"), format!("{long},b\n1,2\n")).expect("a table");
    let folder = folder.display().to_string();
    let cases: [&[&str]; 5] = [
        &["check", RUN, "--policy", &policy],
        &["explain", RUN, &long],
        &["estimate", RUN, "--set", &long],
        &["estimate", RUN, "--set", &format!("{long}=1")],
        &["estimate", RUN, "--data-dir", &folder],
    ];
    for case in cases {
        let message = refused(case, 2);
        assert!(message.len() < 5000, "{}: {} bytes", case[0], message.len());
    }
}

/// Numbers that a file may hold and no forecast has.
#[test]
fn numbers_of_saved_forecasts_and_tables_are_bounded() {
    let saved = stdout(&["estimate", RUN, "--format", "json"]);
    let total = saved.lines().find(|line| line.contains("\"total_usd\": ")).expect("a total");
    let (key, _) = total.split_once(": ").expect("a number");
    let saved = saved.replace(total, &format!("{key}: 1e308,"));
    let saved = written("bounds", "saved.json", saved);
    let text = stdout(&["compare", RUN, &saved]);
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
    assert!(!words.any(|word| ["inf", "NaN"].contains(&word)), "{text}");
    for price in ["1e308", "1e-320", "-1", "inf", "NaN"] {
        let folder = scratch("bounds-table");
        let table = fs::read_to_string(crate::common::root().join("pricing/prices.csv"));
        let table = table.expect("the prices");
        let mut rows = csv::Reader::from_reader(table.as_bytes());
        let header = rows.headers().expect("a header").clone();
        let place = header.iter().position(|it| it == "on_demand_usd_per_h").expect("a column");
        let mut out = csv::Writer::from_path(folder.join("prices.csv")).expect("a table");
        out.write_record(&header).expect("a row");
        let row = rows.records().next().expect("a row").expect("a row");
        out.write_record(
            row.iter().enumerate().map(|(at, cell)| if at == place { price } else { cell }),
        )
        .expect("a row");
        out.flush().expect("a table");
        let message = refused(&["estimate", RUN, "--data-dir", &folder.display().to_string()], 2);
        holds(price, &message, &["prices.csv:2", "on_demand_usd_per_h"]);
    }
}

/// What asks for many rows, months, samples or requests, each in at most 512 MiB; nothing is
/// printed where it is refused.
#[test]
fn no_scenario_takes_more_than_512_megabytes() {
    let service = "scenarios/llama-3-70b-serving.yaml";
    let simulated =
        ["estimate", service, "--simulate", "--set", "inference.traffic.requests=1e9/s"];
    let by_size = written("bounds", "memory.yaml", KNOWN_BY_SIZE);
    let sweep = "training.hardware.count=1..100000";
    let cases: [&[&str]; 8] = [
        &["estimate", RUN, "--set", "finance.horizon=100 years"],
        &["estimate", RUN, "--set", "training.goodput=1e-9"],
        &["estimate", RUN, "--set", "training.hardware.count=1e9", "--format", "json"],
        &["estimate", RUN, "--set", "inference.traffic.requests=1e12/s"],
        &["estimate", &by_size, "--set", "inference.traffic.input_tokens.mean=1e9"],
        &["explain", RUN, "tco.total_usd"],
        &["sweep", RUN, "--vary", sweep, "--top", "3"],
        &simulated,
    ];
    for case in cases {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_flopcast"));
        command.args(case).current_dir(crate::common::root());
        let (output, most) = crate::common::peak(&mut command);
        let code = output.status.code();
        assert!(matches!(code, Some(0..=2)), "{case:?}: {output:?}");
        assert!(code != Some(2) || output.stdout.is_empty(), "{case:?}");
        assert!(most.is_none_or(|mib| mib < 512), "{case:?}: {most:?} MiB");
    }
}

/// Every form of the same command, wherever and however it runs.
#[test]
fn the_same_bytes_wherever_it_runs() {
    let folder = scratch("bounds-same");
    let run = |environment: &[(&str, &str)], arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_flopcast"));
        command.args(arguments).current_dir(crate::common::root()).env_clear();
        command.envs(environment.iter().copied());
        let output = command.output().expect("the binary runs");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        output.stdout
    };
    let environments: [&[(&str, &str)]; 4] = [
        &[],
        &[("LC_ALL", "de_DE.UTF-8"), ("LANG", "tr_TR.UTF-8"), ("TZ", "Asia/Kathmandu")],
        &[("RAYON_NUM_THREADS", "1"), ("COLUMNS", "40")],
        &[("RAYON_NUM_THREADS", "7"), ("COLUMNS", "400"), ("TZ", "Pacific/Apia")],
    ];
    let stages = "scenarios/llama-3.1-8b-stages.yaml";
    let sweep = ["sweep", RUN, "--vary", "training.hardware.count=1000,2000,4000"];
    let commands: [&[&str]; 4] = [
        &["estimate", stages],
        &["explain", stages, "tco.total_usd"],
        &sweep,
        &["catalog", "show", "h100-sxm"],
    ];
    for command in commands {
        for format in ["json", "csv", "markdown"] {
            let with_format = [command, &["--format", format]].concat();
            let plain = run(environments[0], &with_format);
            assert!(!plain.is_empty());
            for environment in &environments[1..] {
                let same = run(environment, &with_format) == plain;
                assert!(same, "{with_format:?} under {environment:?}");
            }
        }
    }
    for name in ["a.html", "a.svg", "a.md", "a.csv", "a.focus.csv", "a.sci.md", "a.xlsx", "a.json"]
    {
        let file = folder.join(name).display().to_string();
        let document = |environment: &[(&str, &str)]| {
            run(environment, &["report", stages, "-o", &file, "--samples", "50", "--force"]);
            fs::read(&file).expect("a document")
        };
        let plain = document(environments[0]);
        for environment in &environments[1..] {
            assert!(document(environment) == plain, "{name} under {environment:?}");
        }
    }
}
