//! The same run as other exporters, versions and shells write it.

use super::*;

const FULL: Option<f64> = Some(56.0);

/// Costs by the ledger's key.
fn costs(name: &str, text: &str, hours: Option<f64>, right: &[(&str, f64)]) {
    check(name, &[text], hours, None);
    let catalog = Catalog::embedded();
    let expected = Expected { catalog: Some(&catalog), ..Expected::default() };
    let it = &measured(&[text], &expected)[0];
    for (key, right) in right {
        let got = it.costs.iter().find(|(name, _)| name == key).map(|(_, cost)| cost.stored());
        assert!(got.is_some_and(|got| (got - right).abs() < 1e-9), "{name}: {key} {got:?}");
    }
    assert_eq!(it.costs.len(), right.len(), "{name}: {:?}", it.costs);
}

#[test]
fn files_as_shells_and_spreadsheets_write_them() {
    let rows =
        "run_id,duration,emissions,gpu_energy,energy_consumed,gpu_count\na,36000,22.4,50,56,8\n";
    for (name, text) in [
        ("as it is", rows.to_owned()),
        ("a delimiter that is told", format!("sep=,\n{rows}")),
        ("joined files", rows.to_owned() + rows),
        ("lines of Windows", rows.replace('\n', "\r\n")),
        ("capitals", rows.replace("duration", "Duration").replace("gpu_count", "GPU Count")),
        ("semicolons", rows.replace(',', ";").replace("22.4", "22,4").replace("56", "56,0")),
        (
            "models alone",
            rows.replace("gpu_count", "gpu_model").replace(",8\n", ",\"4 x A100,4 x H100\"\n"),
        ),
        ("the service", rows.replace("emissions", "emissions_sum")),
    ] {
        check(name, &[&text], EIGHTY, FULL);
    }
    let drawn = "| gpu_hours | kWh |\n|---|---|\n| 80 | 56 |\n";
    check("a drawn table", &[drawn], EIGHTY, FULL);
    let grouped = "gpu_hours;kWh\n1.280,5;56,0\n";
    check("groups by points", &[grouped], Some(1280.5), FULL);
}

#[test]
fn jobs_of_slurm_whose_rows_or_steps_are_missing() {
    let head = "jobid|state|elapsedraw|alloctres|consumedenergyraw\n";
    let steps = "1.batch|COMPLETED|36000|gres/gpu=8|201600000\n1.extern|COMPLETED|36000|gres/gpu=8|0\n\
                 1.0|COMPLETED|35990|gres/gpu=8|201500000\n";
    check("steps alone", &[&format!("{head}{steps}")], EIGHTY, FULL);
    let inner =
        "1.0|COMPLETED|18000|gres/gpu=8|100800000\n1.1|COMPLETED|18000|gres/gpu=8|100800000\n";
    check("inner steps alone", &[&format!("{head}{inner}")], EIGHTY, FULL);
    let json = |elapsed: &str, steps: &str| {
        format!(
            r#"{{"jobs":[{{"job_id":5,"state":{{"current":"COMPLETED"}},"time":{{"elapsed":{elapsed}}},
            "tres":{{"allocated":[{{"type":"gres","name":"gpu","count":8}}]}},"steps":[{steps}]}}]}}"#
        )
    };
    let step = |name: &str, joules: u64| {
        format!(
            r#"{{"step":{{"name":"{name}"}},"statistics":{{"energy":{{"consumed":{{"set":true,
            "infinite":false,"number":{joules}}}}}}}}}"#
        )
    };
    let number = r#"{"set":true,"infinite":false,"number":36000}"#;
    check("numbers that may be unset", &[&json(number, "")], EIGHTY, None);
    let batch = step("batch", 201_600_000) + "," + &step("extern", 201_600_000);
    check("steps that meter one machine", &[&json("36000", &batch)], EIGHTY, FULL);
    let inner = [step("batch", 9), step("a", 100_800_000), step("b", 100_800_000)].join(",");
    check("steps one after another", &[&json("36000", &inner)], EIGHTY, FULL);
    let unset = step("batch", 0).replace("true", "false");
    check("no meter", &[&json("36000", &unset)], EIGHTY, None);
}

#[test]
fn power_as_every_monitor_writes_it() {
    let epoch = |hour: u32| 1_772_352_000 + 3600 * hour;
    let date = |hour: u32| format!("2026-03-01 {:02}:00:00", 8 + hour);
    for (name, head, row) in [
        ("nvidia-smi, bare", "", "2026/03/01 {h}:00:00.000, {g}, 98, 700.00, 65"),
        (
            "nvidia-smi dmon",
            "#Date Time gpu pwr gtemp\n#YYYYMMDD HH:MM:SS Idx W C\n",
            "20260301 {h}:00:00 {g} 700 45",
        ),
        ("nvidia-smi dmon, no date", "#Time gpu pwr\n#HH:MM:SS Idx W\n", "{h}:00:00 {g} 700"),
        (
            "nvidia-smi dmon, commas",
            "#Date, Time, gpu, pwr\n#YYYYMMDD, HH:MM:SS, Idx, W\n",
            "20260301, {h}:00:00, {g}, 700",
        ),
        ("amd-smi", "TIMESTAMP,GPU,XCP,POWER_USAGE,MAX_POWER\n", "{e},{g},0,700,750"),
        ("amd-smi metric", "timestamp,gpu,socket_power\n", "{e},{g},700 W"),
        ("rocm-smi", "time,device,Average Socket Power (W)\n", "{e},card{g},700.0"),
        ("xpu-smi", "Timestamp, DeviceId, GPU Power (W)\n", "{h}:00:00.000,    {g}, 700.00"),
        (
            "hl-smi",
            "timestamp, index, power.draw [W]\n",
            "Sun Mar 01 {h}:00:00 UTC 2026, {g}, 700 W",
        ),
        ("own names", "ts,gpu_index,gpu_power_watts\n", "{e},{g},700"),
        ("milliwatts by name", "timestamp,gpu,power_mw\n", "{e},{g},700000"),
        ("milliwatts by size", "timestamp,gpu,power_usage\n", "{e},{g},700000"),
        ("kilowatts", "timestamp,gpu,power\n", "{e},{g},0.7 kW"),
        (
            "rows of Grafana",
            "Time,Metric,Value\n",
            "{e}000,\"DCGM_FI_DEV_POWER_USAGE{gpu=\"\"{g}\"\"}\",700",
        ),
    ] {
        let one = |hour: u32, gpu: u32| {
            let row = row.replace("{g}", &gpu.to_string()).replace("{e}", &epoch(hour).to_string());
            row.replace("{h}", &format!("{:02}", 8 + hour)) + "\n"
        };
        check(name, &[&(head.to_owned() + &samples(one))], EIGHTY, FULL);
    }
    for (name, column, cell) in [
        ("words", "GPU {g} Power (W)", "700"),
        ("words without marks", "gpu{g}_power_w", "700"),
        ("the number last", "power_gpu_{g}", "700"),
        ("labels", "\"DCGM_FI_DEV_POWER_USAGE{Hostname=\"\"n1\"\", gpu=\"\"{g}\"\"}\"", "700"),
        ("legends with units in cells", "\"GPU {g}\"", "700 W"),
        ("Comet", "sys.gpu.{g}.power_usage", "700000"),
    ] {
        let names: Vec<_> = (0..8).map(|gpu| column.replace("{g}", &gpu.to_string())).collect();
        let row = |hour: u32| format!("{},{}\n", date(hour), [cell; 8].join(","));
        let text = format!("Time,{}\n{}", names.join(","), (0..=10).map(row).collect::<String>());
        check(name, &[&text], EIGHTY, FULL);
    }
    let past_midnight = "#Time gpu pwr\n23:00:00 0 700\n00:00:00 0 700\n01:00:00 0 700\n";
    check("a clock past midnight", &[past_midnight], Some(2.0), Some(1.4));
    let times = |hour: u32| format!(r#""query_time":"2026-03-01T{:02}:00:00""#, 8 + hour);
    let gpus: Vec<_> = (0..8)
        .map(|gpu| format!(r#"{{"index":{gpu},"uuid":"GPU-{gpu}","power.draw":700}}"#))
        .collect();
    let gpustat =
        |hour| format!("{{\"hostname\":\"n\",{},\"gpus\":[{}]}}\n", times(hour), gpus.join(","));
    check("gpustat", &[&(0..=10).map(gpustat).collect::<String>()], EIGHTY, FULL);
}

#[test]
fn series_of_prometheus_by_every_exporter() {
    let series = |metric: &str, labels: &str, value: f64, unit: u64| {
        let at = |hour: u64| (1_772_352_000 + 3600 * hour) * unit;
        let values: Vec<_> = (0..=10).map(|hour| format!("[{},\"{value}\"]", at(hour))).collect();
        format!(
            r#"{{"metric":{{"__name__":"{metric}",{labels}}},"values":[{}]}}"#,
            values.join(",")
        )
    };
    let eight = |metric: &str, value: f64| -> Vec<String> {
        let one = |gpu| series(metric, &format!(r#""gpu":"{gpu}","Hostname":"n""#), value, 1);
        (0..8).map(one).collect()
    };
    let dcgm = || eight("DCGM_FI_DEV_POWER_USAGE", 700.0);
    let matrix =
        |all: &[String]| format!(r#"{{"resultType":"matrix","result":[{}]}}"#, all.join(","));
    check("the data alone", &[&matrix(&dcgm())], EIGHTY, FULL);
    check("promtool", &[&format!("[{}]", dcgm().join(","))], EIGHTY, FULL);
    let limits = [dcgm(), eight("DCGM_FI_DEV_POWER_MGMT_LIMIT", 900.0)].concat();
    check("limits are no power", &[&matrix(&limits)], EIGHTY, FULL);
    let twice = [eight("DCGM_FI_DEV_POWER_USAGE_INSTANT", 650.0), dcgm()].concat();
    check("two metrics of a GPU", &[&matrix(&twice)], EIGHTY, FULL);
    noted(&[&matrix(&twice)], "8 series of a second metric");
    check("milliwatts", &[&matrix(&eight("nvidia_gpu_power_usage_milliwatts", 7e5))], EIGHTY, FULL);
    check("milliwatts by size", &[&matrix(&eight("gpu_power", 7e5))], EIGHTY, FULL);
    check("watts", &[&matrix(&eight("kepler_node_gpu_watts", 700.0))], EIGHTY, FULL);
    let labels = |gpu: u32| format!(r#""gpu":"{gpu}""#);
    let in_ms: Vec<_> =
        (0..8).map(|gpu| series("DCGM_FI_DEV_POWER_USAGE", &labels(gpu), 700.0, 1000)).collect();
    check("stamps in milliseconds", &[&matrix(&in_ms)], EIGHTY, FULL);
    let host = |metric: &str, value: f64| matrix(&[series(metric, r#""instance":"n""#, value, 1)]);
    check("a machine", &[&host("ipmi_dcmi_power_consumption_watts", 5600.0)], None, FULL);
    check("a machine in microwatts", &[&host("scaph_host_power_microwatts", 5.6e9)], None, FULL);
}

#[test]
fn lines_and_runs_in_other_words() {
    for line in [
        "H100 hours,kWh\n80,56\n",
        "gpu_hours,energy_mj\n80,201.6\n",
        "gpu_hours,energy_j\n80,201600000\n",
        "gpu_hours,energy\n80,0.056 MWh\n",
        "wall_clock,gpus,energy\n10 h,8,56 kWh\n",
        "walltime,gpus,kwh\n10:00:00,8,56\n",
        "duration_s,gpus,energy_kwh\n36000,8,56\n",
        "hours,nodes,gpus_per_node,kWh\n10,1,8,56\n",
        "node_hours,gpus_per_node,kWh\n10,8,56\n",
        "run,gpu_hours,kWh\na,40,28\nb,40,28\ntotal,80,56\n",
        "8 GPUs x 10 h, 56 kWh",
        "8x H100 for 10 h, 56 kWh, $160",
        "80 H100-hours, 56 kWh",
        "80 GPUh 56 kWh 160 USD",
        "10 hours on 8 GPUs, 56 kWh",
        "start_time,window_name,elapsed_time,gpu0_energy,gpu1_energy\nt,train,144000,100800000,100800000\n",
    ] {
        check(line, &[line], EIGHTY, FULL);
    }
    for run in [
        "experimentKey,durationMillis,gpu_count\na,36000000,8\n",
        "sys/id,sys/running_time,params/num_gpus\nR-1,36000,8\n",
        "Name,Runtime,GPU Count\na,10h 0m 0s,8\n",
        "name,started,completed,gpus\na,2026-03-01T08:00:00Z,2026-03-01T18:00:00Z,8\n",
        "run_id,start_time,end_time,params.trainer.devices,params.trainer.num_nodes\na,1772352000000,1772388000000,4,2\n",
        "Wall time,Step,Value,gpu_count\n1772352000.0,0,2.3,8\n1772388000.0,1000,2.1,8\n",
    ] {
        check(run, &[run], EIGHTY, None);
    }
    check("TensorBoard", &["Wall time,Step,Value\n1772352000,0,2\n1772388000,9,2\n"], None, None);
    noted(&["Wall time,Step,Value\n1772352000,0,2\n1772388000,9,2\n"], "gpu_count");
}

#[test]
fn bills_of_other_clouds() {
    let only = |cost: f64| [("compute", cost)];
    let azure = "Date,MeterCategory,MeterName,Quantity,UnitOfMeasure,CostInBillingCurrency,BillingCurrency,ChargeType\n\
                 1,Virtual Machines,ND96isr H100 v5,10,1 Hour,550.4,USD,Usage\n\
                 1,Virtual Machines,D8s v5,720,1 Hour,20,USD,Usage\n1,Storage,P30 LRS Disk,1,1/Month,12,USD,Usage\n\
                 1,Bandwidth,Standard Data Transfer Out,100,1 GB,8,USD,Usage\n\
                 1,Virtual Machines,ND96isr H100 v5,2,1 Hour,100,USD,UnusedReservation\n1,,,,,5,USD,Tax\n";
    let parts = [
        ("compute", 550.4),
        ("host", 20.0),
        ("storage", 12.0),
        ("egress", 8.0),
        ("unused_commitment", 100.0),
        ("tax", 5.0),
    ];
    costs("Azure", azure, EIGHTY, &parts);
    let older = "UsageDate,MeterCategory,MeterName,UsageQuantity,UnitOfMeasure,PreTaxCost,Currency,AdditionalInfo\n\
                 1,Virtual Machines,x,10,1 Hour,550.4,USD,\"{\"\"ServiceType\"\":\"\"Standard_ND96isr_H100_v5\"\"}\"\n";
    costs("Azure, pay as you go", older, EIGHTY, &only(550.4));
    let foreign = "date,meterCategory,meterName,quantity,unitOfMeasure,costInBillingCurrency,costInUsd,billingCurrency\n\
                   1,Virtual Machines,ND96isr H100 v5,10,1 Hour,500,550.4,EUR\n";
    costs("Azure, in both currencies", foreign, EIGHTY, &only(550.4));
    let google = r#"[{"service":{"description":"Compute Engine"},"sku":{"description":"Nvidia H100 80GB GPU attached to VMs"},
        "cost":600.4,"currency":"USD","usage":{"amount":288000,"unit":"seconds","amount_in_pricing_units":80,"pricing_unit":"hour"},
        "credits":[{"amount":-40},{"amount":-10.0}],"cost_type":"regular"},
        {"service":{"description":"Compute Engine"},"sku":{"description":"A3 Instance Core running in Iowa"},"cost":50,
        "usage":{"amount_in_pricing_units":2080,"pricing_unit":"hour"}}]"#;
    costs("Google", google, EIGHTY, &[("compute", 600.4), ("credit", -50.0), ("host", 50.0)]);
    let console = "Service description,SKU description,Usage amount,Usage unit,Cost ($)\n\
                   Compute Engine,A3 High instance a3-highgpu-8g,10,hour,550.4\n";
    costs("Google, from the page", console, EIGHTY, &only(550.4));
    let oracle = "product/Description,usage/billedQuantity,cost/myCost,cost/currencyCode,cost/billingUnitReadable\n\
                  Compute - GPU - H100,80,550.4,USD,GPU Per Hour\n";
    costs("Oracle", oracle, EIGHTY, &only(550.4));
    let allocated = r#"{"code":200,"data":[{"a":{"name":"a","gpuHours":80,"gpuCost":550.4,"cpuCost":30,"ramCost":20,
        "pvCost":8,"networkCost":2,"totalCost":610.4},"__idle__":{"name":"__idle__","gpuHours":0,"gpuCost":0,"totalCost":0}}]}"#;
    let parts = [("compute", 550.4), ("host", 50.0), ("storage", 8.0), ("egress", 2.0)];
    costs("OpenCost", allocated, EIGHTY, &parts);
    let invoice = "Description,Quantity,Unit,Unit Price,Amount\n8x H100 (80 GB SXM5) on-demand,10,hours,55.04,$550.40\n\
                   Filesystem,100,GB,0.2,20\nSales tax,,,,5\nTotal,,,,575.40\n";
    costs("an invoice", invoice, EIGHTY, &[("compute", 550.4), ("storage", 20.0), ("tax", 5.0)]);
    let lambda = "date,description,hours,rate,amount_usd\n1,gpu_8x_h100_sxm5,10,55.04,550.40\n";
    costs("an invoice by instance", lambda, EIGHTY, &only(550.4));
    let pods = "time,podId,gpuTypeId,gpuCount,timeBilledMs,amount\n1,p,NVIDIA H100 80GB HBM3,8,36000000,550.4\n";
    costs("pods", pods, EIGHTY, &only(550.4));
    let aws = "line_item_line_item_type,line_item_usage_type,line_item_usage_amount,line_item_unblended_cost\n";
    let discounted = format!(
        "{aws}Usage,BoxUsage:p5.48xlarge,10,550.4\nEdpDiscount,BoxUsage:p5.48xlarge,10,-50\n\
         PrivateRateDiscount,BoxUsage:p5.48xlarge,10,-20\n"
    );
    costs(
        "AWS, discounts by agreement",
        &discounted,
        EIGHTY,
        &[("compute", 550.4), ("credit", -70.0)],
    );
    let trained = format!("{aws}Usage,USE1-Train:ml.p5.48xlarge,10,550.4\n");
    costs("AWS, SageMaker", &trained, EIGHTY, &only(550.4));
    let focus = "BillingCurrency,PricingCurrency,PricingCurrencyEffectiveCost,charge_category,service_category,sku_id,EffectiveCost,PricingQuantity,PricingUnit\n\
                 EUR,USD,\"55,040.00\",Usage,Compute,p5.48xlarge,500,\"1,000\",Hours\n";
    costs("FOCUS 1.2, priced in USD", focus, Some(8000.0), &only(55_040.0));
}
