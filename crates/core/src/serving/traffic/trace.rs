//! Recorded requests: the Azure LLM inference traces (CSV), Mooncake (JSON lines), and tables with
//! the same columns under other names.

use std::collections::BTreeSet;

use crate::diagnostic::{Error, Result};
use crate::quantity::{Measure as _, RequestRate, Time};

/// One request as it was recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recorded {
    /// When it came, from the first request on.
    pub at: Time,
    /// Prompt tokens, at least 1.
    pub input: u32,
    /// Tokens that were generated, at least 1.
    pub output: u32,
    /// Prompt tokens found in the prefix cache.
    pub cached: u32,
    /// How long the answer took, where that was recorded, too.
    pub answered: Option<Answered>,
}

/// How long an answer took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answered {
    /// From the request to the first token.
    pub ttft: Time,
    /// From the request to the last token.
    pub e2e: Time,
}

impl Recorded {
    /// Time per output token after the first: (E2E - TTFT) / (output tokens - 1); none of answers
    /// of
    /// one token.
    pub fn tpot(&self) -> Option<Time> {
        let gaps = self.output.checked_sub(1).filter(|gaps| *gaps > 0)?;
        self.answered.map(|it| (it.e2e - it.ttft) / f64::from(gaps))
    }
}

/// Requests as they came, in order of time from zero.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// The requests; at least one.
    pub requests: Vec<Recorded>,
    /// The stamps are those of an engine, to whose queue the front end had passed the requests on.
    pub at_engine: bool,
    /// Oddities of the file and their treatment, in words.
    pub notes: Vec<String>,
}

/// When vLLM queued a request; its other stamps are of the same clock.
const QUEUED: &str = "queued_ts";
/// The names that a column may have, and the seconds of its unit.
const TIME: &[(&str, f64)] = &[
    (QUEUED, 1.0),
    ("timestamp", 1.0),
    ("arrival_s", 1.0),
    ("arrived_at", 1.0),
    ("arrival_time", 1.0),
    ("arrival_ms", 1e-3),
    ("timestamp_ms", 1e-3),
];
const INPUT: &[&str] =
    &["contexttokens", "prompt_tokens", "input_tokens", "input_length", "input_toks"];
const OUTPUT: &[&str] =
    &["generatedtokens", "output_tokens", "completion_tokens", "output_length", "output_toks"];
/// When the first and the last token came: stamps of the clock of the arrivals, in seconds.
const STAMPS: [&str; 2] = ["first_token_ts", "last_token_ts"];
/// Or how long after the request, and what that is in seconds.
const TAKEN: [([&str; 2], f64); 2] = [(["ttft_s", "e2e_s"], 1.0), (["ttft_ms", "e2e_ms"], 1e-3)];
/// Tokens of one `hash_ids` entry of a Mooncake trace (Qin et al., FAST 2025, trace README).
const HASH_BLOCK: u64 = 512;
/// More tokens than any request has: a mistake in the file.
const MOST: u64 = 1 << 28;

/// A request as the file has it.
struct Row {
    at: f64,
    input: u64,
    output: u64,
    hashes: Vec<u64>,
    answered: Option<Answered>,
}

/// The answer's length and times in a row, its request having come at `at`; `number` finds a
/// column.
fn answered(at: f64, number: impl Fn(&str) -> Option<f64>) -> Option<Answered> {
    let pair = |[first, last]: [&str; 2]| Some((number(first)?, number(last)?));
    let stamps = pair(STAMPS).map(|(first, last)| (first - at, last - at));
    let mut taken = TAKEN.iter().filter_map(|(names, unit)| {
        let (first, last) = pair(*names)?;
        Some((first * unit, last * unit))
    });
    let (ttft, e2e) = stamps.or_else(|| taken.next())?;
    // Stamps of another clock, or a request that failed.
    let [ttft, e2e] = (0.0 <= ttft && ttft <= e2e).then_some([ttft, e2e].map(Time::from_stored))?;
    Some(Answered { ttft, e2e })
}

impl Trace {
    /// Reads a trace: JSON lines if the text begins with `{`, else CSV with a header.
    ///
    /// Stamps are dates (`2023-11-16 18:15:46.68`) or numbers of seconds (milliseconds in a
    /// Mooncake trace). The first request is at zero. Where every line has them, the latencies of
    /// the answers are read: `first_token_ts` and `last_token_ts`, or `ttft_s` and `e2e_s` (or
    /// `_ms`). `hash_ids`, where there are any, become
    /// cached prompt tokens as an unbounded prefix cache would find them.
    ///
    /// # Errors
    /// On a missing column, a field that is missing or no number, and more than 2^28 tokens, with
    /// the line. Unsorted stamps are sorted and requests without tokens are left out; the notes say
    /// so.
    pub fn read(text: &str) -> Result<Self> {
        let rows = if text.trim_start().starts_with('{') { json(text)? } else { csv(text)? };
        let head = text.trim_start().lines().next().unwrap_or_default();
        Ok(Self { at_engine: head.contains(QUEUED), ..Self::of(rows)? })
    }

    /// One over the mean gap between requests; none where all came at once.
    pub fn rate(&self) -> Option<RequestRate> {
        let last = self.requests.last()?.at.value;
        (last > 0.0).then(|| RequestRate::from_stored((self.requests.len() - 1) as f64 / last))
    }

    /// True if a text has the looks of a trace: JSON lines, or a CSV with the tokens of requests.
    pub fn looks_like(text: &str) -> bool {
        let head = text.trim_start().lines().next().unwrap_or_default().to_lowercase();
        head.starts_with('{') || head.split(',').any(|column| INPUT.contains(&column.trim()))
    }

    /// Mean prompt tokens, generated tokens and cached prompt tokens of a request.
    pub fn means(&self) -> (f64, f64, f64) {
        let mean = |of: fn(&Recorded) -> u32| {
            let sum: f64 = self.requests.iter().map(|request| f64::from(of(request))).sum();
            sum / self.requests.len().max(1) as f64
        };
        (mean(|r| r.input), mean(|r| r.output), mean(|r| r.cached))
    }

    fn of(mut rows: Vec<Row>) -> Result<Self> {
        let mut notes = Vec::new();
        let unsorted = rows.windows(2).filter(|pair| pair[1].at < pair[0].at).count();
        if unsorted > 0 {
            notes.push(format!("{unsorted} stamps were earlier than the one before: sorted"));
            rows.sort_by(|a, b| a.at.total_cmp(&b.at));
        }
        let all = rows.len();
        rows.retain(|row| row.input > 0 && row.output > 0);
        if rows.len() < all {
            let left_out = all - rows.len();
            notes.push(format!("{left_out} requests without input or output tokens left out"));
        }
        let equal = rows.windows(2).filter(|pair| pair[1].at <= pair[0].at).count();
        if equal > 0 {
            notes.push(format!("{equal} requests have the stamp of the one before"));
        }
        let Some(first) = rows.first().map(|row| row.at) else {
            return Err(Error::input("the trace has no request with tokens"));
        };
        let gap = rows.windows(2).map(|pair| pair[1].at - pair[0].at).fold(0.0, f64::max);
        let span = rows[rows.len() - 1].at - first;
        if rows.len() > 100 && gap > 0.05 * span && gap > 100.0 * span / rows.len() as f64 {
            notes.push(format!("the trace has a hole of {gap:.0} s in which no request came"));
        }
        let mut seen = BTreeSet::new();
        let request = |row: Row| {
            let known = row.hashes.iter().take_while(|hash| seen.contains(*hash)).count() as u64;
            seen.extend(row.hashes);
            Recorded {
                at: Time::from_stored(row.at - first),
                input: row.input as u32,
                output: row.output as u32,
                cached: (known * HASH_BLOCK).min(row.input) as u32,
                answered: row.answered,
            }
        };
        Ok(Self { requests: rows.into_iter().map(request).collect(), at_engine: false, notes })
    }
}

fn csv(text: &str) -> Result<Vec<Row>> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|e| Error::input(format!("no header: {e}")))?.clone();
    let place = |names: &[&str], what: &str| {
        let named = |h: &str| names.contains(&h.trim().to_lowercase().as_str());
        header.iter().position(named).ok_or_else(|| {
            Error::input(format!("the trace has no column for {what}"))
                .hint(format!("call it one of {}", names.join(", ")))
        })
    };
    let times: Vec<&str> = TIME.iter().map(|(name, _)| *name).collect();
    let (time, input, output) = (
        place(&times, "the time of arrival")?,
        place(INPUT, "the prompt's tokens")?,
        place(OUTPUT, "the generated tokens")?,
    );
    let name = header[time].trim().to_lowercase();
    let unit = TIME.iter().find(|(known, _)| *known == name).map_or(1.0, |(_, unit)| *unit);
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| Error::input(format!("the trace is no CSV: {e}")))?;
        let line = record.position().map_or(0, |p| p.line() as usize);
        let field = |i: usize| match record.get(i).map(str::trim) {
            None | Some("") => {
                Err(Error::input(format!("line {line}: `{}` is missing", &header[i])))
            }
            Some(text) => Ok(text),
        };
        let at = stamp(field(time)?, unit, line)?;
        let number = |name: &str| {
            let column = header.iter().position(|h| h.trim().eq_ignore_ascii_case(name))?;
            record.get(column)?.trim().parse().ok()
        };
        rows.push(Row {
            at,
            input: tokens(field(input)?, line)?,
            output: tokens(field(output)?, line)?,
            hashes: Vec::new(),
            answered: answered(at, number),
        });
    }
    Ok(rows)
}

fn json(text: &str) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (i, text) in text.lines().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
        let line = i + 1;
        let record: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text)
            .map_err(|e| Error::input(format!("line {line} is no JSON object: {e}")))?;
        let field = |names: &[&str], what: &str| {
            let value = names.iter().find_map(|name| record.get(*name));
            value.map(ToString::to_string).ok_or_else(|| {
                Error::input(format!("line {line} has no {what}"))
                    .hint(format!("call it one of {}", names.join(", ")))
            })
        };
        let times: Vec<&str> = TIME.iter().map(|(name, _)| *name).collect();
        // Mooncake's `timestamp` counts milliseconds.
        let name = times.iter().find(|name| record.contains_key(**name)).copied();
        let unit = TIME.iter().find(|(known, _)| Some(*known) == name).map_or(1.0, |(_, u)| *u);
        let unit = if record.contains_key("hash_ids") { 1e-3 } else { unit };
        let text = field(&times, "time of arrival")?;
        let hashes = record.get("hash_ids").and_then(serde_json::Value::as_array);
        let at = stamp(text.trim_matches('"'), unit, line)?;
        rows.push(Row {
            at,
            input: tokens(&field(INPUT, "prompt tokens")?, line)?,
            output: tokens(&field(OUTPUT, "generated tokens")?, line)?,
            hashes: hashes
                .map(|ids| ids.iter().filter_map(serde_json::Value::as_u64).collect())
                .unwrap_or_default(),
            answered: answered(at, |name| record.get(name)?.as_f64()),
        });
    }
    Ok(rows)
}

/// Seconds, from any epoch.
fn stamp(text: &str, unit: f64, line: usize) -> Result<f64> {
    if let Some(number) = text.parse().ok().filter(|n: &f64| n.is_finite()) {
        return Ok(number * unit);
    }
    let bare = text.trim_end_matches('Z').trim_end_matches("+00:00").replace('T', " ");
    chrono::NaiveDateTime::parse_from_str(&bare, "%Y-%m-%d %H:%M:%S%.f")
        .map(|date| {
            let utc = date.and_utc();
            utc.timestamp() as f64 + f64::from(utc.timestamp_subsec_nanos()) * 1e-9
        })
        .map_err(|_| {
            Error::input(format!("line {line}: `{text}` is no time"))
                .hint("write seconds, or a date such as 2023-11-16 18:15:46.68")
        })
}

fn tokens(text: &str, line: usize) -> Result<u64> {
    let number: Option<f64> = text.parse().ok().filter(|n: &f64| n.fract() == 0.0);
    match number {
        Some(n) if (0.0..=MOST as f64).contains(&n) => Ok(n as u64),
        Some(n) if n > 0.0 => Err(Error::input(format!("line {line}: {n} tokens in one request"))),
        _ => Err(Error::input(format!("line {line}: `{text}` is no number of tokens"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(trace: &Trace) -> Vec<(f64, u32, u32, u32)> {
        trace.requests.iter().map(|r| (r.at.value, r.input, r.output, r.cached)).collect()
    }

    fn check(text: &str, expected: &[(f64, u32, u32, u32)], notes: usize) {
        let trace = Trace::read(text).unwrap();
        for (got, want) in rows(&trace).iter().zip(expected) {
            assert!((got.0 - want.0).abs() < 1e-6, "{got:?} {want:?}");
            assert_eq!((got.1, got.2, got.3), (want.1, want.2, want.3));
        }
        assert_eq!(trace.requests.len(), expected.len());
        assert_eq!(trace.notes.len(), notes, "{:?}", trace.notes);
    }

    #[test]
    fn azure_mooncake_and_plain_tables_are_read() {
        check(
            "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n\
             2023-11-16 18:15:50.9951690,396,109\n",
            &[(0.0, 374, 44, 0), (4.314_579, 396, 109, 0)],
            0,
        );
        check(
            "{\"timestamp\": 27000, \"input_length\": 1200, \"output_length\": 5, \"hash_ids\": [0, 1, 2]}\n\
             {\"timestamp\": 30000, \"input_length\": 1300, \"output_length\": 6, \"hash_ids\": [0, 1, 7]}\n",
            &[(0.0, 1200, 5, 0), (3.0, 1300, 6, 1024)],
            0,
        );
        check(
            "id,arrival_s,prompt_tokens,output_tokens,more\n0,1.5,10,20,x\n",
            &[(0.0, 10, 20, 0)],
            0,
        );
        check(
            "{\"arrival_time\": 1787267980.5, \"input_toks\": 7, \"output_toks\": 8}\n\n",
            &[(0.0, 7, 8, 0)],
            0,
        );
    }

    #[test]
    fn latencies_are_read_where_the_trace_has_them() {
        let seconds = |text: &str| {
            let request = Trace::read(text).unwrap().requests[0];
            let answered = request.answered.map(|it| (it.ttft.value, it.e2e.value));
            (answered, request.tpot().map(|tpot| tpot.value))
        };
        let log = |last: f64| {
            format!(
                "{{\"arrival_time\": 1787267980.5, \"queued_ts\": 100.0, \"input_toks\": 7, \
                 \"output_toks\": 5, \"first_token_ts\": 100.5, \"last_token_ts\": {last}}}\n"
            )
        };
        assert_eq!(seconds(&log(102.5)), (Some((0.5, 2.5)), Some(0.5)));
        // Of another clock.
        assert_eq!(seconds(&log(90.0)), (None, None));
        let head = "arrival_s,prompt_tokens,output_tokens";
        assert_eq!(seconds(&format!("{head},ttft_ms,e2e_ms\n9,1,1,500,500\n")).0, Some((0.5, 0.5)));
        assert_eq!(seconds(&format!("{head}\n9,1,1\n")), (None, None));
    }

    #[test]
    fn odd_traces_are_put_right_and_say_so() {
        let head = "timestamp,input_tokens,output_tokens\n";
        check(
            &format!("{head}5,1,1\n3,2,1\n5,3,1\n"),
            &[(0.0, 2, 1, 0), (2.0, 1, 1, 0), (2.0, 3, 1, 0)],
            2,
        );
        check(&format!("{head}0,0,5\n1,10,0\n2,3,4\n"), &[(0.0, 3, 4, 0)], 1);
        check(&format!("{head}0,2000000,5\n"), &[(0.0, 2_000_000, 5, 0)], 0);
        let stamp = |i: u32| if i < 150 { i } else { i + 10_000 };
        let lines = (0..300).map(|i| format!("{},1,1\n", stamp(i)));
        let holed = lines.fold(head.to_owned(), |text, line| text + &line);
        let trace = Trace::read(&holed).unwrap();
        assert!(trace.notes[0].contains("hole of 10001 s"), "{:?}", trace.notes);
    }

    #[test]
    fn broken_traces_are_refused_with_the_line() {
        let head = "timestamp,input_tokens,output_tokens\n";
        for (text, says) in [
            (format!("{head}0,1,1\n1,,1\n"), "line 3: `input_tokens` is missing"),
            (format!("{head}0,1\n"), "line 2: `output_tokens` is missing"),
            (format!("{head}soon,1,1\n"), "line 2: `soon` is no time"),
            (format!("{head}0,-1,1\n"), "line 2: `-1` is no number of tokens"),
            (format!("{head}0,1.5,1\n"), "`1.5` is no number of tokens"),
            (format!("{head}0,1e12,1\n"), "1000000000000 tokens in one request"),
            (format!("{head}NaN,1,1\n"), "is no time"),
            (head.to_owned(), "no request with tokens"),
            (String::new(), "no column for the time"),
            ("a,b\n1,2\n".to_owned(), "no column for the time"),
            ("{\"timestamp\": 1}\n".to_owned(), "line 1 has no prompt tokens"),
            ("{oops\n".to_owned(), "line 1 is no JSON object"),
        ] {
            let error = Trace::read(&text).unwrap_err();
            assert!(error.message().contains(says), "{error}");
        }
    }
}
