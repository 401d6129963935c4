//! Job files of other tools, in the forms that the tools document, become scenarios.

use std::fs;
use std::path::Path;
use std::process::Command;

use flopcast::import::{document, job};
use flopcast::scenario::file::ScenarioFile;
use flopcast::scenario::reader;

use super::common::{close, flopcast, holds, json, number, scratch, stdout, tool};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/jobs");

/// Every job file of the folder, by name; configurations that only others name are none.
fn jobs() -> Vec<(String, String)> {
    let mut jobs: Vec<_> = fs::read_dir(FOLDER)
        .expect("a folder of jobs")
        .map(|entry| {
            let path = entry.expect("a file").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            (name, fs::read_to_string(&path).expect("text"))
        })
        .filter(|(name, _)| {
            !name.starts_with("zero") && name != "accelerate.yaml" && name != "ds_z2.json"
        })
        .collect();
    jobs.sort();
    jobs
}

fn read(name: &str, text: &str) -> job::Job {
    let beside = |file: &str| fs::read(Path::new(FOLDER).join(file)).ok();
    job::read(name, text, &beside).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn jobs_become_scenarios() {
    let (mut all, mut strange) = (String::new(), Vec::new());
    for (name, text) in jobs() {
        assert!(job::is_job(&name, &text), "{name} is no job");
        let job = read(&name, &text);
        all += &job.scenario;
        all += &job.notes.iter().fold(String::new(), |all, note| all + "# note: " + note + "\n");
        all += "\n";
        strange.extend(job.strange.iter().map(|key| format!("{name}: {key}")));
    }
    assert!(strange.is_empty(), "{strange:#?}");
    insta::assert_snapshot!(all);
}

/// Every job is forecast as it stands: what it leaves open is assumed.
#[test]
fn every_job_is_a_forecast() {
    let jobs = jobs();
    assert!(jobs.len() >= 100, "{} jobs", jobs.len());
    let failed: Vec<String> = jobs
        .iter()
        .filter_map(|(name, text)| {
            let job = read(name, text);
            let node = document::parse(name, job.scenario.as_bytes()).expect("YAML");
            let file = reader::read::<ScenarioFile>(&node);
            file.err().map(|error| format!("{name}: {error}\n{}", job.scenario))
        })
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    let workers = 4;
    let run = |first: usize| {
        let mut failed = Vec::new();
        for (name, _) in jobs.iter().skip(first).step_by(workers) {
            let file = format!("tests/data/jobs/{name}");
            let output = flopcast(&["estimate", &file, "--format", "json"]);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            if output.stdout.is_empty() {
                failed.push(format!("{name}: {said}"));
            }
        }
        failed
    };
    let run = &run;
    let failed: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|first| scope.spawn(move || run(first))).collect();
        threads.into_iter().flat_map(|it| it.join().expect("a thread")).collect()
    });
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn a_key_that_nobody_understands_is_named() {
    let text = "vllm serve Qwen/Qwen3-8B --tensor-parallel-size 2 --frobnicate 3\n";
    assert_eq!(read("serve.sh", text).strange, ["vLLM `frobnicate`"]);
}

/// Devices, layouts and formats that a job says in words of its framework's own.
#[test]
fn what_a_job_says_in_its_own_words() {
    let slurm = |directives: &str| {
        let lines: Vec<_> = directives.split(' ').map(|it| format!("#SBATCH {it}\n")).collect();
        format!(
            "#!/bin/bash\n{}srun python train.py --model_name_or_path mistralai/Mistral-7B-v0.3 --bf16\n",
            lines.concat()
        )
    };
    let gguf = |file: &str| format!("llama-server -m {file} -c 8192\n");
    let sglang =
        "python -m sglang.launch_server --model-path deepseek-ai/DeepSeek-V3 --tp 8 --dp 8";
    let tgi = |more: &str| format!("text-generation-launcher --model-id {more}\n");
    let maxtext = "python3 -m MaxText.train base.yml model_name=llama2-70b per_device_batch_size=1";
    let kserve = "apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\nspec: {predictor: {model: \
                  {modelFormat: {name: huggingface}, args: [--model_name=chat, \
                  --model_id=meta-llama/Llama-3.1-8B-Instruct]}}}\n";
    let all: [(&str, String, &[&str]); 20] = [
        ("a.sh", format!("{sglang} --enable-dp-attention\n"), &["{tensor: 1, data: 8}"]),
        ("a.sh", format!("{sglang}\n"), &["{tensor: 8}", "8 copies"]),
        ("a.sbatch", slurm("--nodes=4 --ntasks-per-node=4 --gpus-per-task=1"), &["count: 16"]),
        ("a.sbatch", slurm("-n32 --ntasks-per-node=8 --gres=gpu:8"), &["count: 32"]),
        ("a.sbatch", slurm("--nodes=2-4 --gpus-per-node=8"), &["count: 16", "2-4 nodes"]),
        ("a.sbatch", slurm("-N4 --gpus-per-node=8"), &["count: 32"]),
        ("a.sh", gguf("models/Llama-3.2-3B-Instruct-Q4_K_M.gguf"), &["Llama-3.2-3B", "\"int4\""]),
        ("a.sh", gguf("m/Llama-3.1-8B-Instruct-Q8_0.gguf"), &["Llama-3.1-8B", "\"int8\""]),
        ("a.sh", gguf("Llama-3.1-8B-Q6_K.gguf"), &["\"int8\"", "6 bits are counted as int8"]),
        (
            "a.sh",
            gguf("/m/Llama-3.1-8B-Q2_K-00001-of-00002.gguf"),
            &["Llama-3.1-8B\"", "\"int4\"", "2 bits are counted as int4"],
        ),
        ("a.sh", tgi("Qwen/Qwen2.5-7B-Instruct --quantize bitsandbytes"), &["\"int8\""]),
        ("a.sh", tgi("Qwen/Qwen2.5-7B-Instruct --quantize bitsandbytes-nf4"), &["\"int4\""]),
        ("a.sh", tgi("Qwen/Qwen2.5-7B-Instruct --quantize eetq"), &["\"int8\""]),
        ("a.sh", tgi("Qwen/Qwen2.5-7B-Instruct-GPTQ-Int8 --quantize gptq"), &["\"int8\""]),
        ("a.sh", tgi("Qwen/Qwen2.5-7B-Instruct-GPTQ-Int4 --quantize gptq"), &["\"int4\""]),
        ("a.sh", tgi("Qwen/Qwen2.5-7B-Instruct --quantize foo"), &["known as foo"]),
        ("a.yaml", kserve.to_owned(), &["meta-llama/Llama-3.1-8B-Instruct", "vllm"]),
        (
            "a.sh",
            format!(
                "{maxtext} ici_fsdp_parallelism=64 ici_tensor_parallelism=4 dcn_data_parallelism=2\n"
            ),
            &["count: 512", "tensor: 4", "data: 128"],
        ),
        (
            "a.sh",
            format!("{maxtext} ici_fsdp_parallelism=-1 dcn_data_parallelism=2\n"),
            &["is assumed"],
        ),
        (
            "a.sh",
            format!("{maxtext} compile_topology=v5e-256 compile_topology_num_slices=2\n"),
            &["tpu-v5e", "count: 512"],
        ),
    ];
    for (name, text, parts) in &all {
        let job = read(name, text);
        assert!(job.strange.is_empty(), "{text}: {:?}", job.strange);
        holds(text, &(job.scenario + &job.notes.join("\n")), parts);
    }
}

/// Devices that the user sets are those of the job: its copies and its batch follow.
#[test]
fn devices_that_are_set_are_those_of_the_job() {
    let file = "tests/data/jobs/torchtitan.toml";
    let at = |hardware: &str| {
        let set = format!("training.hardware={hardware}");
        json(&["estimate", file, "--set", &set, "--format", "json"])
    };
    let batch = |found: &serde_json::Value| number(found, "training.sequences_per_step");
    let (few, many) = (at("64xH100"), at("128xH100"));
    close("sequences of a step", batch(&many), 2.0 * batch(&few), 1e-9);
}

#[test]
fn what_is_no_job_is_none() {
    for (name, text) in [
        ("gpt3.yaml", "name: x\nmodel: gpt3-175b\n"),
        ("config.json", r#"{"model_type": "llama", "hidden_size": 4096}"#),
        ("notes.txt", "a few words"),
        ("policy.yaml", "limits: [{figure: training.device_hours, at_most: 3}]"),
    ] {
        assert!(!job::is_job(name, text), "{name}");
        assert!(job::read(name, text, &|_| None).is_err(), "{name}");
    }
}

/// A plan that is written out as a job is read again as the same plan.
#[test]
fn a_plan_written_as_a_job_is_read_again() {
    let folder = scratch("plan");
    let layout = "training.parallelism={tensor: 8, pipeline: 16, data: 128, zero: 1}";
    for (name, framework) in [
        ("run.sbatch", "torchtitan"),
        ("megatron.sbatch", "megatron-lm"),
        ("run.sky.yaml", "torchtitan"),
    ] {
        let file = folder.join(name).display().to_string();
        let framework = format!("training.framework={framework}");
        let sets = ["training.efficiency=auto", layout, &framework];
        let sets = sets.iter().flat_map(|set| ["--set", *set]);
        let command = ["report", "scenarios/llama-3.1-405b.yaml", "-o", &file];
        stdout(&command.into_iter().chain(sets).collect::<Vec<_>>());
        let text = fs::read_to_string(&file).expect("the job");
        assert_is_shell(name, &file, &text);
        let job = read(name, &text);
        assert!(job.strange.is_empty(), "{name}: {:?}\n{text}", job.strange);
        let parts = ["tensor: 8", "pipeline: 16", "sequence_length: 8192", "16384"];
        holds(name, &job.scenario, &parts);
    }
    let file = folder.join("replica.vllm.sh").display().to_string();
    let sets = [
        "inference.parallelism={tensor: 4, pipeline: 2}",
        "inference.kv_precision=fp8",
        "inference.max_batch=96",
    ];
    let command = ["report", "scenarios/llama-3-70b-serving.yaml", "-o", &file];
    let sets = sets.iter().flat_map(|set| ["--set", *set]);
    stdout(&command.into_iter().chain(sets).collect::<Vec<_>>());
    let text = fs::read_to_string(&file).expect("the command");
    assert_is_shell("replica.vllm.sh", &file, &text);
    let job = read("replica.vllm.sh", &text);
    assert!(job.strange.is_empty(), "{:?}\n{text}", job.strange);
    let parts = [
        "precision: \"fp8\"",
        "kv_precision: \"fp8\"",
        "{tensor: 4, pipeline: 2}",
        "max_batch: 96",
        "engine: \"vllm\"",
    ];
    holds("vLLM", &job.scenario, &parts);
}

/// A shell takes a script without running it.
fn assert_is_shell(name: &str, file: &str, text: &str) {
    let Some(bash) = tool(&["bash"]).filter(|_| !name.ends_with("yaml")) else { return };
    let checked = Command::new(bash).args(["-n", file]).output().expect("a shell");
    assert!(
        checked.status.success(),
        "{name}: {}\n{text}",
        String::from_utf8_lossy(&checked.stderr)
    );
}
