//! What a table of half of the networks says of the other half: top-1 of timm's models on
//! `ImageNet`, images per second on an RTX 4090.

use std::collections::BTreeMap;

use flopcast_study::pareto::front;
use flopcast_study::search::quality::{Surrogate, Table, quantile, rank_correlation};
use flopcast_study::search::volume::{hypervolume, reference};

use crate::folder;

type Row = BTreeMap<String, String>;

/// The configuration of a row as a user would note it: the kind of network, how it was trained,
/// and its size.
fn cells(row: &Row) -> Vec<String> {
    let (arch, recipe) = row["model"].split_once('.').unwrap_or((&row["model"], ""));
    let size = ["params_m", "gmacs", "macts_m", "img_size"].map(|column| row[column].clone());
    [arch.to_owned(), recipe.to_owned()].into_iter().chain(size).collect()
}

fn score(row: &Row) -> f64 {
    row["top1"].parse().expect("top-1")
}

/// Half of the rows are the user's table, in both ways.
#[test]
#[ignore = "needs FLOPCAST_ORACLES"]
fn half_of_the_networks_tell_of_the_other_half() {
    let path = folder().join("vision").join("timm.csv");
    let mut reader = csv::Reader::from_path(path).expect("a table");
    let rows: Vec<Row> = reader.deserialize().map(|row| row.expect("a row")).collect();
    for shown in [0, 1] {
        let (known, hidden): (Vec<_>, Vec<_>) =
            rows.iter().enumerate().partition(|(at, _)| at % 2 == shown);
        let columns = ["arch", "recipe", "params_m", "gmacs", "macts_m", "img_size"];
        let table = Table {
            name: "timm.csv".to_owned(),
            columns: columns.map(str::to_owned).to_vec(),
            score: "top1".to_owned(),
            rows: known.iter().map(|(_, row)| (cells(row), score(row))).collect(),
        };
        let surrogate = Surrogate::fit(table).expect("a fit");
        let hidden: Vec<&Row> = hidden.into_iter().map(|(_, row)| row).collect();
        let predicted: Vec<_> =
            hidden.iter().map(|row| surrogate.predict(&cells(row)).expect("numbers")).collect();
        let truth: Vec<f64> = hidden.iter().map(|row| score(row)).collect();
        let scores: Vec<f64> = predicted.iter().map(|it| it.score).collect();
        let errors: Vec<f64> = scores.iter().zip(&truth).map(|(a, b)| (a - b).abs()).collect();
        let held = errors.iter().zip(&predicted).filter(|(error, it)| **error <= it.half_width);
        let cover = held.count() as f64 / errors.len() as f64;
        let correlation = rank_correlation(&scores, &truth);
        let (median, p90) = (quantile(errors.clone(), 0.5), quantile(errors, 0.9));

        let latency = |row: &Row| 1e3 / row["samples_s_rtx4090_amp"].parse().unwrap_or(f64::NAN);
        let timed: Vec<usize> =
            (0..hidden.len()).filter(|at| latency(hidden[*at]).is_finite()).collect();
        let points = |scores: &[f64]| -> Vec<(f64, f64)> {
            timed.iter().map(|at| (latency(hidden[*at]).ln(), scores[*at])).collect()
        };
        let real = points(&truth);
        let of = |chosen: Vec<bool>| -> Vec<Vec<f64>> {
            let chosen = real.iter().zip(chosen).filter(|(_, on)| *on);
            chosen.map(|((cost, score), _)| vec![*cost, -score]).collect()
        };
        let all = of(vec![true; real.len()]);
        let end = reference(all.iter().map(Vec::as_slice));
        let share =
            hypervolume(&of(front(&points(&scores))), &end) / hypervolume(&of(front(&real)), &end);
        println!(
            "{} rows shown, {} hidden: median error {median:.2}, P90 {p90:.2}, rank correlation \
             {correlation:.3}, cover {:.1} %, left-out median {:.2}; front {:.1} % of the hypervolume",
            known.len(),
            hidden.len(),
            100.0 * cover,
            surrogate.error.median,
            100.0 * share
        );
        assert!(median <= 1.5 && correlation >= 0.85, "{median} {correlation}");
        assert!((0.75..=0.88).contains(&cover), "{cover}");
        assert!(share >= 0.9, "{share}");
    }
}
