//! Results of load tests: what `vllm bench serve`, `SGLang`'s `bench_serving`, guidellm, genai-perf and
//! `AIPerf`, and `LLMPerf` write, beside the scenario's service under the same load.
//!
//! Each tool is a row of `TOOLS`: where in its JSON the load and the latencies stand. The load is
//! replayed on one replica: so many clients that wait for their answers, or requests at a rate, of
//! mean lengths.

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::plan::Scenario;
use flopcast_core::quantity::text::number;
use flopcast_core::quantity::{Measure as _, RequestRate, Time, text};
use flopcast_core::serving::instance::Engines;
use flopcast_core::serving::simulator::{Arrival, Report, Simulation, StepTime};
use flopcast_core::serving::traffic::records::records;
use flopcast_core::serving::traffic::{Class, Lengths, Source, Traffic};
use serde_json::Value;

use super::requests::{engines_of, factor_that};
use super::{Comparison, Form, Hint, Item};
use crate::backtest::score::quantile;

/// Requests that are replayed at most.
const MOST: f64 = 20_000.0;
/// Larger results are of no load test.
const MOST_RUNS: usize = 1000;

/// Places of the figures in the JSON of a tool.
struct Tool {
    name: &'static str,
    /// Keys by which a result is known.
    marks: &'static [&'static str],
    /// Latencies: TTFT, time per output token, end to end, each with its unit in milliseconds.
    latencies: [&'static [(&'static str, f64)]; 3],
    /// Paths of the statistics of a latency: `{}` is the latency's name.
    statistics: &'static [(&'static str, &'static str)],
    requests: &'static [&'static str],
    clients: &'static [&'static str],
    rate: &'static [&'static str],
    /// Requests that were under way on average, where neither is said.
    under_way: &'static [&'static str],
    /// Mean tokens of a request, or those of all.
    input: &'static [&'static str],
    output: &'static [&'static str],
    tokens_per_s: &'static [&'static str],
}

/// Statistics of a flat result: `mean_ttft_ms`.
const FLAT: &[(&str, &str)] = &[
    ("mean", "/mean_{}"),
    ("p50", "/median_{}"),
    ("p90", "/p90_{}"),
    ("p95", "/p95_{}"),
    ("p99", "/p99_{}"),
];

static TOOLS: &[Tool] = &[
    Tool {
        name: "guidellm",
        marks: &["/metrics/time_to_first_token_ms/successful"],
        latencies: [
            &[("time_to_first_token_ms", 1.0)],
            &[("inter_token_latency_ms", 1.0), ("time_per_output_token_ms", 1.0)],
            &[("request_latency", 1e3)],
        ],
        statistics: &[
            ("mean", "/metrics/{}/successful/mean"),
            ("p50", "/metrics/{}/successful/median"),
            ("p90", "/metrics/{}/successful/percentiles/p90"),
            ("p95", "/metrics/{}/successful/percentiles/p95"),
            ("p99", "/metrics/{}/successful/percentiles/p99"),
        ],
        requests: &["/metrics/request_totals/successful", "/run_stats/requests_made/successful"],
        clients: &[
            "/config/strategy/streams",
            "/args/strategy/streams",
            "/scheduler/strategy/streams",
        ],
        rate: &["/config/strategy/rate", "/args/strategy/rate", "/scheduler/strategy/rate"],
        under_way: &["/metrics/request_concurrency/successful/mean"],
        input: &["/metrics/prompt_token_count/successful/mean"],
        output: &["/metrics/output_token_count/successful/mean"],
        tokens_per_s: &["/metrics/output_tokens_per_second/successful/mean"],
    },
    Tool {
        name: "genai-perf or AIPerf",
        marks: &["/time_to_first_token/avg", "/request_latency/avg"],
        latencies: [
            &[("time_to_first_token", 1.0)],
            &[("inter_token_latency", 1.0)],
            &[("request_latency", 1.0)],
        ],
        statistics: &[
            ("mean", "/{}/avg"),
            ("p50", "/{}/p50"),
            ("p90", "/{}/p90"),
            ("p95", "/{}/p95"),
            ("p99", "/{}/p99"),
        ],
        requests: &["/request_count/avg", "/input_config/loadgen/request_count"],
        clients: &[
            "/input_config/loadgen/concurrency",
            "/input_config/perf_analyzer/stimulus/concurrency",
            "/input_config/concurrency",
        ],
        rate: &[
            "/input_config/loadgen/request_rate",
            "/input_config/perf_analyzer/stimulus/request_rate",
            "/input_config/request_rate",
        ],
        under_way: &["/concurrency/avg", "/request_concurrency/avg"],
        input: &["/input_sequence_length/avg"],
        output: &["/output_sequence_length/avg"],
        tokens_per_s: &["/output_token_throughput/avg"],
    },
    Tool {
        name: "LLMPerf",
        marks: &["/results_ttft_s_mean"],
        latencies: [
            &[("ttft_s", 1e3)],
            &[("inter_token_latency_s", 1e3)],
            &[("end_to_end_latency_s", 1e3)],
        ],
        statistics: &[
            ("mean", "/results_{}_mean"),
            ("p50", "/results_{}_quantiles_p50"),
            ("p90", "/results_{}_quantiles_p90"),
            ("p95", "/results_{}_quantiles_p95"),
            ("p99", "/results_{}_quantiles_p99"),
        ],
        requests: &["/results_num_completed_requests"],
        clients: &["/num_concurrent_requests"],
        rate: &[],
        under_way: &[],
        input: &["/results_number_input_tokens_mean", "/mean_input_tokens"],
        output: &["/results_number_output_tokens_mean", "/mean_output_tokens"],
        tokens_per_s: &["/results_mean_output_throughput_token_per_s"],
    },
    Tool {
        name: "vllm bench serve or SGLang bench_serving",
        marks: &["/mean_ttft_ms", "/total_output_tokens"],
        latencies: [
            &[("ttft_ms", 1.0)],
            &[("tpot_ms", 1.0), ("itl_ms", 1.0)],
            &[("e2el_ms", 1.0), ("e2e_latency_ms", 1.0)],
        ],
        statistics: FLAT,
        requests: &["/completed"],
        clients: &["/max_concurrency"],
        rate: &["/request_rate"],
        under_way: &["/concurrency"],
        input: &["/total_input_tokens"],
        output: &["/total_output_tokens"],
        tokens_per_s: &["/output_throughput"],
    },
];

/// The latencies of every tool, as figures call them.
const LATENCIES: [&str; 3] = ["ttft_ms", "tpot_ms", "e2e_ms"];

/// How a load test sent its requests.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Load {
    /// So many clients, each waiting for its answer.
    Clients(u32),
    /// So many requests a second.
    Rate(f64),
}

/// Measured throughput and latencies under a load.
#[derive(Clone, Debug)]
pub struct Bench {
    tool: &'static str,
    load: Load,
    requests: f64,
    input: f64,
    output: f64,
    /// Latencies by path, and the output tokens per second.
    measured: Vec<(String, f64)>,
}

impl Bench {
    /// The results in a text; none where it holds something else.
    ///
    /// # Errors
    /// A result that does not say its load or its lengths.
    pub fn read(text: &str) -> Result<Option<Vec<Self>>> {
        let start = text.trim_start_matches('\u{feff}').trim_start();
        if !start.starts_with(['{', '[']) {
            return Ok(None);
        }
        // Python writes an infinite rate so, which is no JSON.
        let start = &start.replace(": Infinity", ": \"inf\"").replace(": NaN", ": null");
        let mut found = Vec::new();
        for record in records(start) {
            let Ok(record) = record else { return Ok(None) };
            let Ok(runs) = record.elements() else { return Ok(None) };
            let runs = runs.unwrap_or_else(|| vec![record]);
            if found.len() + runs.len() > MOST_RUNS {
                return Ok(None);
            }
            for run in runs {
                let Ok(value) = run.value() else { return Ok(None) };
                found.extend(runs_of(value));
            }
        }
        let known = |run: &Value| {
            let marked = |tool: &&Tool| tool.marks.iter().all(|mark| run.pointer(mark).is_some());
            TOOLS.iter().find(marked)
        };
        let tools: Option<Vec<_>> = found.iter().map(|run| Some((known(run)?, run))).collect();
        let Some(tools) = tools.filter(|tools| !tools.is_empty()) else { return Ok(None) };
        tools.into_iter().map(|(tool, run)| Self::of(tool, run)).collect::<Result<_>>().map(Some)
    }

    fn of(tool: &Tool, run: &Value) -> Result<Self> {
        let first = |at: &[&str]| {
            let mut numbers = at.iter().filter_map(|at| run.pointer(at)?.as_f64());
            numbers.find(|number| number.is_finite() && *number > 0.0)
        };
        let missing =
            |what: &str| Error::input(format!("the result of {} does not say {what}", tool.name));
        let requests = first(tool.requests).ok_or_else(|| missing("how many were answered"))?;
        let tokens = |at: &[&str], what: &str| -> Result<f64> {
            let all = first(at).ok_or_else(|| missing(what))?;
            let total = at.iter().any(|at| at.starts_with("/total_"));
            Ok(if total { all / requests } else { all })
        };
        let mut measured = Vec::new();
        for (name, own) in LATENCIES.into_iter().zip(tool.latencies) {
            for (statistic, at) in tool.statistics {
                let value = own.iter().find_map(|(own, milliseconds)| {
                    let number = run.pointer(&at.replace("{}", own))?.as_f64()?;
                    (number > 0.0).then_some(number * milliseconds)
                });
                measured.extend(value.map(|value| (format!("{name}.{statistic}"), value)));
            }
        }
        if measured.is_empty() {
            return Err(missing("any latency"));
        }
        let output = tokens(tool.output, "the tokens of its answers")?;
        let of = |path: &str| {
            measured.iter().find(|(known, _)| known == path).map(|(_, value)| 1e-3 * value)
        };
        let answer = || {
            of("e2e_ms.mean")
                .or_else(|| Some(of("ttft_ms.mean")? + of("tpot_ms.mean")? * (output - 1.0)))
        };
        let clients = |clients: f64| Load::Clients(clients.clamp(1.0, 1e6).round() as u32);
        let at_once = tool.rate.iter().any(|at| run.pointer(at).is_some_and(Value::is_string));
        let load = match (first(tool.clients), first(tool.rate)) {
            // At a rate below what the clients take, they are a bound that is not reached.
            (Some(most), Some(rate)) if answer().is_some_and(|it| rate * it < 0.95 * most) => {
                Load::Rate(rate)
            }
            (Some(most), _) => clients(most),
            (None, Some(rate)) => Load::Rate(rate),
            (None, None) if at_once => clients(requests.min(MOST)),
            (None, None) => first(tool.under_way)
                .map(clients)
                .ok_or_else(|| missing("its load: clients at once, or requests a second"))?,
        };
        let rate = first(tool.tokens_per_s);
        measured.extend(rate.map(|rate| ("output_tokens_per_s".to_owned(), rate)));
        Ok(Self {
            tool: tool.name,
            load,
            requests,
            input: tokens(tool.input, "the tokens of its prompts")?,
            output,
            measured,
        })
    }

    /// The name of its load, as a part of a path.
    fn name(&self) -> String {
        match self.load {
            Load::Clients(clients) => format!("{clients}_clients"),
            Load::Rate(rate) => format!("{}_per_s", number(rate)),
        }
    }

    fn measured(&self, path: &str) -> Option<f64> {
        self.measured.iter().find(|(known, _)| known == path).map(|(_, value)| *value)
    }

    /// The same load on engines whose steps take `factor` times as long.
    fn replay(&self, engines: &Engines, factor: f64) -> Report {
        let engines = engines.clone().scaled(factor);
        let simulation: Simulation<'_, _> = engines.simulation();
        let whole = |mean: f64| mean.round().clamp(1.0, f64::from(1 << 28)) as u32;
        let requests = self.requests.min(MOST) as usize;
        let class = Class {
            weight: 1.0,
            input: Lengths::Fixed(whole(self.input)),
            output: Lengths::Fixed(whole(self.output)),
            cached: 0.0,
            opening: 0,
            session: None,
        };
        let rate = if let Load::Rate(rate) = self.load { rate } else { 1.0 };
        let traffic = Traffic {
            rate: RequestRate::from_stored(rate),
            profile: None,
            source: Source::Random { burstiness: 1.0, classes: vec![class] },
        };
        let arrivals = traffic.requests(1).take(requests);
        match self.load {
            Load::Rate(_) => simulation.open(arrivals),
            Load::Clients(clients) if simulation.transfer.is_none() => {
                simulation.closed(clients, arrivals)
            }
            Load::Clients(clients) => {
                in_flight(&simulation, clients, &arrivals.collect::<Vec<_>>())
            }
        }
    }
}

/// The runs of a result: itself, those of its list, or its figures that stand apart from its
/// settings.
fn runs_of(value: Value) -> Vec<Value> {
    let Value::Object(mut whole) = value else { return vec![value] };
    if let Some(Value::Array(runs)) = whole.get("benchmarks") {
        return runs.clone();
    }
    match whole.remove("records") {
        Some(Value::Array(runs)) => return runs,
        Some(Value::Object(figures)) => whole.extend(figures),
        Some(other) => {
            whole.insert("records".to_owned(), other);
        }
        None => {}
    }
    vec![Value::Object(whole)]
}

/// Requests that come evenly, at the rate that keeps so many of them under way (Little's law).
fn in_flight<S: StepTime>(
    simulation: &Simulation<'_, S>,
    clients: u32,
    requests: &[Arrival],
) -> Report {
    let at_gap = |gap: f64| {
        let at = |i: usize| Time::from_stored(gap * i as f64);
        simulation.open(requests.iter().enumerate().map(|(i, it)| Arrival { at: at(i), ..*it }))
    };
    let clients = f64::from(clients.max(1));
    let alone = at_gap(1e6).all().e2e.mean().unwrap_or(1.0);
    let (mut short, mut long) = ((alone / clients).ln(), (100.0 * alone / clients).ln());
    for _ in 0..10 {
        let middle = f64::midpoint(short, long);
        let busy = at_gap(middle.exp()).all().e2e.mean().unwrap_or(0.0) > clients * middle.exp();
        if busy { short = middle } else { long = middle }
    }
    at_gap(long.exp())
}

/// Replays the loads on one replica of the scenario's service.
///
/// The factor on its steps that would give the measured time per output token is the hint, the
/// median over the runs; with `calibrate`, it is applied.
///
/// # Errors
/// As [`super::requests::compare`].
pub fn compare(scenario: &Scenario, runs: &[Bench], calibrate: bool) -> Result<Comparison> {
    let mut notes = Vec::new();
    let first = runs.first().ok_or_else(|| Error::input("the result holds no run"))?;
    notes.push(format!(
        "{} {} of {} on one replica; lengths are taken to be alike",
        runs.len(),
        if runs.len() == 1 { "run" } else { "runs" },
        first.tool
    ));
    let (engines, given) = engines_of(scenario, (first.input, first.output))?;
    let factor_of = |run: &Bench| {
        let (path, share) = match run.measured("tpot_ms.p50") {
            Some(_) => ("tpot_ms.p50", Some(0.5)),
            None => ("tpot_ms.mean", None),
        };
        let tpot = Time::from_stored(1e-3 * run.measured(path)?);
        let of = |factor: f64| {
            let tpot = run.replay(&engines, factor).all().tpot;
            share.map_or_else(|| tpot.mean(), |share| tpot.quantile(share))
        };
        factor_that(tpot, of).ok()
    };
    let factors: Vec<f64> = runs.iter().filter_map(factor_of).collect();
    let factor = quantile(&factors, 0.5);
    let scale = match factor.filter(|_| calibrate) {
        Some(factor) => {
            notes.push(format!("every step takes {} times what the scenario says", number(factor)));
            factor
        }
        None if calibrate => {
            return Err(Error::limit(
                "no factor from 0.1 to 10 on the steps gives the measured TPOT",
            )
            .hint("are model, accelerator, precision and parallelism those of the test?"));
        }
        None => 1.0,
    };
    let mut items = Vec::new();
    for run in runs {
        let report = run.replay(&engines, scale);
        let all = report.all();
        let of = |path: &str| match path.split_once('.') {
            None => Some(report.output_rate().value),
            Some((name, statistic)) => {
                let at = LATENCIES.iter().position(|known| *known == name)?;
                let histogram = [&all.ttft, &all.tpot, &all.e2e][at];
                let share = statistic.strip_prefix('p').and_then(|it| it.parse::<f64>().ok());
                let seconds = share
                    .map_or_else(|| histogram.mean(), |share| histogram.quantile(share / 100.0));
                seconds.map(|seconds| 1e3 * seconds)
            }
        };
        items.extend(run.measured.iter().map(|(path, actual)| Item {
            path: if runs.len() == 1 { path.clone() } else { format!("{}.{path}", run.name()) },
            forecast: of(path),
            actual: Some(*actual),
            factors: Vec::new(),
        }));
        if report.rejected > 0 {
            let refused = text::count(report.rejected as f64);
            notes.push(format!("{refused} are longer than the KV cache and refused"));
        }
    }
    let hint = factor.map(|factor| Hint {
        path: "inference.step_time",
        value: number(factor * given),
        why: "measured / forecast time of a step, from the time per output token".to_owned(),
    });
    Ok(Comparison { forms: vec![Form::Bench], items, hints: hint.into_iter().collect(), notes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Bench> {
        Bench::read(text).expect("a result").expect("a known tool")
    }

    /// The keys of each tool's own writer.
    #[test]
    fn every_tool_is_read() {
        let vllm = r#"{"backend": "vllm", "model_id": "m", "completed": 100, "duration": 50.0,
            "total_input_tokens": 102400, "total_output_tokens": 12800, "request_rate": "inf",
            "max_concurrency": 16, "output_throughput": 256.0, "mean_ttft_ms": 80.0,
            "median_ttft_ms": 70.0, "p99_ttft_ms": 200.0, "mean_tpot_ms": 10.0,
            "median_tpot_ms": 9.5, "mean_e2el_ms": 1350.0}"#;
        let sglang = r#"{"backend": "sglang", "request_rate": 4.0, "completed": 200,
            "total_input_tokens": 40000, "total_output_tokens": 20000, "mean_ttft_ms": 50.0,
            "mean_tpot_ms": 8.0, "mean_e2e_latency_ms": 900.0}
            {"backend": "sglang", "request_rate": 8.0, "completed": 200,
            "total_input_tokens": 40000, "total_output_tokens": 20000, "mean_ttft_ms": 60.0,
            "mean_tpot_ms": 9.0, "mean_e2e_latency_ms": 950.0}"#;
        let guidellm = r#"{"benchmarks": [{"config": {"strategy": {"type_": "concurrent", "streams": 8}},
            "metrics": {"request_totals": {"successful": 64},
            "time_to_first_token_ms": {"successful": {"mean": 40.0, "median": 38.0,
                "percentiles": {"p99": 90.0}}},
            "inter_token_latency_ms": {"successful": {"mean": 7.0, "median": 7.1}},
            "request_latency": {"successful": {"mean": 1.5}},
            "prompt_token_count": {"successful": {"mean": 256.0}},
            "output_token_count": {"successful": {"mean": 128.0}},
            "output_tokens_per_second": {"successful": {"mean": 600.0}}}}]}"#;
        let genai = r#"{"request_throughput": {"unit": "requests/sec", "avg": 2.0},
            "request_count": {"avg": 50.0}, "time_to_first_token": {"unit": "ms", "avg": 30.0, "p50": 29.0},
            "inter_token_latency": {"unit": "ms", "avg": 6.0}, "request_latency": {"avg": 800.0},
            "input_sequence_length": {"avg": 500.0}, "output_sequence_length": {"avg": 120.0},
            "output_token_throughput": {"avg": 240.0},
            "input_config": {"loadgen": {"concurrency": 2}}}"#;
        let llmperf = r#"{"num_concurrent_requests": 5, "mean_input_tokens": 550, "mean_output_tokens": 150,
            "results_num_completed_requests": 30, "results_ttft_s_mean": 0.4,
            "results_ttft_s_quantiles_p50": 0.35, "results_inter_token_latency_s_mean": 0.02,
            "results_end_to_end_latency_s_mean": 3.0,
            "results_mean_output_throughput_token_per_s": 250.0}"#;
        let of = |text: &str| {
            let run = read(text).swap_remove(0);
            let (load, tpot) = (run.load, run.measured("tpot_ms.mean").unwrap());
            let ttft = run.measured("ttft_ms.mean").unwrap();
            (load, run.input, run.output, ttft, tpot)
        };
        assert_eq!(of(vllm), (Load::Clients(16), 1024.0, 128.0, 80.0, 10.0));
        assert_eq!(of(sglang), (Load::Rate(4.0), 200.0, 100.0, 50.0, 8.0));
        assert_eq!(of(guidellm), (Load::Clients(8), 256.0, 128.0, 40.0, 7.0));
        assert_eq!(of(genai), (Load::Clients(2), 500.0, 120.0, 30.0, 6.0));
        assert_eq!(of(llmperf), (Load::Clients(5), 550.0, 150.0, 400.0, 20.0));
        assert_eq!(read(sglang).len(), 2);
        let load = |text: &str, from: &str, to: &str| {
            assert!(text.contains(from), "{from}");
            read(&text.replace(from, to)).swap_remove(0).load
        };
        // All at once, as each writer says it.
        let all = "\"max_concurrency\": null";
        assert_eq!(load(vllm, "\"max_concurrency\": 16", all), Load::Clients(100));
        assert_eq!(load(sglang, "4.0,", "Infinity,"), Load::Clients(200));
        // 4 requests/s of 0.9 s have fewer than 16 under way, and more than 2.
        let bounded = |most: u32| format!("\"request_rate\": 4.0, \"max_concurrency\": {most}");
        assert_eq!(load(sglang, "\"request_rate\": 4.0", &bounded(16)), Load::Rate(4.0));
        assert_eq!(load(sglang, "\"request_rate\": 4.0", &bounded(2)), Load::Clients(2));
        let strategy = "{\"type_\": \"concurrent\", \"streams\": 8}";
        let counted =
            "\"request_concurrency\": {\"successful\": {\"mean\": 31.7}}, \"time_to_first";
        let throughput = guidellm.replace(strategy, "{\"type_\": \"throughput\"}");
        assert_eq!(load(&throughput, "\"time_to_first", counted), Load::Clients(32));
        let apart = format!("{{\"records\": {genai}}}")
            .replace(",\n            \"input_config\": {\"loadgen\": {\"concurrency\": 2}}}", "}")
            .replacen('{', "{\"input_config\": {\"loadgen\": {\"concurrency\": 2}}, ", 1);
        assert_eq!(of(&apart).0, Load::Clients(2));
        assert_eq!(read(vllm)[0].measured("ttft_ms.p99"), Some(200.0));
        assert_eq!(read(vllm)[0].measured("tpot_ms.p50"), Some(9.5));
    }

    #[test]
    fn other_texts_are_none_and_what_is_missing_is_said() {
        for text in ["", "a,b\n1,2\n", "{\"timestamp\": 1}", "[1, 2]", "{oops", "[]"] {
            assert!(Bench::read(text).unwrap().is_none(), "{text}");
        }
        let cut = r#"{"mean_ttft_ms": 80.0, "total_output_tokens": 5}"#;
        let error = Bench::read(cut).unwrap_err();
        assert!(error.message().contains("does not say how many were answered"), "{error}");
        let idle = r#"{"mean_ttft_ms": 80.0, "completed": 5, "total_output_tokens": 50,
            "total_input_tokens": 50}"#;
        let error = Bench::read(idle).unwrap_err();
        assert!(error.message().contains("does not say its load"), "{error}");
    }
}
