//! Job files of other tools, in the forms that the tools document, become scenarios.

use std::fs;
use std::path::Path;

use flopcast::import::{document, job};
use flopcast::scenario::file::ScenarioFile;
use flopcast::scenario::reader;

use super::common::{holds, scratch, stdout};

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

#[test]
fn their_scenarios_have_only_known_keys() {
    for (name, text) in jobs() {
        let job = read(&name, &text);
        let mut node = document::parse(&name, job.scenario.as_bytes()).expect("YAML");
        // What the job does not say, the user does.
        let stage = if job.scenario.contains("\ninference:") { "inference" } else { "training" };
        node.set(&format!("{stage}.hardware.accelerator=h100-sxm")).expect("a key");
        let file = reader::read::<ScenarioFile>(&node);
        assert!(
            file.is_ok(),
            "{name}: {}\n{}",
            file.err().map(|it| it.to_string()).unwrap_or_default(),
            job.scenario
        );
    }
}

#[test]
fn a_key_that_nobody_understands_is_named() {
    let text = "vllm serve Qwen/Qwen3-8B --tensor-parallel-size 2 --frobnicate 3\n";
    assert_eq!(read("serve.sh", text).strange, ["vLLM `frobnicate`"]);
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
        let job = read(name, &text);
        assert!(job.strange.is_empty(), "{name}: {:?}\n{text}", job.strange);
        let parts = ["tensor: 8", "pipeline: 16", "sequence_length: 8192", "16384"];
        holds(name, &job.scenario, &parts);
    }
    let file = folder.join("replica.vllm.sh").display().to_string();
    stdout(&["report", "scenarios/llama-3-70b-serving.yaml", "-o", &file]);
    let text = fs::read_to_string(&file).expect("the command");
    let job = read("replica.vllm.sh", &text);
    assert!(job.strange.is_empty(), "{:?}\n{text}", job.strange);
    holds("vLLM", &job.scenario, &["tensor: ", "engine: \"vllm\"", "max_batch: "]);
}
