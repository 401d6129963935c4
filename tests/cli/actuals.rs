//! Forecast beside fact: what kinds of log say of one run or service, and what they leave unknown.

use serde_json::Value;

use crate::common::{close, flopcast, holds, json, number, refused, scratch, stdout, written};

/// 8 devices for 10 hours at 700 W, PUE 1.1, 50 g/kWh, 2 USD.
const SCENARIO: &str = "\
name: a run that was measured
model: {parameters: 8B}
data: {tokens: 1B}
training:
  precision: bf16
  hardware: {accelerator: h100-sxm, count: 8, power: 700 W}
  efficiency: {device_hours: 80}
placement: {purchase: {price: 2 USD/device-h}, pue: 1.1, grid: 50 gCO2e/kWh}
";

const CODECARBON: &str = "\
timestamp,project_name,run_id,duration,emissions,gpu_energy,energy_consumed,gpu_count,pue,\
tracking_mode
t0,p,a,3600.0,9,9,9.9,8,1.1,machine
t1,p,a,39600.0,4.2,60,77.616,8,1.1,machine
";

const SACCT: &str = "\
JobID|JobName|State|Start|End|ElapsedRaw|AllocTRES|ConsumedEnergyRaw
1|train|COMPLETED|a|b|18000|billing=64,cpu=64,gres/gpu=8,mem=500G,node=1|100800000
1.batch|batch|COMPLETED|a|b|18000|cpu=64,mem=500G,node=1|100800000
2|train|FAILED|a|b|21600|billing=64,gres/gpu:h100=8,gres/gpu=8,node=1|120960000
3|prepare|COMPLETED|a|b|600|billing=8,cpu=8,node=1|
";

const NVIDIA_SMI: &str = "\
timestamp, index, name, power.draw [W], utilization.gpu [%]
2026/11/23 12:00:00.000, 0, NVIDIA H100 80GB HBM3, 600.00 W, 98 %
2026/11/23 12:00:00.000, 1, NVIDIA H100 80GB HBM3, 500.00 W, 98 %
2026/11/23 12:00:30.000, 0, NVIDIA H100 80GB HBM3, 700.00 W, 98 %
2026/11/23 12:00:30.000, 1, NVIDIA H100 80GB HBM3, 500.00 W, 98 %
";

const FOCUS: &str = "\
BilledCost,EffectiveCost,BillingCurrency,ChargeCategory,ServiceCategory,PricingQuantity,PricingUnit
0,180,USD,Usage,Compute,80,Hours
100,20,USD,Usage,AI and Machine Learning,20,Hours
5,5,USD,Usage,Storage,100,GB-Months
-10,-10,USD,Credit,Compute,,
";

fn scenario() -> String {
    static WRITTEN: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    WRITTEN.get_or_init(|| written("actuals", "scenario.yaml", SCENARIO)).clone()
}

fn log(name: &str, text: &str) -> String {
    written("actuals", name, text)
}

fn compared(name: &str, text: &str) -> Value {
    json(&["actuals", &log(name, text), "--against", &scenario(), "--format", "json"])
}

fn item<'a>(value: &'a Value, path: &str) -> &'a Value {
    let items = value["items"].as_array().expect("items");
    items.iter().find(|item| item["item"] == path).unwrap_or(&Value::Null)
}

#[test]
fn each_log_says_what_it_measured() {
    let check = |value: &Value, path: &str, expected: Option<f64>| {
        let actual = &item(value, path)["actual"];
        match expected {
            Some(expected) => close(path, actual.as_f64().expect(path), expected, 1e-9),
            None => assert!(actual.is_null(), "{path}: {actual}"),
        }
    };
    let carbon = compared("codecarbon.csv", CODECARBON);
    check(&carbon, "device_hours", Some(88.0));
    check(&carbon, "energy_kwh.it", Some(70.56));
    check(&carbon, "energy_kwh.facility", Some(77.616));
    check(&carbon, "pue", Some(1.1));
    check(&carbon, "co2e_kg.location", Some(4.2));
    let slurm = compared("sacct.txt", SACCT);
    check(&slurm, "device_hours", Some(88.0));
    check(&slurm, "energy_kwh.it", Some(61.6));
    check(&slurm, "energy_kwh.facility", None);
    check(&slurm, "co2e_kg.location", None);
    let unmetered = compared("unmetered.txt", &SACCT.replace("|120960000", "|0"));
    check(&unmetered, "energy_kwh.it", None);
    check(&unmetered, "device_hours", Some(88.0));
    assert!(unmetered["notes"].to_string().contains("1 job(s) was not metered"));
    let smi = compared("smi.csv", NVIDIA_SMI);
    check(&smi, "device_hours", Some(60.0 / 3600.0));
    check(&smi, "energy_kwh.it", Some((650.0 + 500.0) * 30.0 / 3.6e6));
    check(&smi, "power_w_per_device", Some(575.0));
    let blind = compared("blind.csv", &NVIDIA_SMI.replace("600.00 W", "[N/A]"));
    check(&blind, "energy_kwh.it", None);
    let bill = compared("bill.csv", FOCUS);
    check(&bill, "cost_usd.compute", Some(200.0));
    check(&bill, "cost_usd.storage", Some(5.0));
    check(&bill, "cost_usd.credit", Some(-10.0));
    check(&bill, "cost_usd.billed", Some(195.0));
    check(&bill, "device_hours", Some(100.0));
    check(&bill, "price_usd_per_device_h", Some(2.0));
    let without = compared("without.csv", &FOCUS.replace("20,Hours", "20,Requests"));
    check(&without, "device_hours", None);
    check(&without, "price_usd_per_device_h", None);
}

#[test]
fn reasons_multiply_out_and_hints_repair_the_forecast() {
    let carbon = compared("reasons.csv", CODECARBON);
    for path in ["energy_kwh.it", "energy_kwh.facility", "co2e_kg.location"] {
        let item = item(&carbon, path);
        let factors = item["factors"].as_object().expect("factors");
        assert!(factors.len() > 1, "{path}");
        let product: f64 = factors.values().map(|v| v.as_f64().expect("a ratio")).product();
        close(path, product, item["ratio"].as_f64().expect("a ratio"), 1e-9);
    }
    close("hours", item(&carbon, "device_hours")["ratio"].as_f64().expect("it"), 1.1, 1e-9);
    let hints = carbon["hints"].as_array().expect("hints");
    let sets: Vec<String> = hints
        .iter()
        .filter(|hint| hint["path"] != "training.goodput")
        .map(|hint| {
            format!("{}={}", hint["path"].as_str().unwrap(), hint["value"].as_str().unwrap())
        })
        .collect();
    assert_eq!(sets.len(), 3, "{sets:?}");
    let (file, scenario) = (log("repaired.csv", CODECARBON), scenario());
    let mut arguments = vec!["actuals", &file, "--against", &scenario, "--format", "json"];
    for set in &sets {
        arguments.extend(["--set", set]);
    }
    // The hint on the MFU names the goodput that it holds at.
    arguments.extend(["--set", "training.goodput=1"]);
    let repaired = json(&arguments);
    for item in repaired["items"].as_array().expect("items") {
        if let Some(ratio) = item["ratio"].as_f64() {
            close(&item["item"].to_string(), ratio, 1.0, 0.01);
        }
    }
}

#[test]
fn it_reads_well() {
    for (name, text) in [("shown.csv", CODECARBON), ("shown-bill.csv", FOCUS)] {
        let (file, scenario) = (log(name, text), scenario());
        for format in ["table", "markdown", "csv"] {
            let arguments = ["actuals", &file, "--against", &scenario, "--format", format];
            let text = stdout(&arguments);
            assert!(text.contains("co2e_kg.location"), "{text}");
            let fits = text.lines().all(|line| line.chars().count() <= 80);
            assert!(fits || format != "table", "{text}");
        }
    }
}

/// Llama 3 70B at a twentieth of the usual load, with steps that take 1.3 times as long as forecast.
#[test]
fn a_log_of_requests_says_how_much_slower_the_steps_are() {
    const SERVICE: &str = "scenarios/llama-3-70b-serving.yaml";
    let file = scratch("requests").join("log.csv");
    let file = file.to_str().expect("UTF-8");
    let slower =
        ["--set", "inference.step_time=1.3", "--set", "inference.traffic.requests=100K/day"];
    let few = ["--requests", "1000", "--seeds", "1", "--per-request", file];
    stdout(&[&["capacity", SERVICE][..], &slower, &few].concat());
    let actuals = |more: &[&str]| -> Value {
        let all = [&["actuals", file, "--against", SERVICE, "--format", "json"][..], more].concat();
        json(&all)
    };
    let plain = actuals(&[]);
    let hint = &plain["hints"][0];
    assert_eq!(hint["path"], "inference.step_time");
    close("factor", hint["value"].as_str().expect("it").parse().expect("it"), 1.3, 0.02);
    assert!(number(item(&plain, "tpot_ms.p50"), "ratio") > 1.25);
    let stated = actuals(&slower[..2]);
    let given = format!("--calibrate-tpot={}ms", item(&plain, "tpot_ms.p50")["actual"]);
    for fitted in [actuals(&["--calibrate-tpot"]), actuals(&[&given]), stated] {
        for path in ["tpot_ms.p50", "tpot_ms.p95", "ttft_ms.p50", "e2e_ms.p95", "ttft_ms.p95"] {
            close(path, number(item(&fitted, path), "ratio"), 1.0, 0.05);
        }
    }
    let output = flopcast(&["actuals", file, "--against", SERVICE, "--calibrate-tpot=1ms"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let output = flopcast(&["actuals", file, "--against", &scenario()]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(message.contains("no service that generates tokens"), "{message}");
}

/// Logs in forms that people hand in: what they lead to besides figures, which
/// `tests/data/ledger/expected.csv` holds.
#[test]
fn logs_as_people_hand_them_in_mislead_nobody() {
    let hints = |log: &str, scenario: &str| {
        let path = |name: &str| format!("tests/data/ledger/{name}");
        let (log, scenario) = (path(log), path(scenario));
        json(&["actuals", &log, "--against", &scenario, "--format", "json"])["hints"].to_string()
    };
    let pue = hints("cc_default_pue.csv", "run8.yaml");
    assert!(!pue.contains("placement.pue"), "{pue}");
    for log in ["smi_noindex.csv", "smi_gap.csv", "smi_index.csv"] {
        let hints = hints(log, "run8.yaml");
        assert!(!hints.contains("training.hardware.power"), "{log}: {hints}");
    }
    assert_eq!(hints("fo_rifee.csv", "runaws.yaml"), "[]", "hints from another run");
}

/// A total stands beside the forecast's total, and CO2e without a building beside that of the machines.
#[test]
fn like_stands_beside_like() {
    let staff = format!(
        "{}  costs: {{staff: {{fte: 1, cost: 100000 USD/year, duration: 1 week}}}}\n",
        SCENARIO.split("placement").next().expect("a run")
    );
    let place = "placement: {purchase: {price: 2 USD/device-h}, pue: 1.1, grid: 50 gCO2e/kWh}\n";
    let scenario = written("actuals", "staff.yaml", format!("{staff}{place}"));
    let bill = log("plain.txt", "hours=10 gpus=8 cost=2000\n");
    let value = json(&["actuals", &bill, "--against", &scenario, "--format", "json"]);
    let whole =
        number(&json(&["estimate", &scenario, "--format", "json"]), "training.cost_usd.total");
    close("total", number(item(&value, "cost_usd.total"), "forecast"), whole, 1e-9);
    let bare = compared("no-pue.csv", &CODECARBON.replace("8,1.1,", "8,1.0,"));
    let co2e = item(&bare, "co2e_kg.location");
    let whole = number(
        &json(&["estimate", &self::scenario(), "--format", "json"]),
        "training.co2e_kg.location",
    );
    close("of the machines", number(co2e, "forecast"), whole / 1.1, 1e-9);
}

#[test]
fn several_logs_complete_each_other() {
    let (jobs, bill) = (log("jobs.txt", SACCT), log("bill-too.csv", FOCUS));
    let arguments = ["actuals", &jobs, &bill, "--against", &scenario(), "--format", "json"];
    let value = json(&arguments);
    close("hours", number(item(&value, "device_hours"), "actual"), 88.0, 1e-9);
    close("cost", number(item(&value, "cost_usd.compute"), "actual"), 200.0, 1e-9);
    let two = [log("first.txt", SACCT), log("second.txt", &SACCT.replace("\n1|", "\n7|"))];
    let value = json(&["actuals", &two[0], &two[1], "--against", &scenario(), "--format", "json"]);
    // Job 2 is in both files, and counts once.
    close("hours", number(item(&value, "device_hours"), "actual"), 128.0, 1e-9);
}

#[test]
fn hostile_logs_are_refused_or_noted_with_their_line() {
    let check = |name: &str, text: &str, expected: &str| {
        let message = refused(&["actuals", &log(name, text), "--against", &scenario()], 2);
        holds(name, &message, &[expected]);
    };
    check("empty", "", "no rows");
    check("header", "duration,emissions\n", "no rows");
    check("other", "a,b\n1,2\n", "the header is that of no log");
    check("euro", &FOCUS.replace("USD,Usage,Storage", "EUR,Usage,Storage"), "is not USD");
    let noted = |name: &str, text: &str, expected: &str| {
        let notes = compared(name, text)["notes"].to_string();
        holds(name, &notes, &[expected]);
    };
    noted("text", &CODECARBON.replace("39600.0", "long"), "line 3: `long` in `duration`");
    noted("negative", &CODECARBON.replace("39600.0", "-1"), "is below zero");
    noted("infinite", &CODECARBON.replace("39600.0", "inf"), "is not a number");
    noted("ragged", "duration,emissions\n1\n", "1 cells below a header of 2");
    noted("gpus", &SACCT.replace("gres/gpu=8", "gres/gpu=many"), "a number of GPUs");
    noted("time", &NVIDIA_SMI.replacen("2026/11/23", "yesterday", 1), "is not a time");
    noted("absurd", &SACCT.replace("|21600|", "|216000000|"), "times the forecast's");
}

proptest::proptest! {
    #[test]
    fn no_log_makes_it_panic(rows in "[ -~\n]{0,200}") {
        let read = |text: &str| {
            let expected = flopcast::evidence::actuals::Expected::default();
            let _ = flopcast::evidence::actuals::read(&[("log", text)], &expected);
        };
        let plain = "hours,kWh,cost\n";
        let runs = "_runtime,gpu_count,system.gpu.0.powerWatts\n";
        let aws = "lineItem/LineItemType,lineItem/UnblendedCost,lineItem/UsageAmount\n";
        let wide = "JobID   Elapsed AllocTRES\n-- -- --\n";
        for header in [CODECARBON, SACCT, NVIDIA_SMI, FOCUS, plain, runs, aws, wide] {
            let header = header.lines().next().expect("a header");
            read(&format!("{header}\n{rows}"));
            read(&format!("{{\"data\":{{\"result\":[{{\"values\":[[{rows}]]}}]}}}}"));
        }
        read(&rows);
    }
}

/// Logs that take many times their size where cells are kept one by one.
#[test]
fn a_log_takes_little_more_memory_than_its_file() {
    let run = written("actuals-memory", "run.yaml", crate::common::RUN);
    let objects = |count: usize| {
        let objects = (0..count).map(|at| format!("{{\"k{at}\": 1}}"));
        format!("[{}]", objects.collect::<Vec<_>>().join(","))
    };
    let key = "k".repeat(1 << 20);
    let inner: Vec<_> = (0..2000).map(|at| format!("\"{at}\": 1")).collect();
    let cases = [
        ("cells.json", objects(6000), "more than 16000000 cells"),
        ("keys.json", format!("{{\"{key}\": {{{}}}}}", inner.join(",")), "no rows"),
        ("long.json", format!("[{{\"a\": [0{}]}}]", ",0".repeat(7 << 20)), "a value of 14 MB"),
        ("commas.csv", format!("hours,kWh\n{}", ",,,,,,,,,\n".repeat(1 << 19)), ""),
    ];
    for (name, text, part) in cases {
        let log = written("actuals-memory", name, text);
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_flopcast"));
        command.args(["actuals", &log, "--against", &run]);
        let (output, most) = crate::common::peak(&mut command);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(output.status.code(), Some(0 | 2)), "{name}: {said}");
        assert!(said.contains(part), "{name}: {said}");
        assert!(most.is_none_or(|mib| mib < 256), "{name}: {most:?} MiB");
    }
}
