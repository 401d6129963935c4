//! Live sources against a server on the loopback: every source well, and every source badly.
#![allow(unreachable_pub)]

mod answers;
#[path = "../common/mod.rs"]
mod common;
mod hub;
mod install;
mod server;

use std::cell::RefCell;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use answers::{GOOD, Good};
use chrono::DateTime;
use flopcast::catalog::Catalog;
use flopcast::diagnostic::Result;
use flopcast::live::{FEEDS, Outcome, Policy, Refresh, Snapshot, Store, feed};
use server::{Reply, Server};

const SECRET: &str = "s3cret-k3y";

/// An empty folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let path = common::root().join("target/tmp").join(format!("live-{name}"));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).expect("a folder");
    path
}

/// Asks a source at the server's address; the second value is the pauses it made.
fn ask(name: &str, base: &str, cache: &Path) -> (Result<Outcome>, Vec<u64>) {
    ask_for(3000, name, base, cache)
}

/// The same, for a server that may be silent for so many milliseconds.
fn ask_for(timeout: u64, name: &str, base: &str, cache: &Path) -> (Result<Outcome>, Vec<u64>) {
    let catalog = Catalog::embedded();
    let store = Store::new(cache);
    let regions = ["eastus", "us-east-1", "DE", "CAISO_NORTH"].map(str::to_owned);
    let pauses = RefCell::new(Vec::new());
    let refresh = Refresh {
        catalog: &catalog,
        store: &store,
        regions: &regions,
        variable: &|name| match name.rsplit('_').next() {
            Some("BASE") => Some(base.to_owned()),
            _ => Some(format!("user:{SECRET}")),
        },
        now: DateTime::parse_from_rfc3339("2026-11-23T12:00:00Z").expect("a time").to_utc(),
        policy: Policy {
            timeout: Duration::from_millis(timeout),
            retries: 3,
            pause: &|pause| pauses.borrow_mut().push(pause.as_secs()),
        },
    };
    let outcome = refresh.ask(feed(name).expect("a source"), &|_| {});
    (outcome, pauses.into_inner())
}

fn snapshot(outcome: Result<Outcome>) -> Snapshot {
    match outcome.expect("an answer") {
        Outcome::Fetched(snapshot) => snapshot,
        Outcome::Skipped(why) => panic!("skipped: {why}"),
    }
}

fn has_row(snapshot: &Snapshot, row: &str) -> bool {
    let tables = snapshot.parts.values().flat_map(|part| part.tables.values());
    tables.flatten().any(|line| line == row)
}

/// The first request is answered by `bad`, as long as it says; the others well.
fn faulty(
    good: &'static Good,
    bad: impl Fn(usize) -> Option<Reply> + Send + Sync + 'static,
) -> Server {
    Server::new(move |seen, number| bad(number).unwrap_or_else(|| (good.answer)(seen)))
}

#[test]
fn every_source_is_read() {
    assert_eq!(GOOD.len(), FEEDS.len());
    for good in GOOD {
        let server = Server::new(|seen, _| (good.answer)(seen));
        let (outcome, pauses) = ask(good.feed, &server.base, &folder("none"));
        let snapshot = snapshot(outcome);
        assert!(has_row(&snapshot, good.row), "{}: {snapshot:#?}", good.feed);
        assert!(pauses.is_empty(), "{}", good.feed);
        // The catalog takes it, dated and sourced.
        let catalog = snapshot.over(Catalog::embedded()).expect("a catalog");
        let source = catalog.source(&format!("live-{}", good.feed)).expect("its source");
        assert_eq!(source.as_of.expect("a date").to_string(), "2026-11-23");
    }
}

#[test]
fn figures_come_from_every_kind_of_row() {
    let over = |name: &str| {
        let good = GOOD.iter().find(|good| good.feed == name).expect("a source");
        let server = Server::new(|seen, _| (good.answer)(seen));
        snapshot(ask(name, &server.base, &folder("none")).0).over(Catalog::embedded()).expect("it")
    };
    let france = over("ember").region("owned", "FRA").expect("France");
    let grid = &france.grids[0].intensity;
    assert!((grid.value.value * 3.6e9 - 33.5).abs() < 1e-9, "{grid:?}");
    let ohio = over("eia").electricity("US-VA").expect("a price");
    assert_eq!(ohio.citation.as_of.expect("a date").to_string(), "2025");
    let gpt = over("litellm").api_prices().find(|p| p.model == "gpt-4o").cloned().expect("gpt-4o");
    assert_eq!(gpt.input.citation.titles(), "LiteLLM, model prices");
}

#[test]
fn average_and_marginal_intensities_stay_apart() {
    use flopcast::catalog::GridBasis;
    let of = |name: &str, zone: &str| {
        let good = GOOD.iter().find(|good| good.feed == name).expect("a source");
        let server = Server::new(|seen, _| (good.answer)(seen));
        let snapshot = snapshot(ask(name, &server.base, &folder("none")).0);
        let catalog = snapshot.over(Catalog::embedded()).expect("a catalog");
        let bases = [GridBasis::LifeCycle, GridBasis::Direct, GridBasis::Marginal];
        bases.map(|basis| catalog.signals(zone, basis).len())
    };
    assert_eq!(of("electricity-maps", "DE"), [2, 0, 0]);
    assert_eq!(of("gb-carbon-intensity", "GB"), [0, 2, 0]);
    assert_eq!(of("watttime", "CAISO_NORTH"), [0, 0, 1]);
}

#[test]
fn passing_failures_are_waited_out() {
    for good in GOOD {
        let check = |what: &str, bad: fn(usize) -> Option<Reply>, expected: &[u64]| {
            let server = faulty(good, bad);
            let (outcome, pauses) = ask(good.feed, &server.base, &folder("none"));
            assert!(has_row(&snapshot(outcome), good.row), "{} {what}", good.feed);
            assert_eq!(pauses, expected, "{} {what}", good.feed);
        };
        check(
            "429 with Retry-After",
            |n| (n == 0).then(|| Reply::status(429, &[("retry-after", "7")])),
            &[7],
        );
        check("429", |n| (n == 0).then(|| Reply::status(429, &[])), &[1]);
        check("5xx then success", |n| (n < 2).then(|| Reply::status(503, &[])), &[1, 2]);
        check(
            "cut once",
            |n| (n == 0).then(|| Reply::Cut("text/plain; json", b"{\"data\": [0]}".to_vec())),
            &[1],
        );
    }
}

#[test]
fn lasting_failures_end_in_one_clear_line_and_no_rows() {
    let date = ("date", "Mon, 23 Nov 2026 12:00:00 GMT");
    let later = ("retry-after", "Mon, 23 Nov 2026 13:00:00 GMT");
    let faults: &[(&str, Reply, &str)] = &[
        (
            "429 for ever",
            Reply::status(429, &[]),
            "429 Too Many Requests: come back later, 4 times",
        ),
        ("an hour", Reply::status(429, &[date, later]), "it asks to wait 3600 s"),
        ("no key", Reply::status(401, &[]), "401 Unauthorized: come back later"),
        ("moved", Reply::status(302, &[("location", "http://127.0.0.1:1/")]), "302 Found"),
        ("a page", Reply::ok("text/html", "<html>"), "the answer is `text/html`, not"),
        ("garbage", Reply::ok("text/plain; json", "{\"a\" 1}\n1,2,3\n"), "not as expected"),
        ("empty", Reply::ok("text/plain; json", ""), "4 times"),
        ("cut", Reply::Cut("text/plain; json", b" ".repeat(99)), "broke off"),
    ];
    for good in GOOD {
        for (what, reply, expected) in faults {
            let reply = reply.clone();
            let server = Server::new(move |_, _| reply.clone());
            let (outcome, _) = ask(good.feed, &server.base, &folder("none"));
            let error = outcome.expect_err(&format!("{} {what}", good.feed));
            // A table without rows of a header is as good as none.
            let other = ["names no", "no column", "none of the rows", "broke off"];
            let text = error.to_string();
            let said = text.contains(expected)
                || *what == "garbage" && other.iter().any(|other| text.contains(other))
                || *what == "empty" && other.iter().any(|other| text.contains(other));
            assert!(said, "{} {what}: {text}", good.feed);
            assert_eq!(error.exit_code(), 3, "{} {what}", good.feed);
            assert!(text.starts_with(&format!("{}: ", good.feed)), "{text}");
            assert!(!text.contains(SECRET), "{text}");
        }
    }
}

#[test]
fn a_slow_server_is_left() {
    for name in ["azure", "aws"] {
        let server = Server::new(|_, _| Reply::Stuck("text/csv; json"));
        let outcome = ask_for(200, name, &server.base, &folder("none")).0;
        let text = outcome.expect_err("too slow").to_string();
        assert!(text.contains("the answer broke off"), "{text}");
    }
}

#[test]
fn a_gigabyte_does_not_fit_into_memory_and_need_not() {
    let check = |name: &str, kind: &'static str, piece: &'static [u8]| {
        let server = Server::new(move |_, _| Reply::Endless(kind, piece));
        let text = ask(name, &server.base, &folder("none")).0.expect_err("too large").to_string();
        assert!(text.contains("too large"), "{name}: {text}");
    };
    check("azure", "application/json", b" ");
    check("aws", "text/csv", b"x");
    check("skypilot", "text/plain", b"\"quoted\"");
    // The same, small on the wire.
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let block = vec![b' '; 1 << 20];
    for _ in 0..64 {
        encoder.write_all(&block).expect("memory");
    }
    let packed = encoder.finish().expect("memory");
    let server = Server::new(move |_, _| {
        let headers = vec![("content-encoding", "gzip".to_owned())];
        Reply::Whole(200, "application/json", headers, packed.clone())
    });
    let text = ask("ember", &server.base, &folder("none")).0.expect_err("too large").to_string();
    assert!(text.contains("too large"), "{text}");
}

#[test]
fn lists_end() {
    let check = |name: &str, body: &'static str, expected: &str| {
        let server = Server::new(move |_, _| Reply::ok("application/json", body));
        let text = ask(name, &server.base, &folder("none")).0.expect_err("no list").to_string();
        assert!(text.contains(expected), "{name}: {text}");
        assert!(server.seen().len() < 5, "{name}");
    };
    let item = r#"{"Items": [{"currencyCode": "USD", "retailPrice": 1, "armRegionName": "eastus",
        "productName": "", "unitOfMeasure": "1 Hour", "type": "Consumption"}],
        "NextPageLink": "http://elsewhere.example/api/retail/prices?page=2"}"#;
    check("azure", item, "leads back to itself");
    check("azure", r#"{"Items": [], "NextPageLink": "x"}"#, "none of the rows that are wanted");
    let sku = r#"{"skus": [{"description": "x", "category": {"usageType": "OnDemand"}}],
        "nextPageToken": "again"}"#;
    check("gcp", sku, "leads back to itself");
    check("eia", r#"{"response": {"total": 9, "data": []}}"#, "none of the rows");
}

#[test]
fn what_is_odd_is_refused_by_name() {
    let check = |name: &str, from: &'static str, to: &'static str, expected: &str| {
        let good = GOOD.iter().find(|good| good.feed == name).expect("a source");
        let server = Server::new(move |seen, _| match (good.answer)(seen) {
            Reply::Whole(status, kind, headers, body) => {
                let body = String::from_utf8_lossy(&body).replace(from, to).into_bytes();
                Reply::Whole(status, kind, headers, body)
            }
            other => other,
        });
        let text = ask(name, &server.base, &folder("none")).0.expect_err("odd").to_string();
        assert!(text.contains(expected), "{name}: {text}");
    };
    check("azure", "\"currencyCode\": \"USD\"", "\"currencyCode\": \"XYZ\"", "`XYZ`, not in USD");
    check("aws", "\"USD\"", "\"CNY\"", "`CNY`, not in USD");
    check("gcp", "\"USD\"", "\"EUR\"", "`EUR`, not in USD");
    check("aws", "55.0400000000", "dear", "`dear` is not a number");
    check("ember", "33.5", "\"much\"", "`much` is not a number");
    check("eia", "cents per kilowatt-hour", "pence", "`pence`");
    check("watttime", "lbs_co2_per_mwh", "stones", "`stones`");
    check("electricity-maps", "lifecycle", "other", "`other` emissions");
    check("runpod", "\"data\": {\"gpuTypes\"", "\"data\": null, \"x\": {\"gpuTypes\"", "no data");
    check("skypilot", "AcceleratorName", "Name", "no column `AcceleratorName`");
}

#[test]
fn keys_reach_the_server_and_nothing_else() {
    let check = |name: &str, expected: &str| {
        let good = GOOD.iter().find(|good| good.feed == name).expect("a source");
        let server = Server::new(|seen, _| (good.answer)(seen));
        let snapshot = snapshot(ask(name, &server.base, &folder("none")).0);
        let seen = format!("{:?}", server.seen());
        assert!(seen.contains(expected), "{name}: {seen}");
        assert!(!snapshot.text().contains(SECRET), "{name}");
    };
    check("gcp", &format!("key=user%3A{SECRET}"));
    check("eia", &format!("api_key=user%3A{SECRET}"));
    check("electricity-maps", &format!("auth-token: user:{SECRET}"));
    check("lambda", &format!("authorization: Bearer user:{SECRET}"));
    // base64 of user:s3cret-k3y, then the token that it is exchanged for.
    check("watttime", "authorization: Basic dXNlcjpzM2NyZXQtazN5");
    check("watttime", "authorization: Bearer a.b.c");
    // A server that echoes the key does not get it printed.
    let body = format!(r#"{{"error": {{"message": "bad key user:{SECRET}"}}}}"#);
    let server = Server::new(move |_, _| {
        Reply::Whole(403, "application/json", Vec::new(), body.clone().into_bytes())
    });
    let text = ask("eia", &server.base, &folder("none")).0.expect_err("no").to_string();
    assert!(text.contains("bad key") && !text.contains(SECRET), "{text}");
}

#[test]
fn an_unchanged_copy_is_not_sent_again() {
    let cache = folder("unchanged");
    let good = GOOD.iter().find(|good| good.feed == "litellm").expect("litellm");
    let server = Server::new(|seen, _| {
        if seen.headers.iter().any(|header| header == "if-none-match: \"v1\"") {
            return Reply::Whole(304, "text/plain", Vec::new(), Vec::new());
        }
        match (good.answer)(seen) {
            Reply::Whole(status, kind, _, body) => {
                Reply::Whole(status, kind, vec![("etag", "\"v1\"".to_owned())], body)
            }
            other => other,
        }
    });
    let first = snapshot(ask("litellm", &server.base, &cache).0);
    let path = Store::new(&cache).path(&first.source, first.date);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(&path, first.text()).expect("a file");
    assert_eq!(snapshot(ask("litellm", &server.base, &cache).0), first);
    assert_eq!(server.seen().len(), 2);
}

/// Runs the binary with a cache of its own and the sources at these addresses.
fn run(cache: &Path, bases: &[(&str, &str)], arguments: &[&str]) -> Output {
    command(cache, bases, arguments).output().expect("the binary runs")
}

fn command(cache: &Path, bases: &[(&str, &str)], arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flopcast"));
    command.args(arguments).current_dir(common::root()).env("FLOPCAST_CACHE", cache);
    for (name, base) in bases {
        command.env(format!("FLOPCAST_{name}_BASE"), base);
    }
    command.env_remove("FLOPCAST_DATA");
    command
}

fn text(output: &Output) -> String {
    let streams = [&output.stdout, &output.stderr];
    streams.map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

const SCENARIO: &str = "\
name: one day of eight H100
model: {parameters: 8B}
data: {tokens: 1B}
training:
  hardware: {accelerator: h100-sxm, count: 8}
  precision: bf16
  efficiency: {device_hours: 192}
placement: {provider: aws, region: us-east-1}
";

#[test]
fn a_refresh_changes_the_estimate_until_the_cache_is_deleted() {
    let cache = folder("estimate");
    let file = cache.join("scenario.yaml");
    fs::write(&file, SCENARIO).expect("a file");
    let file = file.to_str().expect("UTF-8");
    let good = GOOD.iter().find(|good| good.feed == "aws").expect("aws");
    let server = Server::new(|seen, _| match (good.answer)(seen) {
        Reply::Whole(status, kind, headers, body) => {
            let body = String::from_utf8_lossy(&body).replace("55.0400000000", "44.0");
            Reply::Whole(status, kind, headers, body.into_bytes())
        }
        other => other,
    });
    let bases = [("AWS", server.base.as_str())];
    let refresh =
        ["catalog", "refresh", "--source", "aws", "--region", "us-east-1", "--retries", "0"];
    let estimate = ["estimate", file, "--format", "json"];
    let explain = ["explain", file, "training.cost_usd.total"];
    let cost = |output: &Output| {
        let value: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        value["training"]["cost_usd"]["total"].as_f64().expect("a cost")
    };
    let before = run(&cache, &[], &estimate);
    // 24 hours of an instance at the embedded price.
    common::close("embedded", cost(&before), 24.0 * 55.04, 1e-9);

    let dry = run(&cache, &bases, &[&refresh[..], &["--dry-run", "--format", "csv"]].concat());
    assert!(text(&dry).contains("us-east-1/p5.48xlarge"), "{}", text(&dry));
    assert_eq!(run(&cache, &[], &estimate), before);

    // Locked before the refresh, it stays as it was.
    let locked = cache.join("locked");
    fs::create_dir_all(&locked).expect("a folder");
    let locked = locked.join("scenario.yaml");
    fs::write(&locked, SCENARIO).expect("a file");
    let locked = locked.to_str().expect("UTF-8");
    let unlocked = run(&cache, &[], &["estimate", locked, "--format", "json"]);
    assert!(run(&cache, &[], &["lock", locked]).status.success());

    let done = run(&cache, &bases, &refresh);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done));
    let after = run(&cache, &[], &estimate);
    common::close("refreshed", cost(&after), 24.0 * 44.0, 1e-9);
    let why = text(&run(&cache, &[], &explain));
    assert!(why.contains("AWS Price List, bulk files of EC2"), "{why}");
    let today = why.split_whitespace().any(|word| word.starts_with("20") && word.contains('-'));
    assert!(today, "{why}");
    let changes = text(&run(&cache, &[], &["catalog", "doctor", "--diff", "--format", "csv"]));
    assert!(changes.contains("on_demand_usd_per_h,55.04,44,"), "{changes}");
    let ages = text(&run(&cache, &[], &["catalog", "doctor", "--format", "csv"]));
    assert!(ages.contains("live-aws"), "{ages}");

    assert_eq!(run(&cache, &[], &["estimate", locked, "--format", "json"]), unlocked);
    let open = run(&cache, &[], &["estimate", locked, "--format", "json", "--no-lock"]);
    common::close("without the lock", cost(&open), cost(&after), 1e-12);

    // As it stood before the refresh.
    let earlier = run(&cache, &[], &[&estimate[..], &["--as-of", "2026-01-01"]].concat());
    common::close("as of", cost(&earlier), 24.0 * 55.04, 1e-9);

    fs::remove_dir_all(cache.join("aws")).expect("the snapshot is there");
    assert_eq!(run(&cache, &[], &estimate), before);
}

#[test]
fn a_source_that_fails_leaves_the_others_and_its_last_rows() {
    let cache = folder("partial");
    let good = |name: &str| GOOD.iter().find(|good| good.feed == name).expect("a source");
    let (runpod, vast) = (good("runpod"), good("vast"));
    let runpod = Server::new(|seen, _| (runpod.answer)(seen));
    let vast = Server::new(|seen, _| (vast.answer)(seen));
    let broken = Server::new(|_, _| Reply::status(500, &[]));
    let refresh =
        ["catalog", "refresh", "--source", "vast", "--source", "runpod", "--retries", "0"];
    let bases = [("VAST", vast.base.as_str()), ("RUNPOD", runpod.base.as_str())];
    assert_eq!(run(&cache, &bases, &refresh).status.code(), Some(0));
    let list = ["catalog", "list", "prices", "vast", "--format", "csv"];
    let before = run(&cache, &[], &list);
    let bases = [("VAST", broken.base.as_str()), ("RUNPOD", runpod.base.as_str())];
    let output = run(&cache, &bases, &refresh);
    assert_eq!(output.status.code(), Some(3));
    let said = text(&output);
    assert!(said.contains("error: vast: the server answers 500"), "{said}");
    assert!(said.lines().any(|line| line.starts_with("runpod") && line.contains("kept")), "{said}");
    assert_eq!(run(&cache, &[], &list), before);
}

#[test]
fn a_refresh_says_what_it_needs() {
    let cache = folder("needs");
    let check = |arguments: &[&str], expected: &str| {
        let output = run(&cache, &[], &[&["catalog", "refresh"], arguments].concat());
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        assert!(text(&output).contains(expected), "{}", text(&output));
    };
    check(&["--source", "azur"], "did you mean `azure`?");
    check(&["--source", "gb-carbon"], "gb-carbon-intensity");
    check(&["--source", "eia"], "FLOPCAST_EIA_KEY");
    check(&["--source", "azure", "--region", "nowhere"], "--region");
    fs::create_dir_all(cache.join("azure")).expect("a folder");
    fs::write(cache.join("azure/2026-01-01.json"), "{").expect("a file");
    // A broken snapshot of one source does not stop a forecast: it is passed over, and said.
    let output = run(&cache, &[], &["estimate", "scenarios/gpt3-175b.yaml"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output).contains("azure/2026-01-01.json"), "{}", text(&output));
}

#[test]
fn a_refusal_has_a_clock_too() {
    for status in [404, 503] {
        let server = Server::new(move |_, _| Reply::Dripping(status));
        let error = ask_for(100, "runpod", &server.base, &folder("drip")).0.expect_err("no answer");
        assert!(error.to_string().contains(&status.to_string()), "{error}");
    }
}

#[test]
fn what_takes_memory_is_refused() {
    let check = |name: &str, body: String, kind: &'static str, part: &str| {
        let server = Server::new(move |_, _| Reply::ok(kind, body.clone()));
        let error = ask(name, &server.base, &folder("memory")).0.expect_err("no answer");
        assert!(error.to_string().contains(part), "{name}: {error}");
    };
    let head = "InstanceType,AcceleratorName,AcceleratorCount,Price,Region\n";
    let cell = format!("{head}p5.48xlarge,\"{}\",8,1,us-east-1\n", "a,b\n".repeat(1 << 19));
    check("skypilot", cell, "text/csv", "a line of it has more than 1 MiB");
    let model = |at: usize| {
        format!(
            "\"m{at}\": {{\"litellm_provider\": \"openai\", \"mode\": \"chat\", \
             \"input_cost_per_token\": 1e-6}}"
        )
    };
    let models: Vec<String> = (0..20_010).map(model).collect();
    check("litellm", format!("{{{}}}", models.join(",")), "application/json", "no end of models");
    let regions = "\"r\",".repeat(300);
    let sku = format!(
        "{{\"skus\": [{{\"description\": \"Nvidia L4 GPU\", \"category\": {{\"usageType\": \
         \"OnDemand\"}}, \"serviceRegions\": [{}]}}]}}",
        regions.trim_end_matches(',')
    );
    check("gcp", sku, "application/json", "has no end");
    check(
        "runpod",
        format!("{{\"a\": \"{}\"}}", "x".repeat(13 << 20)),
        "application/json",
        "12 MiB",
    );
}

/// A type that every source takes for its own.
const ANY: &str = "text/plain; json";

/// Answers of servers that misbehave.
fn misbehaviours() -> Vec<(&'static str, Reply)> {
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let spaces = " ".repeat(1 << 20);
    for _ in 0..128 {
        bomb.write_all(spaces.as_bytes()).expect("memory");
    }
    let gzip = vec![("content-encoding", "gzip".to_owned())];
    let refusal = format!("{{\"error\": {{\"message\": \"{}\"}}}}", "x".repeat(48 << 20));
    vec![
        ("an endless body", Reply::Endless(ANY, b" ")),
        ("an endless row", Reply::Endless(ANY, b"x,")),
        ("an endless cell", Reply::Endless(ANY, b"\"a\n\",")),
        ("a slow body", Reply::Dripping(200)),
        ("a gzip bomb", Reply::Whole(200, ANY, gzip, bomb.finish().expect("memory"))),
        ("deep lists", Reply::ok(ANY, "[".repeat(1 << 20))),
        ("deep objects", Reply::ok(ANY, "{\"a\":".repeat(1 << 20))),
        ("many values", Reply::ok(ANY, format!("{{\"data\": [{}0]}}", "[],".repeat(3 << 20)))),
        ("wide rows", Reply::ok(ANY, format!("{}\n{0}\n", "a,".repeat(400_000)))),
        ("half a body", Reply::Cut(ANY, b" ".repeat(1 << 20))),
        ("another type", Reply::ok("text/html", "<html>".repeat(1 << 20))),
        ("a redirect", Reply::status(302, &[("location", "http://127.0.0.1:1/")])),
        ("a large refusal", Reply::Whole(403, ANY, Vec::new(), refusal.clone().into_bytes())),
        ("a large failure", Reply::Whole(503, ANY, Vec::new(), refusal.into_bytes())),
        ("a slow refusal", Reply::Dripping(404)),
    ]
}

/// Every source meets every misbehaviour, with snapshots in its cache that are none. That a slow
/// or endless answer ends at all is the source's clock: the server would go on.
#[test]
fn no_server_that_misbehaves_takes_memory_time_or_the_cache() {
    for (what, reply) in misbehaviours() {
        let cache = folder("misbehaviour");
        let server = Server::new(move |_, _| reply.clone());
        let mut arguments = vec!["catalog", "refresh", "--timeout", "0.1", "--retries", "0"];
        for region in ["eastus", "us-east-1", "DE", "CAISO_NORTH"] {
            arguments.extend(["--region", region]);
        }
        for feed in FEEDS {
            arguments.extend(["--source", feed.name]);
            let own = cache.join(feed.name);
            fs::create_dir_all(&own).expect("a folder");
            fs::write(own.join("2026-11-01.json"), "{\"half").expect("a file");
            fs::write(own.join("2999-01-01.json"), "{}").expect("a file");
        }
        let mut command = command(&cache, &[], &arguments);
        for feed in FEEDS {
            command.env(feed.variable("BASE"), &server.base);
            command.env(feed.variable("KEY"), format!("user:{SECRET}"));
        }
        let (output, most) = common::peak(&mut command);
        let said = text(&output);
        assert_eq!(output.status.code(), Some(3), "{what}: {said}");
        assert!(most.is_none_or(|mib| mib < 256), "{what}: {most:?} MiB");
        for feed in FEEDS {
            assert!(said.contains(&format!("error: {}: ", feed.name)), "{what}: {said}");
        }
        assert!(!said.contains(SECRET), "{what}: {said}");
        let list = run(&cache, &[], &["catalog", "list", "providers"]);
        assert!(list.status.success(), "{what}: the cache is read: {}", text(&list));
        assert!(list.stdout.starts_with(b"provider"), "{what}: {}", text(&list));
    }
}

#[test]
fn no_answer_takes_more_than_256_megabytes() {
    let model = |at: usize| {
        let notes = "x".repeat(2300);
        format!(
            "\"m{at}\": {{\"litellm_provider\": \"openai\", \"mode\": \"chat\", \"notes\": \
             \"{notes}\", \"nested\": [{}], \"input_cost_per_token\": 1e-6, \
             \"output_cost_per_token\": 1e-6}}",
            "[1,{}],".repeat(16) + "0"
        )
    };
    let models: Vec<String> = (0..19_000).map(model).collect();
    let models = format!("{{{}}}", models.join(","));
    let check = |name: &str, reply: fn(&str) -> Reply, body: &str| {
        let body = body.to_owned();
        let server = Server::new(move |_, _| reply(&body));
        let upper = name.to_ascii_uppercase();
        let cache = folder("peak");
        let bases = [(upper.as_str(), server.base.as_str())];
        let arguments = ["catalog", "refresh", "--source", name, "--timeout", "30"];
        let (output, most) = common::peak(&mut command(&cache, &bases, &arguments));
        assert!(matches!(output.status.code(), Some(0 | 3)), "{name}: {}", text(&output));
        assert!(most.is_none_or(|mib| mib < 256), "{name}: {most:?} MiB");
        let list = run(&cache, &[], &["catalog", "list", "providers"]);
        assert!(list.status.success(), "{name}: the cache is read: {}", text(&list));
    };
    let json = |body: &str| Reply::ok("application/json", body.to_owned());
    check("litellm", json, &models);
    check("azure", |_| Reply::Endless("application/json", b" "), "");
    check("aws", |_| Reply::Endless("text/csv", b"x,"), "");
    check("skypilot", |_| Reply::Endless("text/plain", b"\"a\n\","), "");
    check("runpod", json, &format!("{{\"a\": [{}0]}}", "[],".repeat(3 << 20)));
}

#[test]
fn a_key_is_repeated_in_no_form() {
    let key = format!("user:{SECRET}");
    let forms = [key.clone(), SECRET.to_uppercase(), "user%3As3cret%2Dk3y".to_owned()];
    // base64 of the key, as a login sends it.
    let base64 = "dXNlcjpzM2NyZXQtazN5".to_owned();
    for form in forms.into_iter().chain([base64]) {
        for before in [0, 200, 235] {
            let said = format!("{} {form}", "x".repeat(before));
            let body = serde_json::json!({"error": {"message": said}}).to_string();
            let server = Server::new(move |_, _| {
                Reply::Whole(403, "application/json", Vec::new(), body.clone().into_bytes())
            });
            let text = ask("eia", &server.base, &folder("echo")).0.expect_err("no").to_string();
            let lower = text.to_lowercase();
            for part in ["s3cret", "s3cre", "k3y", "dxnlcjpz"] {
                assert!(!lower.contains(part), "{form} after {before}: {text}");
            }
        }
    }
    // Nor is it kept in a row or as the name of a copy.
    let good = GOOD.iter().find(|good| good.feed == "electricity-maps").expect("it");
    let server = Server::new(|seen, _| match (good.answer)(seen) {
        Reply::Whole(status, kind, _, body) => {
            Reply::Whole(status, kind, vec![("etag", format!("\"{SECRET}\""))], body)
        }
        other => other,
    });
    let kept = snapshot(ask("electricity-maps", &server.base, &folder("echo")).0);
    assert!(!kept.text().contains(SECRET), "{}", kept.text());
}

#[test]
fn a_price_a_thousand_times_the_last_is_held_back() {
    let good = GOOD.iter().find(|good| good.feed == "aws").expect("aws");
    let at = |price: &'static str| {
        let server = Server::new(move |seen, _| match (good.answer)(seen) {
            Reply::Whole(status, kind, headers, body) => {
                let body = String::from_utf8_lossy(&body).replace("55.0400000000", price);
                Reply::Whole(status, kind, headers, body.into_bytes())
            }
            other => other,
        });
        snapshot(ask("aws", &server.base, &folder("jump")).0)
    };
    assert!(at("99.0").held_back.is_empty());
    for price in ["60000.0", "0.01"] {
        let jumped = at(price);
        assert!(jumped.held_back.iter().any(|why| why.contains("p5.48xlarge")), "{jumped:?}");
        let lines = jumped.parts.values().flat_map(|part| part.tables.values()).flatten();
        assert!(lines.clone().all(|line| !line.contains(price.trim_end_matches(".0"))), "{price}");
    }
}

#[test]
fn a_snapshot_that_is_none_is_passed_over_and_said() {
    let cache = folder("passed-over");
    let runpod = cache.join("runpod");
    fs::create_dir_all(&runpod).expect("a folder");
    fs::write(runpod.join("2026-11-01.json"), "{\"half").expect("a file");
    fs::write(runpod.join("2999-01-01.json"), "{}").expect("a file");
    let estimate = run(&cache, &[], &["estimate", "scenarios/gpt3-175b.yaml"]);
    assert_eq!(estimate.status.code(), Some(0));
    let said = String::from_utf8_lossy(&estimate.stderr).into_owned();
    common::holds("estimate", &said, &["2026-11-01.json", "2999-01-01.json", "in the future"]);
    let good = GOOD.iter().find(|good| good.feed == "runpod").expect("runpod");
    let server = Server::new(|seen, _| (good.answer)(seen));
    let refresh = ["catalog", "refresh", "--source", "runpod", "--retries", "0"];
    let refreshed = run(&cache, &[("RUNPOD", &server.base)], &refresh);
    assert_eq!(refreshed.status.code(), Some(0), "{}", text(&refreshed));
    assert!(text(&refreshed).contains("kept"), "{}", text(&refreshed));
    // Where nothing can be written, the listing still says what was asked.
    let file = cache.join("a-file");
    fs::write(&file, "").expect("a file");
    let full = run(&file, &[("RUNPOD", &server.base)], &refresh);
    assert_eq!(full.status.code(), Some(3), "{}", text(&full));
    assert!(text(&full).contains("not written"), "{}", text(&full));
}

/// Kills of a refresh; `FLOPCAST_KILLS=200` asks for more.
#[expect(clippy::disallowed_methods, reason = "a longer run is asked for by the environment")]
fn kills() -> u32 {
    let set = std::env::var("FLOPCAST_KILLS").ok();
    set.map_or(6, |count| count.parse().expect("a number of kills"))
}

/// A refresh that is killed at any moment leaves the old snapshot or the whole new one.
#[test]
fn a_killed_refresh_leaves_a_whole_snapshot() {
    let cache = folder("killed");
    let runpod = cache.join("runpod");
    let good = GOOD.iter().find(|good| good.feed == "runpod").expect("runpod");
    let server = Server::new(|seen, _| (good.answer)(seen));
    let refresh = ["catalog", "refresh", "--source", "runpod", "--retries", "0"];
    let whole = run(&cache, &[("RUNPOD", &server.base)], &refresh);
    assert_eq!(whole.status.code(), Some(0), "{}", text(&whole));
    let snapshots = || {
        let entries = fs::read_dir(&runpod).expect("the source's folder");
        let paths = entries.map(|entry| entry.expect("a file").path());
        paths.filter(|path| path.extension().is_some_and(|end| end == "json")).collect::<Vec<_>>()
    };
    let [kept] = &snapshots()[..] else { panic!("{:?}", snapshots()) };
    let expected = fs::read(kept).expect("a snapshot");
    let mut left = 0;
    for kill in 0..kills() {
        let old = kill % 3 == 0;
        if !old {
            fs::remove_file(kept).expect("a file");
        }
        let mut child = command(&cache, &[("RUNPOD", &server.base)], &refresh)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("the binary runs");
        std::thread::sleep(Duration::from_millis(u64::from(kill % 40)));
        let _ = child.kill();
        child.wait().expect("an end");
        let found: Vec<_> = snapshots().iter().map(|path| fs::read(path).expect("it")).collect();
        left += found.len();
        assert!(found.iter().all(|bytes| *bytes == expected), "kill {kill}: {found:?}");
        assert!(!old || found.len() == 1, "kill {kill} lost the old snapshot");
        if found.is_empty() {
            fs::write(kept, &expected).expect("a file");
        }
    }
    assert!(left > 0, "no kill left a snapshot");
}
