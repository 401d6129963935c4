//! Traces of requests in the forms in which they are published: Azure's of 2023 and 2024, Mooncake's,
//! `AIPerf`'s, Bailian's, `BurstGPT`'s, and lengths alone as those of `ShareGPT`.

use flopcast::serving::traffic::Trace;

use crate::common::{close, holds, root};

#[test]
fn every_published_form_is_read() {
    let folder = root().join("tests/data/traces");
    let mut reader = csv::Reader::from_path(folder.join("expected.csv")).expect("a table");
    for row in reader.records() {
        let row = row.expect("a row");
        let [file, requests, rate, input, output, cached, note] =
            std::array::from_fn(|column| &row[column]);
        let text = std::fs::read_to_string(folder.join(file)).expect("a trace");
        let trace = Trace::read(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(trace.requests.len().to_string(), requests, "{file}");
        let found = trace.rate().map(flopcast::quantity::Measure::stored);
        match rate.parse::<f64>() {
            Ok(rate) => close(file, found.expect("a rate"), rate, 1e-6),
            Err(_) => assert_eq!(found, None, "{file}"),
        }
        let means = trace.means();
        for (found, expected) in [(means.0, input), (means.1, output), (means.2, cached)] {
            let expected: f64 = expected.parse().expect("a number");
            assert!((found - expected).abs() < 1e-9, "{file}: {found} {expected}");
        }
        holds(file, &trace.notes.join("; "), &[note]);
    }
}
