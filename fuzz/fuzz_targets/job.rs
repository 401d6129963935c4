//! Any text as a job file, once for every form that a name may promise.
//! Seeds: tests/data/jobs
#![no_main]

use flopcast::import::{document, job};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for name in ["job.sh", "job.yaml", "job.toml"] {
        let _ = job::is_job(name, text);
        // A file that names itself, as a hostile one may.
        if let Ok(job) = job::read(name, text, &|_| Some(text.as_bytes().to_vec())) {
            document::parse(name, job.scenario.as_bytes()).expect("a scenario is YAML");
        }
    }
});
