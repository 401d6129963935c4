//! The best of a grid is the best of all its combinations.

use flopcast::estimate::{Estimate, Figure, estimate};
use flopcast::scenario::{document, reader, resolve};
use flopcast::study::aim::Aim;
use flopcast::study::axis::Axis;
use flopcast::study::optimize::{Limit, Request, search};
use flopcast::study::space::Space;

use crate::common::RUN;
use crate::common::library::{Beside, CATALOG};

const AXES: [(&str, &[&str]); 4] = [
    ("training.hardware.accelerator", &["a100-sxm-80gb", "h100-sxm", "v100-sxm2-32gb"]),
    ("training.hardware.count", &["8", "64", "512"]),
    ("placement.region", &["USA", "FRA", "DEU"]),
    ("placement.purchase", &["{price: 1 USD/device-h}", "{price: 3 USD/device-h}"]),
];

/// What one combination takes by itself: nothing shared, nothing remembered.
fn alone(set: &[(&str, &str)]) -> Option<Vec<Figure>> {
    let mut node = document::parse("run.yaml", RUN.as_bytes()).expect("a document");
    for (path, value) in set {
        node.set(&format!("{path}={value}")).expect("a key");
    }
    let file = reader::read(&node).expect("a scenario");
    let scenario = resolve(&file, &CATALOG, &Beside::root()).ok()?;
    estimate(&scenario, &CATALOG).ok().as_ref().map(Estimate::figures)
}

/// 200 random sub-grids, objectives and limits: the optimum is that of trying all one by one.
#[test]
fn the_optimum_is_that_of_brute_force() {
    let sizes = AXES.map(|(_, values)| values.len());
    let all: usize = sizes.iter().product();
    let digits = |mut number: usize| {
        let mut digits = [0; 4];
        for (digit, size) in digits.iter_mut().zip(sizes).rev() {
            *digit = number % size;
            number /= size;
        }
        digits
    };
    let table: Vec<Option<Vec<Figure>>> = (0..all)
        .map(|number| {
            let chosen = digits(number);
            let set: Vec<_> = (0..4).map(|i| (AXES[i].0, AXES[i].1[chosen[i]])).collect();
            alone(&set)
        })
        .collect();
    let names = ["cost", "days", "co2e", "energy"];
    // A linear congruential generator (Knuth, MMIX): the same problems every time.
    let mut state: u64 = 7;
    let mut pick = |most: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % most
    };
    let (mut solved, mut impossible) = (0, 0);
    for problem in 0..200 {
        // A sub-grid: of every axis at least one value, in order.
        let chosen: Vec<Vec<usize>> = sizes
            .iter()
            .map(|&size| {
                let mask = 1 + pick((1 << size) - 1);
                (0..size).filter(|bit| mask >> bit & 1 == 1).collect()
            })
            .collect();
        let objective = Aim::read(names[pick(names.len())]);
        let value = |figures: &[Figure], aim: &Aim| aim.of(figures).and_then(Figure::value);
        // Limits at the values of some combination, so that they bind now and then.
        let limits: Vec<Limit> = (0..=pick(3))
            .filter_map(|_| {
                let aim = Aim::read(names[pick(names.len())]);
                let figures = table[pick(all)].as_ref()?;
                let most = value(figures, &aim)? * (0.5 + pick(100) as f64 / 100.0);
                Some(Limit { aim, most })
            })
            .collect();
        let inside = |number: &usize| {
            digits(*number).iter().zip(&chosen).all(|(digit, kept)| kept.contains(digit))
        };
        let kept = |figures: &[Figure]| {
            limits.iter().all(|it| value(figures, &it.aim).is_some_and(|v| v <= it.most))
        };
        let best = (0..all)
            .filter(inside)
            .filter_map(|number| table[number].as_deref())
            .filter(|figures| kept(figures))
            .filter_map(|figures| value(figures, &objective))
            .min_by(f64::total_cmp);

        let node = document::parse("run.yaml", RUN.as_bytes()).expect("a document");
        let axis = |i: usize| {
            let values: Vec<_> = chosen[i].iter().map(|&at| AXES[i].1[at]).collect();
            Axis::read(&format!("{}={}", AXES[i].0, values.join(",")), &node).expect("an axis")
        };
        let files = Beside::root();
        let axes = (0..4).map(axis).collect();
        let space = Space::new(node.clone(), axes, &CATALOG, &files).expect("a space");
        let request = Request {
            objective,
            limits: limits.clone(),
            beside: Vec::new(),
            reach: Vec::new(),
            longest: None,
        };
        let answer = search(&space, &request, &|_| Ok(())).expect("an answer");
        let found = answer.best.first().and_then(|row| row.values[0]);
        assert_eq!(found, best, "problem {problem}: {limits:?}");
        if best.is_some() { solved += 1 } else { impossible += 1 }
    }
    assert!(solved > 50 && impossible > 20, "{solved} solved, {impossible} impossible");
}
