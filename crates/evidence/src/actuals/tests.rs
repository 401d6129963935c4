//! Logs of every form and what they measured; each is of eight devices for ten hours, 56 kWh,
//! unless
//! it says so.

mod exports;

use flopcast_core::catalog::Catalog;
use flopcast_core::quantity::Measure;
use flopcast_core::quantity::text::convert;

use super::{Expected, Measured, read};

/// What the logs measured, all forms together.
fn measured(logs: &[&str], expected: &Expected<'_>) -> Vec<Measured> {
    let logs: Vec<_> = logs.iter().map(|text| ("log", *text)).collect();
    read(&logs, expected).unwrap().into_iter().map(|(_, measured)| measured).collect()
}

/// Device-hours and kWh of the machines; `None` is unknown.
fn check(name: &str, logs: &[&str], hours: Option<f64>, kwh: Option<f64>) {
    let catalog = Catalog::embedded();
    let expected = Expected { devices: Some(8.0), hardware: "8 H100-SXM", catalog: Some(&catalog) };
    of(name, logs, &expected, hours, kwh);
}

fn of(name: &str, logs: &[&str], it: &Expected<'_>, hours: Option<f64>, kwh: Option<f64>) {
    let all = measured(logs, it);
    let got = |of: fn(&Measured) -> Option<f64>| all.iter().find_map(of);
    let time = got(|it| it.device_time.map(|time| convert(time.stored(), "device-h")));
    let energy = got(|it| it.it.map(|energy| convert(energy.stored(), "kWh")));
    let notes: Vec<_> = all.iter().flat_map(|it| &it.notes).collect();
    for (what, got, right) in [("hours", time, hours), ("kWh", energy, kwh)] {
        let same = match (got, right) {
            (Some(got), Some(right)) => (got / right - 1.0).abs() < 1e-9,
            (got, right) => got == right,
        };
        assert!(same, "{name}: {what} {got:?}, not {right:?}; {notes:?}");
    }
}

fn noted(logs: &[&str], words: &str) {
    let all = measured(logs, &Expected { devices: Some(8.0), ..Expected::default() });
    let notes: Vec<_> = all.iter().flat_map(|it| it.notes.clone()).collect();
    assert!(notes.iter().any(|note| note.contains(words)), "{words}: {notes:?}");
}

const EIGHTY: Option<f64> = Some(80.0);

#[test]
fn codecarbon_of_every_version_and_mode() {
    let head = "timestamp,run_id,duration,emissions,gpu_energy,energy_consumed,gpu_count,gpu_model,tracking_mode,pue";
    let row = |run: &str, end: &str, gpu: &str, kwh: &str, pue: &str| {
        format!("2026-08-12T{end},{run},36000,22.4,{gpu},{kwh},8,8 x H100,machine,{pue}\n")
    };
    let file = |rows: &[String]| format!("{head}\n{}", rows.concat());
    let plain = row("a", "19:00:00", "50", "56", "1.0");
    check("a default PUE", &[&file(std::slice::from_ref(&plain))], EIGHTY, Some(56.0));
    let stated = row("a", "19:00:00", "50", "67.2", "1.2");
    check("a stated PUE", &[&file(&[stated])], EIGHTY, Some(56.0));
    let ranks: Vec<_> =
        (0..8).map(|i| row(&format!("r{i}"), "19:00:00", "50", "56", "1")).collect();
    check("a tracker per rank", &[&file(&ranks)], EIGHTY, Some(56.0));
    let nodes = Expected { devices: Some(64.0), ..Expected::default() };
    of("a tracker per node", &[&file(&ranks)], &nodes, Some(640.0), Some(448.0));
    let after = row("b", "23:59:59", "50", "56", "1").replace("36000", "10000");
    check(
        "one run after another",
        &[&file(&[plain.clone(), after])],
        Some(80.0 + 8e4 / 3600.0),
        Some(112.0),
    );
    let blind = row("a", "19:00:00", "0", "6", "1");
    check("GPUs that were not metered", &[&file(&[blind])], EIGHTY, None);
    let none = "run_id,duration,emissions,gpu_energy,energy_consumed,gpu_count\na,36000,3,0.0,8,\n";
    check("GPUs that were not seen", &[none], None, None);
    check(
        "the same file twice",
        &[&file(std::slice::from_ref(&plain)), &file(&[plain])],
        EIGHTY,
        Some(56.0),
    );
    let old = "timestamp,project_name,duration,emissions,energy_consumed,country_name\nt,p,36000,22.4,56,France\n";
    check("version 1", &[old], None, Some(56.0));
    let tasks = "task_name,run_id,duration,emissions,energy_consumed,gpu_count\n\
                 load,a,3600,1,5.6,8\ntrain,a,25200,1,39.2,8\neval,a,7200,1,11.2,8\n";
    check("tasks of a run", &[tasks], EIGHTY, Some(56.0));
    let whole = "run_id,duration,emissions,energy_consumed,gpu_count\na,36000,3,56,8\n";
    check("a run and its tasks", &[whole, tasks], EIGHTY, Some(56.0));
    let shifted = "run_id,duration,emissions,energy_consumed,gpu_count,longitude,tracking_mode\n\
                   a,36000,3,56,8,machine\n";
    check("a missing column", &[shifted], EIGHTY, Some(56.0));
    let newer = "run_id,duration,emissions,energy_consumed,gpu_count\na,exp,36000,3,56,8\n";
    check("a column too many", &[newer], None, None);
    noted(&[newer], "6 cells below a header of 5");
    let amd = file(&[row("a", "19:00:00", "50", "56", "1").replace("H100", "AMD Instinct MI250X")]);
    check("dies of two-die modules", &[&amd], Some(40.0), Some(56.0));
}

#[test]
fn jobs_of_slurm_in_every_form() {
    let job = |head: &str, row: &str| format!("JobID|State|{head}\n1|COMPLETED|{row}\n");
    let raw = |tres: &str| {
        job("ElapsedRaw|AllocTRES|ConsumedEnergyRaw", &format!("36000|{tres}|201600000"))
    };
    check("typed", &[&raw("cpu=9,gres/gpu:a100=4,gres/gpu:h100=4")], EIGHTY, Some(56.0));
    check("typed and all", &[&raw("gres/gpu:h100=8,gres/gpu=8")], EIGHTY, Some(56.0));
    check("two-die modules", &[&raw("gres/gpu:mi250=8,gres/gpu=8")], Some(40.0), Some(56.0));
    let lumi = Expected { hardware: "4 MI250X", ..Expected::default() };
    of("two-die modules without a type", &[&raw("gres/gpu=8")], &lumi, Some(40.0), Some(56.0));
    check("slices", &[&raw("gres/gpu:3g.40gb=14,gres/gpu=14")], Some(60.0), Some(56.0));
    check("without GPUs", &[&raw("cpu=9,gres/gpumem=8")], None, None);
    for unset in ["18446744073709551614", "4294967294", "0", "", "1.84467440737096e+19"] {
        let text = raw("gres/gpu=8").replace("201600000", unset);
        check(unset, &[&text], EIGHTY, None);
    }
    let elapsed = |time: &str, energy: &str| {
        job("Elapsed|AllocTRES|ConsumedEnergy", &format!("{time}|gres/gpu=8|{energy}"))
    };
    check("a clock", &[&elapsed("10:00:00", "201.60M")], EIGHTY, Some(56.0));
    check("days", &[&elapsed("1-10:00:00", "201600K")], Some(272.0), Some(56.0));
    check("minutes", &[&elapsed("30:00", "0")], Some(4.0), None);
    check("no clock", &[&elapsed("INVALID", "201.60M")], None, Some(56.0));
    let dates = job("Start|End|AllocTRES", "2026-03-01T08:00:00|2026-03-01T18:00:00|gres/gpu=8");
    check("start and end", &[&dates], EIGHTY, None);
    let array = "JobID|State|ElapsedRaw|AllocTRES\n7_[3-9]|PENDING|0|\n7_1|COMPLETED|18000|gres/gpu=8\n\
                 7_1.batch|COMPLETED|18000|gres/gpu=8\n7_2|TIMEOUT|18000|gres/gpu=8\n";
    check("an array", &[array], EIGHTY, None);
    check("an export of it again", &[array, array], EIGHTY, None);
    let runs = |state: &str, seconds: u32| {
        format!("JobID|State|Start|ElapsedRaw|AllocTRES\n1|{state}|a|{seconds}|gres/gpu=8\n")
    };
    let growing = [&*runs("RUNNING", 3600), &runs("COMPLETED", 36000)];
    check("exported as it ran", &growing, EIGHTY, None);
    let requeued = "JobID|State|ElapsedRaw|AllocTRES\n1|NODE_FAIL|18000|gres/gpu=8\n\
                    1|COMPLETED|18000|gres/gpu=8\n";
    check("a requeued job", &[requeued], EIGHTY, None);
    let allocated = job("ElapsedRaw|AllocTRES", "36000|energy=201600000,gres/gpu=8");
    check("energy among what was allocated", &[&allocated], EIGHTY, None);
    let old = |column: &str, cell: &str, nodes: u32| {
        format!("JobID,State,ElapsedRaw,{column},NNodes\n1,COMPLETED,36000,{cell},{nodes}\n")
    };
    check("older columns", &[&old("AllocGRES", "gpu:h100:8", 1)], EIGHTY, None);
    check("requested on each node", &[&old("ReqGRES", "gpu:4", 2)], EIGHTY, None);
    check("allocated on nodes", &[&old("AllocGRES", "gpu:4", 2)], None, None);
    noted(&[&old("AllocGRES", "gpu:4", 2)], "per node or in all");
    let json = r#"{"jobs": [{"job_id": 5, "state": {"current": ["COMPLETED"]}, "time": {"elapsed": 36000},
        "tres": {"allocated": [{"type": "cpu", "name": "", "count": 96}, {"type": "energy", "count": 201600000},
        {"type": "gres", "name": "gpu", "count": 8}, {"type": "gres", "name": "gpu:h100", "count": 8}]}}]}"#;
    check("sacct --json", &[json], EIGHTY, None);
    let line = |cells: [&str; 5]| {
        let [id, state, time, tres, energy] = cells;
        format!("{id:<12} {state:>10} {time:>10} {tres:>24} {energy:>14} \n")
    };
    let fixed = line(["JobID", "State", "Elapsed", "AllocTRES", "ConsumedEnergy"])
        + &line(["------------", "----------", "----------", &"-".repeat(24), "--------------"])
        + &line(["100", "COMPLETED", "10:00:00", "cpu=96,gres/gpu=8,node=1", "201.60M"])
        + &line(["100.batch", "COMPLETED", "10:00:00", "cpu=96,gres/gpu=8,node=1", "201.60M"]);
    check("fixed width", &[&fixed], EIGHTY, Some(56.0));
    let cut = raw("billing=96,cpu=96,gre+");
    check("cut off", &[&cut], None, Some(56.0));
    noted(&[&cut], "--parsable2");
    noted(&[&raw("gres/gpu=many")], "a number of GPUs that is none");
}

/// Rows of samples of eight GPUs at 700 W, an hour apart, for ten hours.
fn samples(row: impl Fn(u32, u32) -> String) -> String {
    (0..=10)
        .flat_map(|hour| (0..8).map(move |gpu| (hour, gpu)))
        .map(|(hour, gpu)| row(hour, gpu))
        .collect()
}

#[test]
fn samples_of_power_in_every_form() {
    let full = Some(56.0);
    let head = "timestamp, index, power.draw [W]\n";
    let row =
        |hour: u32, gpu: u32| format!("2026/03/01 {hour:02}:00:00.00{gpu}, {gpu}, 700.00 W\n");
    check("indices", &[&(head.to_owned() + &samples(row))], EIGHTY, full);
    let ids = |name: &str, prefix: &str| {
        let rows = samples(|hour, gpu| {
            format!("2026/03/01 {hour:02}:00:00.000, {prefix}{gpu}, 700.00 W\n")
        });
        format!("timestamp, {name}, power.draw [W]\n{rows}")
    };
    check("uuids", &[&ids("uuid", "GPU-")], EIGHTY, full);
    check("uuids by their other name", &[&ids("gpu_uuid", "GPU-")], EIGHTY, full);
    check("PCI", &[&ids("pci.bus_id", "0000:0")], EIGHTY, full);
    let bare = |stamp: fn(u32, u32) -> String| {
        samples(|hour, gpu| format!("{}, 700.00 W\n", stamp(hour, gpu)))
    };
    let head = "timestamp, power.draw [W]\n";
    let same = head.to_owned() + &bare(|hour, _| format!("2026/03/01 {hour:02}:00:00.000"));
    check("no index, one stamp", &[&same], EIGHTY, full);
    let apart = head.to_owned() + &bare(|hour, gpu| format!("2026/03/01 {hour:02}:00:00.{gpu}00"));
    check("no index, stamps apart", &[&apart], EIGHTY, full);
    let two = [0, 4].map(|from| {
        let rows = samples(|hour, gpu| {
            if (from..from + 4).contains(&gpu) { row(hour, gpu - from) } else { String::new() }
        });
        format!("timestamp, index, power.draw [W]\n{rows}")
    });
    check("a file per node", &[&two[0], &two[1]], EIGHTY, full);
    let odd = same.replacen("700.00 W", "[Unknown Error]", 1);
    assert_ne!(odd, same);
    let text = head.to_owned()
        + &samples(|hour, gpu| {
            let watts = if hour == 5 { "[Unknown Error]" } else { "700.00 W" };
            format!("2026/03/01 {hour:02}:00:00.000, {watts}\n").replace("%gpu", &gpu.to_string())
        });
    check("cells that cannot be read", &[&text], EIGHTY, full);
    let blind = same.replace("700.00 W", "[N/A]");
    check("no meter", &[&blind], EIGHTY, None);
    let gap = head.to_owned()
        + &bare(|hour, _| {
            let day = if hour > 5 { 2 } else { 1 };
            format!("2026/03/{day:02} {hour:02}:00:00.000")
        });
    check("a night between two runs", &[&gap], Some(72.0), Some(50.4));
    noted(&[&gap], "8 gap(s)");
    let dcgm = samples(|hour, gpu| format!("{},{gpu},n1,700\n", 1_772_352_000 + hour * 3600));
    let dcgm = format!("timestamp,gpu,Hostname,DCGM_FI_DEV_POWER_USAGE\n{dcgm}");
    check("DCGM", &[&dcgm], EIGHTY, full);
    let prometheus = |labels: fn(u32) -> String, watts: u32| {
        let values: Vec<_> =
            (0..=10).map(|hour| format!("[{},\"{watts}\"]", 1_772_352_000 + hour * 3600)).collect();
        let one = |gpu: u32| {
            format!("{{\"metric\":{{{}}},\"values\":[{}]}}", labels(gpu), values.join(","))
        };
        let all: Vec<_> = (0..if watts > 1000 { 1 } else { 8 }).map(one).collect();
        let all = all.join(",");
        format!(
            "{{\"status\":\"success\",\"data\":{{\"resultType\":\"matrix\",\"result\":[{all}]}}}}"
        )
    };
    let labels = |gpu: u32| {
        format!("\"__name__\":\"DCGM_FI_DEV_POWER_USAGE\",\"gpu\":\"{gpu}\",\"Hostname\":\"n1\"")
    };
    check("Prometheus", &[&prometheus(labels, 700)], EIGHTY, full);
    check("a sum of Prometheus", &[&prometheus(|_| String::new(), 5600)], None, full);
    let wide = |time: &str, name: fn(u32) -> String, stamp: fn(u32) -> String| {
        let names: Vec<_> = (0..8).map(name).collect();
        let row = |hour| format!("{},{}\n", stamp(hour), ["700"; 8].join(","));
        format!("{time},{}\n{}", names.join(","), (0..=10).map(row).collect::<String>())
    };
    let seconds = |hour: u32| (hour * 3600).to_string();
    check(
        "W&B",
        &[&wide("_runtime", |gpu| format!("system.gpu.{gpu}.powerWatts"), seconds)],
        EIGHTY,
        full,
    );
    let page = |gpu| format!("run-1 - system/gpu.{gpu}.powerWatts");
    check("W&B, from the page", &[&wide("Relative Time (Process)", page, seconds)], EIGHTY, full);
    let date = |hour: u32| format!("2026-03-01T{hour:02}:00:00");
    check("Trackio", &[&wide("timestamp", |gpu| format!("gpu/{gpu}/power"), date)], EIGHTY, full);
    let long = samples(|hour, gpu| {
        format!(
            "system/gpu_{gpu}_power_usage_watts,700,{},{hour}\n",
            1_772_352_000_000_u64 + u64::from(hour) * 3_600_000
        )
    });
    check("MLflow", &[&format!("key,value,timestamp,step\n{long}")], EIGHTY, full);
    check(
        "MLflow's shares",
        &["_runtime,gpu_count,system/gpu_0_power_usage_percentage\n36000,8,80\n"],
        EIGHTY,
        None,
    );
    let bare = samples(row);
    check("without a header", &[&bare], EIGHTY, full);
    let ids = samples(|hour, gpu| {
        format!("2026/03/01 {hour:02}:00:00.000, GPU-{gpu}a-b, 98 %, 700.00 W, 700.00 W\n")
    });
    check("without a header, uuids and limits", &[&ids], EIGHTY, full);
    let counted = prometheus(labels, 700).replace("POWER_USAGE", "TOTAL_ENERGY_CONSUMPTION");
    // 700 W for an hour are 2.52e9 mJ; the counter begins anew after five hours.
    let counted = (0..=10).fold(counted, |text, hour: u64| {
        let stamp = 1_772_352_000 + hour * 3600;
        let count = 2_520_000_000 * if hour > 5 { hour - 5 } else { hour };
        text.replace(&format!("[{stamp},\"700\"]"), &format!("[{stamp},\"{count}\"]"))
    });
    check("counters of energy", &[&counted], EIGHTY, full);
    let once = r#"{"status":"success","data":{"resultType":"vector","result":[
        {"metric":{"__name__":"DCGM_FI_DEV_POWER_USAGE","gpu":"0"},"value":[1772352000,"650"]}]}}"#;
    let power = measured(&[once], &Expected::default())[0].power;
    assert!((power.map(|it| convert(it.stored(), "W/device")).unwrap() - 650.0).abs() < 1e-9);
    let totals = "#Entity  TOTEC\nID       mJ\nGPU 0    0\nGPU 1    0\nGPU 0    100800000000\n\
                  GPU 1    100800000000\n";
    check("counters without stamps", &[totals], None, full);
    let dmon = "#Entity   GPUTL  POWER\nID               W\nGPU 0     98     600.0\nGPU 1     98     700.0\n";
    let power = measured(&[dmon], &Expected::default())[0].power;
    assert!((power.map(|it| convert(it.stored(), "W/device")).unwrap() - 650.0).abs() < 1e-9);
}

#[test]
fn runs_of_trackers_and_plain_lines() {
    check(
        "runs of W&B",
        &[
            "Name,State,Runtime,GPU Type,GPU Count\na,finished,18000,H100,8\nb,crashed,18000,H100,8\n",
        ],
        EIGHTY,
        None,
    );
    let summary = r#"{"_runtime": 36000.2, "_wandb": {"runtime": 36000}, "train/loss": 2.1}"#;
    let metadata = r#"{"gpu": "NVIDIA H100 80GB HBM3", "gpu_count": 8, "host": "n1"}"#;
    check("files of W&B", &[summary, metadata], EIGHTY, None);
    check("a summary alone", &[summary], None, None);
    check("a history", &["_step,_runtime,gpu_count\n0,10,8\n1,20000,8\n2,36000,8\n"], EIGHTY, None);
    check(
        "MLflow",
        &[
            "run_id,status,start_time,end_time,params.num_gpus\na,FINISHED,2026-03-01 08:00:00.000000+00:00,2026-03-01 18:00:00.000000+00:00,8\n",
        ],
        EIGHTY,
        None,
    );
    check(
        "stamps of MLflow",
        &["run_id,start_time,end_time,params.world_size\na,1772352000000,1772388000000,8\n"],
        EIGHTY,
        None,
    );
    for line in [
        "hours,kWh,cost\n80,56,160\n",
        "GPU hours;energy (kWh);cost (USD)\n80;56;160\n",
        "device_hours,kWh,cost_usd\n40,28,80\n40,28,80\n",
        "hours,gpus,kWh\n10,8,56\n",
        "80 device-h, 56 kWh, 160 USD\n",
        "80 GPU hours, 56 kWh",
        "hours,kWh,cost\n10,56,160\n",
        "10 hours, 56 kWh, 160 USD",
        "10 h, 8 GPUs, 56 kWh, 160 USD",
        "hours=10 gpus=8 kWh=56 cost=160\n",
        "device-hours: 80\nenergy: 0.056 MWh\ncost: 160 USD\n",
        "80 device-hours; 201.6 MJ",
        r#"{"gpu_hours": 80, "kwh": 56, "cost": 160}"#,
        r#"[{"gpu_hours": 30, "kwh": 26}, {"gpu_hours": 50, "kwh": 30}]"#,
    ] {
        check(line, &[line], EIGHTY, Some(56.0));
    }
    let grouped = "1,270 device-h, 1,370 kWh, 8,740 USD";
    check(grouped, &[grouped], Some(1270.0), Some(1370.0));
    check("millions", &["hours=1,000,000 gpus=1 kWh=2,000"], Some(1e6), Some(2000.0));
    let euros = read(&[("log", "80 device-h, 56 kWh, 3,300 EUR")], &Expected::default());
    let euros = euros.unwrap_err().to_string();
    assert!(euros.contains("`3300 EUR` is not in USD"), "{euros}");
    check("hours that may be a device's", &["hours,kWh\n10,7\n"], Some(10.0), Some(7.0));
    noted(&["device_hours,cost_eur\n80,150\n"], "`cost_eur` is not in USD");
    let listed = r#"{"runs": [{"info": {"run_id": "a", "start_time": 1772352000000, "end_time": 1772388000000},
        "data": {"params": [{"key": "num_gpus", "value": "8"}], "metrics": []}}]}"#;
    check("MLflow's service", &[listed], EIGHTY, None);
    let page = "Start Time,Duration,Run ID,Name,num_gpus\n2026-03-01 08:00:00,10.0h,a,run,8\n";
    check("MLflow, from the page", &[page], EIGHTY, None);
}

#[test]
fn bills_of_every_kind() {
    let head = "BillingCurrency,ChargeCategory,ServiceCategory,SkuId,BilledCost,EffectiveCost,PricingQuantity,PricingUnit,CommitmentDiscountStatus\n";
    let bill = |rows: &str| head.to_owned() + rows;
    let check_cost = |name: &str, text: &str, hours: Option<f64>, costs: &[(&str, f64)]| {
        check(name, &[text], hours, None);
        let catalog = Catalog::embedded();
        let it =
            &measured(&[text], &Expected { catalog: Some(&catalog), ..Expected::default() })[0];
        for (key, right) in costs {
            let got = it.costs.iter().find(|(name, _)| name == key).map(|(_, cost)| cost.stored());
            assert!(got.is_some_and(|got| (got - right).abs() < 1e-9), "{name}: {key} {got:?}");
        }
    };
    check_cost(
        "GPU-hours",
        &bill("USD,Usage,Compute,H100,160,160,80,GPU-Hours,\n"),
        EIGHTY,
        &[("compute", 160.0)],
    );
    check_cost(
        "blocks of hours",
        &bill("USD,Usage,Compute,Standard_ND96isr_H100_v5,9,9,1,10 Hours,\n"),
        EIGHTY,
        &[("compute", 9.0)],
    );
    check_cost(
        "an unused commitment",
        &bill(
            "USD,Usage,Compute,p5.48xlarge,0,500,10,Hours,Used\nUSD,Usage,Compute,p5.48xlarge,0,100,2,Hours,Unused\n",
        ),
        EIGHTY,
        &[("compute", 500.0), ("unused_commitment", 100.0)],
    );
    let reserved = head.replace("CommitmentDiscountStatus", "CapacityReservationStatus")
        + "USD,Usage,Compute,p5.48xlarge,500,500,10,Hours,Used\n\
           USD,Usage,Compute,p5.48xlarge,100,100,2,Hours,Unused\n";
    check_cost(
        "a capacity reservation",
        &reserved,
        EIGHTY,
        &[("compute", 500.0), ("unused_commitment", 100.0)],
    );
    let export = "line_item_line_item_type,line_item_usage_type,line_item_usage_amount,line_item_unblended_cost\n\
                  Usage,USE1-BoxUsage:p5.48xlarge,10,500\nUsage,USE1-UnusedBox:p5.48xlarge,2,100\n\
                  Usage,USE1-Reservation:p5.48xlarge,12,0\n";
    check_cost(
        "AWS, a capacity reservation",
        export,
        EIGHTY,
        &[("compute", 500.0), ("unused_commitment", 100.0)],
    );
    let export = "line_item_line_item_type,line_item_usage_type,line_item_usage_amount,line_item_unblended_cost\n\
                  Fee,USE1-CapacityBlock:p5.48xlarge,1,314.64\nUsage,USE1-BoxUsage:p5.48xlarge,10,0\n";
    check_cost("AWS, a capacity block", export, EIGHTY, &[("compute", 314.64)]);
    check_cost(
        "a bastion that nobody names",
        &bill(
            "USD,Usage,Compute,p5.48xlarge,550.4,550.4,10,Hours,\nUSD,Usage,Compute,ABC,7.49,7.49,720,Hours,\n",
        ),
        EIGHTY,
        &[("compute", 550.4), ("host", 7.49)],
    );
    let cur = |rows: &str| {
        format!(
            "lineItem/LineItemType,lineItem/UsageType,lineItem/UsageAmount,lineItem/UnblendedCost,lineItem/CurrencyCode,reservation/EffectiveCost,reservation/UnusedRecurringFee,product/instanceType,pricing/unit\n{rows}"
        )
    };
    check_cost(
        "AWS, on demand",
        &cur(
            "Usage,USE2-BoxUsage:p5.48xlarge,10,550.4,USD,,,p5.48xlarge,Hrs\nUsage,BoxUsage:t3.micro,720,7.49,USD,,,t3.micro,Hrs\nUsage,USE2-EBS:VolumeUsage.gp3,100,8,USD,,,,GB-Mo\nTax,,,5,USD,,,,\n",
        ),
        EIGHTY,
        &[("compute", 550.4), ("host", 7.49), ("storage", 8.0), ("tax", 5.0)],
    );
    check_cost(
        "AWS, reserved",
        &cur(
            "DiscountedUsage,BoxUsage:p5.48xlarge,10,0,USD,400,,p5.48xlarge,Hrs\nRIFee,HeavyUsage:p5.48xlarge,720,28800,USD,,28400,p5.48xlarge,Hrs\n",
        ),
        EIGHTY,
        &[("compute", 400.0), ("unused_commitment", 28400.0)],
    );
    let export = "line_item_line_item_type,line_item_usage_type,line_item_usage_amount,line_item_unblended_cost,savings_plan_savings_plan_effective_cost\n\
                  SavingsPlanCoveredUsage,BoxUsage:p5.48xlarge,10,550.4,330\nSavingsPlanNegation,BoxUsage:p5.48xlarge,10,-550.4,\n";
    check_cost("AWS, a savings plan", export, EIGHTY, &[("compute", 330.0)]);
    // What was paid ahead is spread over the use already, whatever columns of reservations say.
    let ahead = format!("{export}SavingsPlanUpfrontFee,ComputeSP:1yrAllUpfront,1,289000,\n");
    check_cost("AWS, a plan paid ahead", &ahead, EIGHTY, &[("compute", 330.0)]);
}

#[test]
fn logs_of_several_forms_complete_each_other() {
    let jobs = "JobID|ElapsedRaw|AllocTRES\n1|36000|gres/gpu=8\n";
    let bill = "ChargeCategory,ServiceCategory,BilledCost\nUsage,Compute,160\n";
    check("jobs and a bill", &[jobs, bill], EIGHTY, None);
    let all = measured(&[jobs, bill], &Expected::default());
    assert_eq!(all.len(), 2);
    assert!(!all[1].costs.is_empty());
}
