//! Recorded requests: the Azure LLM inference traces (CSV), Mooncake (JSON lines), and tables with
//! the same columns under other names.

use std::collections::BTreeSet;

use serde_json::Value;

use super::records;
use super::stamp::{self, Stamp, Unit};
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
    /// The file has lengths alone: requests come at random, one second after the other on average.
    pub untimed: bool,
    /// Oddities of the file and their treatment, in words.
    pub notes: Vec<String>,
}

/// When vLLM queued a request; its other stamps are of the same clock.
const QUEUED: &str = "queued_ts";
/// Names of a column of arrivals, each with its unit where the name or the format says it.
const TIME: &[(&str, Option<Unit>)] = &[
    (QUEUED, Some(stamp::SECONDS)),
    ("timestamp", None),
    ("arrival_s", Some(stamp::SECONDS)),
    ("arrived_at", None),
    ("arrival_time", None),
    ("arrival_ms", Some(stamp::MILLISECONDS)),
    ("timestamp_ms", Some(stamp::MILLISECONDS)),
    ("timestamp_s", Some(stamp::SECONDS)),
    ("arrival_us", Some(stamp::MICROSECONDS)),
    ("timestamp_us", Some(stamp::MICROSECONDS)),
    ("timestamp_ns", Some(stamp::NANOSECONDS)),
    ("created_at", None),
    ("created", None),
    ("start_time", None),
    ("starttime", None),
    ("request_time", None),
    ("time", None),
];
const INPUT: &[&str] = &[
    "contexttokens",
    "prompt_tokens",
    "input_tokens",
    "input_length",
    "input_toks",
    "request tokens",
    "prompt_len",
    "prompt_length",
    "input_len",
    "num_prompt_tokens",
    "num_prefill_tokens",
    "inputtokens",
    "prompttokens",
    "request_tokens",
    "num_input_tokens",
    "input_sequence_length",
    "isl",
];
const OUTPUT: &[&str] = &[
    "generatedtokens",
    "output_tokens",
    "completion_tokens",
    "output_length",
    "output_toks",
    "response tokens",
    "output_len",
    "response_length",
    "completion_len",
    "num_output_tokens",
    "num_decode_tokens",
    "outputtokens",
    "completiontokens",
    "response_tokens",
    "generated_tokens",
    "output_sequence_length",
    "osl",
];
/// When the first and the last token came: stamps of the clock of the arrivals.
const STAMPS: [&str; 2] = ["first_token_ts", "last_token_ts"];
/// Or how long after the request, and what that is in seconds.
const TAKEN: [([&str; 2], f64); 2] = [(["ttft_s", "e2e_s"], 1.0), (["ttft_ms", "e2e_ms"], 1e-3)];
/// Tokens that an entry of `hash_ids` may stand for: Mooncake has 512 (Qin et al., FAST 2025),
/// Bailian 16 (Alibaba's traces), engines what their cache has. The first of equals is taken.
const HASH_BLOCKS: [u64; 8] = [512, 16, 32, 64, 128, 256, 1024, 8];
/// Rates of requests, a second, beyond which a wrong unit is likelier than such a service.
const PLAUSIBLE: std::ops::RangeInclusive<f64> = 0.01..=500.0;
/// More tokens than any request has: a mistake in the file.
const MOST: u64 = 1 << 28;
/// The most requests of a trace, and the most entries of `hash_ids`: what they take in memory.
const MOST_REQUESTS: usize = 2_000_000;
const MOST_HASHES: usize = 16_000_000;

/// The stamp of a request without one.
const NEVER: Stamp = Stamp::Date(0.0);

/// A request as the file has it; times are in the file's unit until all of them are known.
struct Row {
    at: Stamp,
    input: u32,
    output: u32,
    hashes: Box<[u64]>,
    tokens_came: Option<Came>,
}

/// When the first and the last token came.
enum Came {
    /// By the clock of the arrivals.
    Stamps([f64; 2]),
    /// So many seconds after the request.
    After([f64; 2]),
}

/// The rows of a file, and the unit of their stamps where the file says it.
#[derive(Default)]
struct Rows {
    all: Vec<Row>,
    hashes: usize,
    unit: Option<Unit>,
    /// True if one of them has no time.
    untimed: bool,
}

impl Rows {
    /// Adds a row of a line.
    fn push(&mut self, row: Row, line: usize) -> Result<()> {
        self.hashes += row.hashes.len();
        if self.all.len() == MOST_REQUESTS || self.hashes > MOST_HASHES {
            return Err(Error::input(format!(
                "line {line}: more than {MOST_REQUESTS} requests, or {MOST_HASHES} hash_ids"
            ))
            .hint("give a part of the trace: a day or an hour of it"));
        }
        self.all.push(row);
        Ok(())
    }
}

/// A pair of columns, `number` finding one.
fn pair(names: [&str; 2], number: &impl Fn(&str) -> Option<f64>) -> Option<[f64; 2]> {
    Some([number(names[0])?, number(names[1])?])
}

/// The time that an answer took by its row.
fn came(number: &impl Fn(&str) -> Option<f64>) -> Option<Came> {
    let taken =
        |(names, unit): &([&str; 2], f64)| Some(pair(*names, number)?.map(|taken| taken * unit));
    let after = || TAKEN.iter().find_map(taken).map(Came::After);
    pair(STAMPS, number).map(Came::Stamps).or_else(after)
}

impl Row {
    /// When the request came, in seconds.
    fn at(&self, unit: f64) -> f64 {
        match self.at {
            Stamp::Date(seconds) => seconds,
            Stamp::Number(number) => number * unit,
        }
    }

    /// How long its answer took.
    fn answered(&self, unit: f64) -> Option<Answered> {
        let at = self.at(unit);
        let [ttft, e2e] = match self.tokens_came.as_ref()? {
            Came::Stamps(stamps) => stamps.map(|stamp| stamp * unit - at),
            Came::After(taken) => *taken,
        };
        // Stamps of another clock, or a request that failed.
        (0.0 <= ttft && ttft <= e2e).then_some(())?;
        let [ttft, e2e] = [ttft, e2e].map(Time::from_stored);
        Some(Answered { ttft, e2e })
    }
}

/// The tokens of a block of the prefix cache: the size for which most prompts have as many blocks
/// as `hash_ids`.
fn block(rows: &[Row]) -> Option<u64> {
    let hashed = || rows.iter().filter(|row| !row.hashes.is_empty());
    hashed().next()?;
    let fit = |size: u64| {
        let fits = |row: &&Row| {
            let blocks = row.hashes.len() as u64;
            let input = u64::from(row.input);
            input.div_ceil(size) == blocks || input / size == blocks
        };
        hashed().filter(fits).count()
    };
    let best = HASH_BLOCKS.iter().map(|size| fit(*size)).max()?;
    HASH_BLOCKS.into_iter().find(|size| fit(*size) == best)
}

impl Trace {
    /// Reads a trace: JSON (lines, an array, indented or not) if the text begins with `{` or `[`,
    /// else CSV with a header.
    ///
    /// Stamps are dates (`2023-11-16 18:15:46.68`) or numbers, whose unit is the one of the column's
    /// name, else found from all of them and said in the notes. The first request is at zero. Where every line has them, the latencies of
    /// the answers are read: `first_token_ts` and `last_token_ts`, or `ttft_s` and `e2e_s` (or
    /// `_ms`). `hash_ids`, where there are any, become
    /// cached prompt tokens as an unbounded prefix cache would find them. A file without a column of
    /// times has lengths alone, such as those of `ShareGPT`'s conversations.
    ///
    /// # Errors
    /// On a missing column, a field that is missing or no number, and more than 2^28 tokens, with
    /// the line. Unsorted stamps are sorted and requests without tokens are left out; the notes say
    /// so.
    pub fn read(text: &str) -> Result<Self> {
        let rows = if is_json(text) { json(text)? } else { csv(text)? };
        let head = text.trim_start().lines().next().unwrap_or_default();
        Ok(Self { at_engine: head.contains(QUEUED), ..Self::of(rows)? })
    }

    /// One over the mean gap between requests; none where all came at once, or nobody noted when.
    pub fn rate(&self) -> Option<RequestRate> {
        if self.untimed {
            return None;
        }
        let last = self.requests.last()?.at.value;
        (last > 0.0).then(|| RequestRate::from_stored((self.requests.len() - 1) as f64 / last))
    }

    /// True if a text has the looks of a trace: its first record, or its header, names the tokens
    /// of
    /// a prompt.
    pub fn looks_like(text: &str) -> bool {
        let named = |name: &str| INPUT.contains(&name.trim().to_lowercase().as_str());
        if is_json(text) {
            return first(text).is_some_and(|record| record.keys().any(|name| named(name)));
        }
        let head = text.trim_start().lines().next().unwrap_or_default();
        head.split(char::from(delimiter(head))).any(named)
    }

    /// Mean prompt tokens, generated tokens and cached prompt tokens of a request.
    pub fn means(&self) -> (f64, f64, f64) {
        let mean = |of: fn(&Recorded) -> u32| {
            let sum: f64 = self.requests.iter().map(|request| f64::from(of(request))).sum();
            sum / self.requests.len().max(1) as f64
        };
        (mean(|r| r.input), mean(|r| r.output), mean(|r| r.cached))
    }

    fn of(Rows { all: mut rows, unit, untimed, .. }: Rows) -> Result<Self> {
        let mut notes = Vec::new();
        if untimed {
            notes
                .push("no times: the requests come at random, in the order of the file".to_owned());
            rows.iter_mut().zip(0_u32..).for_each(|(row, at)| row.at = Stamp::Date(at.into()));
        }
        let numbers = rows.iter().filter_map(|row| match row.at {
            Stamp::Number(number) => Some(number),
            Stamp::Date(_) => None,
        });
        let guessed = !untimed && unit.is_none() && numbers.clone().next().is_some();
        let (name, unit) = unit.unwrap_or_else(|| stamp::unit_of(numbers));
        if guessed && rows.len() > 1 {
            notes.push(format!(
                "stamps are taken as {name}, by their size and the gaps between them"
            ));
        }
        let block = block(&rows);
        if let Some(block) = block {
            notes.push(format!("hash_ids are taken as blocks of {block} tokens"));
        }
        let unsorted = rows.windows(2).filter(|pair| pair[1].at(unit) < pair[0].at(unit)).count();
        if unsorted > 0 {
            notes.push(format!("{unsorted} stamps were earlier than the one before: sorted"));
            rows.sort_by(|a, b| a.at(unit).total_cmp(&b.at(unit)));
        }
        let all = rows.len();
        rows.retain(|row| row.input > 0 && row.output > 0);
        if rows.len() < all {
            let left_out = all - rows.len();
            notes.push(format!("{left_out} requests without input or output tokens left out"));
        }
        let equal = rows.windows(2).filter(|pair| pair[1].at(unit) <= pair[0].at(unit)).count();
        if equal > 0 {
            notes.push(format!("{equal} requests have the stamp of the one before"));
        }
        let Some(first) = rows.first().map(|row| row.at(unit)) else {
            return Err(Error::input("the trace has no request with tokens"));
        };
        let gap =
            rows.windows(2).map(|pair| pair[1].at(unit) - pair[0].at(unit)).fold(0.0, f64::max);
        let span = rows[rows.len() - 1].at(unit) - first;
        if rows.len() > 100 && gap > 0.05 * span && gap > 100.0 * span / rows.len() as f64 {
            notes.push(format!("the trace has a hole of {gap:.0} s in which no request came"));
        }
        let rate = (rows.len() - 1) as f64 / span;
        if !untimed && rate.is_finite() && rate > 0.0 && !PLAUSIBLE.contains(&rate) {
            notes.push(format!(
                "the trace has {} requests a second: look at the unit of its stamps",
                crate::quantity::text::number(rate)
            ));
        }
        let mut seen = BTreeSet::new();
        let request = |row: Row| {
            let known = row.hashes.iter().take_while(|hash| seen.contains(*hash)).count() as u64;
            let (at, answered) = (row.at(unit), row.answered(unit));
            seen.extend(row.hashes);
            Recorded {
                at: Time::from_stored(at - first),
                input: row.input,
                output: row.output,
                cached: (known * block.unwrap_or_default()).min(u64::from(row.input)) as u32,
                answered,
            }
        };
        let requests = rows.into_iter().map(request).collect();
        Ok(Self { requests, at_engine: false, untimed, notes })
    }
}

/// True if the first character opens an object or an array.
fn is_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
}

/// The character between the columns of a header: a comma, a semicolon or a tab.
fn delimiter(head: &str) -> u8 {
    let count = |of: u8| head.bytes().filter(|byte| *byte == of).count();
    [b';', b'\t', b','].into_iter().max_by_key(|of| count(*of)).unwrap_or(b',')
}

/// The rows of a CSV with a header.
fn csv(text: &str) -> Result<Rows> {
    let delimiter = delimiter(text.trim_start().lines().next().unwrap_or_default());
    let mut reader =
        csv::ReaderBuilder::new().flexible(true).delimiter(delimiter).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|e| Error::input(format!("no header: {e}")))?.clone();
    let found = |names: &[&str]| {
        header.iter().position(|h| names.contains(&h.trim().to_lowercase().as_str()))
    };
    let place = |names: &[&str], what: &str| {
        found(names).ok_or_else(|| {
            Error::input(format!("the trace has no column for {what}"))
                .hint(format!("call it one of {}", names.join(", ")))
        })
    };
    let times: Vec<&str> = TIME.iter().map(|(name, _)| *name).collect();
    let (input, output) =
        (place(INPUT, "the prompt's tokens")?, place(OUTPUT, "the generated tokens")?);
    let time = found(&times);
    let unit = time.and_then(|time| unit_of_column(&header[time], &header[input]));
    let mut rows = Rows { unit, untimed: time.is_none(), ..Rows::default() };
    for record in reader.records() {
        let record = record.map_err(|e| Error::input(format!("the trace is no CSV: {e}")))?;
        let line = record.position().map_or(0, |p| p.line() as usize);
        let field = |i: usize| match record.get(i).map(str::trim) {
            None | Some("") => {
                Err(Error::input(format!("line {line}: `{}` is missing", &header[i])))
            }
            Some(text) => Ok(text),
        };
        let number = |name: &str| {
            let column = header.iter().position(|h| h.trim().eq_ignore_ascii_case(name))?;
            record.get(column)?.trim().parse().ok()
        };
        let row = Row {
            at: time.map_or(Ok(NEVER), |time| moment(field(time)?, line))?,
            input: tokens(field(input)?, line)?,
            output: tokens(field(output)?, line)?,
            hashes: Box::default(),
            tokens_came: came(&number),
        };
        rows.push(row, line)?;
    }
    Ok(rows)
}

/// The unit that a column's name says, or its format: `BurstGPT` counts seconds.
fn unit_of_column(time: &str, input: &str) -> Option<Unit> {
    let burst = input.trim().eq_ignore_ascii_case("request tokens");
    let named = TIME.iter().find(|(name, _)| time.trim().eq_ignore_ascii_case(name));
    named.and_then(|(_, unit)| *unit).or(burst.then_some(stamp::SECONDS))
}

/// The first object of a text, if it is one of requests.
fn first(text: &str) -> Option<serde_json::Map<String, Value>> {
    let record = records::records(text).next()?.ok()?;
    let inner = record.elements().ok()?.map(|elements| elements.first().copied());
    match inner.unwrap_or(Some(record))?.value().ok()? {
        Value::Object(record) => Some(record),
        _ => None,
    }
}

/// The rows of JSON Lines or of a JSON array.
fn json(text: &str) -> Result<Rows> {
    let mut rows = Rows::default();
    for record in records::records(text) {
        let record = record?;
        match record.elements()? {
            Some(records) => records.into_iter().try_for_each(|it| object(it, &mut rows))?,
            None => object(record, &mut rows)?,
        }
    }
    Ok(rows)
}

/// Reads a request.
fn object(record: records::Record<'_>, rows: &mut Rows) -> Result<()> {
    let times: Vec<&str> = TIME.iter().map(|(name, _)| *name).collect();
    let line = record.line;
    let Value::Object(record) = record.value()? else {
        let entry = rows.all.len() + 1;
        return Err(Error::input(format!("line {line} is no JSON object: entry {entry}")));
    };
    let field = |names: &[&str], what: &str| {
        let value = names.iter().find_map(|name| record.get(*name));
        value.map(ToString::to_string).ok_or_else(|| {
            Error::input(format!("line {line} has no {what}"))
                .hint(format!("call it one of {}", names.join(", ")))
        })
    };
    let name = times.iter().find(|name| record.contains_key(**name));
    rows.unit = rows.unit.or(name.and_then(|name| unit_of_column(name, "")));
    rows.untimed |= name.is_none();
    let hashes = record.get("hash_ids").and_then(Value::as_array);
    let number = |name: &str| record.get(name)?.as_f64();
    let row = Row {
        at: match name {
            Some(name) => moment(record[*name].to_string().trim_matches('"'), line)?,
            None => NEVER,
        },
        input: tokens(&field(INPUT, "prompt tokens")?, line)?,
        output: tokens(&field(OUTPUT, "generated tokens")?, line)?,
        hashes: hashes.map_or(Box::default(), |ids| ids.iter().filter_map(Value::as_u64).collect()),
        tokens_came: came(&number),
    };
    rows.push(row, line)
}

fn moment(text: &str, line: usize) -> Result<Stamp> {
    stamp::read(text).ok_or_else(|| {
        Error::input(format!("line {line}: `{text}` is no time"))
            .hint("write seconds, or a date such as 2023-11-16 18:15:46.68")
    })
}

fn tokens(text: &str, line: usize) -> Result<u32> {
    let number: Option<f64> = text.parse().ok().filter(|n: &f64| n.fract() == 0.0);
    match number {
        Some(n) if (0.0..=MOST as f64).contains(&n) => Ok(n as u32),
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
            2,
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
        for between in [';', '\t'] {
            let text = "created_at,isl,osl\n2026-01-01T00:00:00Z,7,8\n2026-01-01T00:00:02Z,9,1\n";
            let text = text.replace(',', &between.to_string());
            assert!(Trace::looks_like(&text));
            check(&text, &[(0.0, 7, 8, 0), (2.0, 9, 1, 0)], 0);
        }
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
            3,
        );
        check(&format!("{head}0,0,5\n1,10,0\n2,3,4\n"), &[(0.0, 3, 4, 0)], 2);
        check(&format!("{head}0,2000000,5\n"), &[(0.0, 2_000_000, 5, 0)], 0);
        let stamp = |i: u32| if i < 150 { i } else { i + 10_000 };
        let lines = (0..300).map(|i| format!("{},1,1\n", stamp(i)));
        let holed = lines.fold(head.to_owned(), |text, line| text + &line);
        let trace = Trace::read(&holed).unwrap();
        assert!(trace.notes.iter().any(|it| it.contains("hole of 10001 s")), "{:?}", trace.notes);
    }

    /// The rate of a trace whose stamps say nothing of their unit, as published traces have them.
    #[test]
    fn units_and_blocks_are_found_from_the_data() {
        let check = |text: &str, rate: f64, note: &str| {
            let trace = Trace::read(text).unwrap();
            let got = trace.rate().unwrap().stored();
            assert!((got / rate - 1.0).abs() < 1e-9, "{text}: {got}");
            assert!(trace.notes.iter().any(|it| it.contains(note)), "{:?}", trace.notes);
        };
        let csv = |stamps: [&str; 3]| {
            let rows = stamps.map(|at| format!("{at},10,20\n")).concat();
            format!("timestamp,input_tokens,output_tokens\n{rows}")
        };
        check(&csv(["1700000000063", "1700000000325", "1700000001063"]), 2.0, "milliseconds");
        check(&csv(["1700000000", "1700000003", "1700000004"]), 0.5, "seconds");
        check(&csv(["63", "325", "1063"]), 2.0, "milliseconds");
        check(&csv(["1.5", "1.6", "2.5"]), 2.0, "seconds");
        check(&csv(["0", "0.0001", "0.001"]), 2000.0, "2,000 requests a second");
        check(
            &csv(["2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z", "2026-01-01T01:00:00Z"]),
            2.0 / 3600.0,
            "requests a second",
        );
        let bailian = |at: f64, ids: &str| {
            format!(
                "{{\"timestamp\": {at}, \"input_length\": 40, \"output_length\": 5, \"hash_ids\": [{ids}]}}\n"
            )
        };
        let trace = bailian(1.562, "1, 2, 3") + &bailian(2.062, "1, 2, 4");
        check(&trace, 2.0, "blocks of 16 tokens");
        assert_eq!(Trace::read(&trace).unwrap().requests[1].cached, 32);
    }

    #[test]
    fn json_is_read_in_lines_in_arrays_and_indented() {
        let one = |at: u32| {
            format!(
                "{{\n  \"timestamp_ms\": {at},\n  \"input_length\": 7,\n  \"output_length\": 8\n}}"
            )
        };
        let lines = [one(0), one(500)].map(|text| text.replace('\n', "")).join("\n");
        for text in [
            format!("[{},\n{}]", one(0), one(500)),
            format!("{}\n{}\n", one(0), one(500)),
            lines.clone(),
            format!("[{}]", lines.replace('\n', ",")),
        ] {
            assert!(Trace::looks_like(&text), "{text}");
            check(&text, &[(0.0, 7, 8, 0), (0.5, 7, 8, 0)], 0);
        }
        let broken = format!("{}\n{{\"timestamp_ms\": 3,\n oops", one(0));
        let error = Trace::read(&broken).unwrap_err();
        assert!(error.message().contains("line 7 is no JSON object"), "{error}");
    }

    #[test]
    fn lengths_alone_are_a_trace_without_a_rate() {
        for text in [
            "prompt_len,output_len\n17,20\n900,31\n",
            "[{\"prompt_len\": 17, \"output_len\": 20}, {\"prompt_len\": 900, \"output_len\": 31}]",
        ] {
            assert!(Trace::looks_like(text), "{text}");
            check(text, &[(0.0, 17, 20, 0), (1.0, 900, 31, 0)], 1);
            let trace = Trace::read(text).unwrap();
            assert!(trace.untimed && trace.rate().is_none(), "{text}");
        }
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
            (String::new(), "no column for the prompt's tokens"),
            ("a,b\n1,2\n".to_owned(), "no column for the prompt's tokens"),
            ("{\"timestamp\": 1}\n".to_owned(), "line 1 has no prompt tokens"),
            ("{oops\n".to_owned(), "line 1 is no JSON object"),
        ] {
            let error = Trace::read(&text).unwrap_err();
            assert!(error.message().contains(says), "{error}");
        }
    }
}
