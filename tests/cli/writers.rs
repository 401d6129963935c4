//! Every result file is whole or not there, whatever stands in the way and whenever it is stopped.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::common::{flopcast, holds, refused, root, scratch, stdout, written};

/// Commands that write a file, with its name in place of OUT.
const WRITERS: &[&str] = &[
    "init OUT.yaml",
    "estimate --model gpt2 --tokens 1B --on 8xh100-sxm --write-scenario OUT.yaml",
    "model resnet50 vit_b_16 --metric torchvision --svg OUT.svg",
    "import gpt2 -o OUT.yaml",
    "report RUN -o OUT.json",
    "sweep RUN --vary training.hardware.count=64,128 --svg OUT.svg",
    "backtest TABLE --rows OUT.csv",
    "calibrate TABLE --cross-validate 1 -o OUT.yaml",
    "capacity SERVICE --requests 500 --seeds 1 --per-request OUT.csv",
    "capacity SERVICE --requests 500 --seeds 1 --timeline OUT.svg",
];

const TABLE: &str = "\
id,source,date,model,n_layers,d_model,n_heads,n_kv_heads,d_ff,gated,vocab,seq_len,accelerator,\
n_devices,precision,global_batch_seqs,micro_batch,tp,pp,vp,cp,tokens_per_s_per_device
a,mine,2025-06,llama,80,8192,64,8,28672,1,128256,8192,h100-sxm,64,bf16,128,1,4,4,5,2,1118
";

const SERVICE: &str = "\
name: a service
model: llama-3-8b
inference:
  placement: {provider: aws, region: us-east-2, purchase: on-demand}
  traffic: {requests: 1/s, input_tokens: {mean: 100}, output_tokens: {mean: 20}}
  hardware: {accelerator: h100-sxm}
  precision: fp8
";

fn command(line: &str, out: &Path) -> Vec<String> {
    let service = written("writers", "service.yaml", SERVICE);
    let run = written("writers", "run.yaml", crate::common::RUN);
    let table = written("writers", "table.csv", TABLE);
    let fill = |word: &str| match word {
        "RUN" => run.clone(),
        "SERVICE" => service.clone(),
        "TABLE" => table.clone(),
        word if word.starts_with("OUT") => out.display().to_string() + &word[3..],
        word => word.to_owned(),
    };
    line.split(' ').map(fill).collect()
}

fn words(command: &[String]) -> Vec<&str> {
    command.iter().map(String::as_str).collect()
}

/// What a folder holds, hidden files too.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
    let mut names: Vec<_> =
        entries.map(|entry| name(entry).into_string().expect("UTF-8")).collect();
    names.sort();
    names
}

fn ending(line: &str) -> &str {
    line.split("OUT").nth(1).expect("an output").split(' ').next().expect("an ending")
}

#[test]
fn no_writer_replaces_a_file_unasked_and_all_keep_its_mode() {
    for line in WRITERS {
        let folder = scratch("writers-existing");
        let (out, command) = (folder.join(format!("out{}", ending(line))), folder.join("out"));
        let mut command = self::command(line, &command);
        fs::write(&out, "precious").expect("a file");
        fs::set_permissions(&out, fs::Permissions::from_mode(0o600)).expect("a mode");
        let message = refused(&words(&command), 2);
        holds(line, &message, &["exists already", "--force"]);
        assert_eq!(fs::read_to_string(&out).expect("the file"), "precious", "{line}");
        command.push("--force".to_owned());
        stdout(&words(&command));
        let mode = fs::metadata(&out).expect("the file").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{line}: the mode");
        assert_ne!(fs::read_to_string(&out).expect("the file"), "precious", "{line}");
        assert_eq!(names(&folder), [format!("out{}", ending(line))], "{line}: leftovers");
    }
}

#[test]
fn a_link_is_not_followed() {
    let folder = scratch("writers-link");
    let (victim, out) = (folder.join("victim"), folder.join("out.yaml"));
    fs::write(&victim, "victim").expect("a file");
    symlink(&victim, &out).expect("a link");
    let out = out.display().to_string();
    for arguments in [vec!["init", &out], vec!["init", &out, "--force"]] {
        holds("link", &refused(&arguments, 2), &["symbolic link"]);
    }
    assert_eq!(fs::read_to_string(&victim).expect("the file"), "victim");
}

#[expect(clippy::disallowed_methods, reason = "a longer run is asked for by the environment")]
/// Kills of each writer; `FLOPCAST_KILLS=200` takes some minutes.
fn kills() -> u32 {
    let set = std::env::var("FLOPCAST_KILLS").ok();
    set.map_or(6, |count| count.parse().expect("a number of kills"))
}

/// Runs a writer again and again and kills it, by turns after a part of its time and as soon as it
/// has a file open; then either the old file or the whole new one is there.
fn killed(what: &str, arguments: &[&str], out: &Path, old: Option<&str>) {
    let folder = out.parent().expect("a folder");
    let run = || {
        Command::new(env!("CARGO_BIN_EXE_flopcast"))
            .args(arguments)
            .current_dir(root())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary runs")
    };
    let start = now();
    assert!(run().wait().expect("an end").success(), "{what}");
    let once = start.elapsed();
    let whole = fs::read(out).expect("the file");
    for kill in 0..kills() {
        match old {
            Some(old) => fs::write(out, old).expect("a file"),
            None => fs::remove_file(out).expect("a file"),
        }
        let mut child = run();
        if kill % 2 == 0 {
            std::thread::sleep(once * (kill + 1) / kills());
        } else {
            let writing = || names(folder).iter().any(|name| name.contains(".part"));
            while child.try_wait().expect("a state").is_none() && !writing() {
                std::thread::yield_now();
            }
        }
        let _ = child.kill();
        child.wait().expect("an end");
        let left = fs::read(out).ok();
        let kept = left.as_deref() == old.map(str::as_bytes) || left.as_ref() == Some(&whole);
        let bytes = left.map_or(0, |it| it.len());
        assert!(kept, "{what}: kill {kill} leaves {bytes} bytes");
        fs::write(out, &whole).expect("a file");
    }
}

#[test]
fn a_writer_that_is_stopped_leaves_the_old_file_or_the_new_one() {
    let folder = scratch("writers-killed");
    for line in WRITERS {
        let mut command = self::command(line, &folder.join("out"));
        command.push("--force".to_owned());
        let out = folder.join(format!("out{}", ending(line)));
        killed(line, &words(&command), &out, Some("old\n"));
    }
    let scenario = folder.join("run.yaml");
    fs::write(&scenario, crate::common::RUN).expect("a scenario");
    let scenario = scenario.display().to_string();
    killed("lock", &["lock", &scenario], &folder.join("flopcast.lock"), None);
}

#[test]
fn what_a_killed_writer_leaves_goes_and_what_is_somebody_elses_stays() {
    let folder = scratch("writers-leftovers");
    let out = folder.join("out.yaml").display().to_string();
    fs::write(folder.join(".out.yaml.0123456789abcdef.part"), "half").expect("a file");
    fs::write(folder.join(".out.yaml.mine.part"), "mine").expect("a file");
    stdout(&["init", &out]);
    assert_eq!(names(&folder), [".out.yaml.mine.part", "out.yaml"]);
}

#[expect(clippy::disallowed_methods, reason = "how long the command takes says when to stop it")]
fn now() -> Instant {
    Instant::now()
}

/// Runs the binary below a shell that has done `before`.
fn under(before: &str, arguments: &str) -> std::process::Output {
    Command::new("sh")
        .arg("-c")
        .arg(format!("{before} exec {} {arguments}", env!("CARGO_BIN_EXE_flopcast")))
        .output()
        .expect("a shell")
}

#[test]
fn a_full_disk_and_a_full_or_closed_stream_end_cleanly() {
    let folder = scratch("writers-full");
    let out = folder.join("out.yaml");
    let written = under("trap '' XFSZ; ulimit -f 1;", &format!("init --full {}", out.display()));
    assert_eq!(written.status.code(), Some(2), "{written:?}");
    holds("full disk", &String::from_utf8_lossy(&written.stderr), &["cannot write"]);
    assert_eq!(names(&folder), [""; 0], "half a file");

    for stream in ["2>&-", "2>/dev/full"].into_iter().filter(|_| Path::new("/dev/full").exists()) {
        for arguments in ["estimate /nonexist", "validate /nonexist /nonexist"] {
            let code = under("", &format!("{arguments} {stream}")).status.code();
            assert_eq!(code, Some(2), "{arguments} {stream}");
        }
    }
    if Path::new("/dev/full").exists() {
        let full = under("", "schema >/dev/full");
        assert_eq!(full.status.code(), Some(2));
        holds("full", &String::from_utf8_lossy(&full.stderr), &["could not be written"]);
    }
}

/// One place writes files and one says things on the side: what is true of it is true of all.
#[test]
fn one_place_writes() {
    let mut waiting = vec![root().join("src")];
    let mut files: Vec<PathBuf> = Vec::new();
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { waiting.push(path) } else { files.push(path) }
        }
    }
    for path in files.iter().filter(|path| path.extension().is_some_and(|it| it == "rs")) {
        let text = fs::read_to_string(path).expect("a source file");
        let is_writer = path.ends_with("cli/output.rs");
        for call in ["fs::write", "File::create", "OpenOptions", "fs::rename"] {
            assert!(is_writer || !text.contains(call), "{}: {call}", path.display());
        }
        assert!(!text.contains("eprint"), "{}: eprintln! panics, note() does not", path.display());
    }
    assert!(flopcast(&["--version"]).status.success());
}
