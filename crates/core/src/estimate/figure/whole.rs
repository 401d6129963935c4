//! The figures of several services together: of the calls that a request makes, of the regions that
//! share the requests.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Figure, Key, Mark, Place, latency, one_mass};
use crate::provenance::{Amount, Traced, Value};
use crate::serving::simulator::ClassReport;

/// A part of the whole: one service in one region.
#[derive(Clone, Debug)]
pub struct Share<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its figures.
    pub figures: &'a [Figure],
    /// Requests that it gets for each of the whole.
    pub per_request: f64,
    /// Its part of [`Mark::Once`] figures: 1 / its calls in a region, of one service alone.
    pub once: f64,
}

/// The terms of a sum, each with the number that it enters it with.
type Terms = Vec<(Value<Amount>, f64)>;

/// The figures of the whole, then those of its parts. What adds up is a sum over the parts; what is
/// per request is a sum over what a request asks of each; latencies are those of the request.
pub fn whole(parts: &[Share<'_>], of_requests: Option<&ClassReport>) -> Vec<Figure> {
    let mut sums: Vec<(Key, Terms)> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut own = Vec::new();
    for part in parts {
        for figure in part.figures {
            let place = Place::Part(part.name.into(), Arc::new(figure.key.place.clone()));
            let key = Key { place, ..figure.key.clone() };
            let path = key.path();
            let reading = figure.reading.clone().map(|it| it.named(&path));
            if let Some(weight) = part.weight(figure) {
                let at = *places.entry(figure.path.clone()).or_insert_with(|| {
                    sums.push((figure.key.clone(), Vec::new()));
                    sums.len() - 1
                });
                sums[at].1.push((reading.clone(), weight));
            }
            own.push(Figure { reading, path, key, mass: figure.mass });
        }
    }
    let mut figures: Vec<Figure> =
        sums.into_iter().map(|(key, terms)| summed(key, terms)).collect();
    figures.extend(of_requests.into_iter().flat_map(latencies));
    one_mass(&mut figures);
    figures.extend(own);
    figures
}

impl Share<'_> {
    /// The number that a figure enters its sum with; `None` for one that has no sum.
    fn weight(&self, figure: &Figure) -> Option<f64> {
        figure.declared().marks.iter().find_map(|mark| match mark {
            Mark::Adds => Some(1.0),
            Mark::Weighs => Some(self.per_request),
            Mark::Once => Some(self.once).filter(|it| *it > 0.0),
            _ => None,
        })
    }
}

/// A sum over parts; unknown as soon as one of them is.
fn summed(key: Key, terms: Terms) -> Figure {
    let path = key.path();
    let lacking = terms.iter().find(|(it, _)| it.known().is_none()).map(|(it, _)| it.clone());
    let reading = lacking.unwrap_or_else(|| {
        let known = terms.into_iter().filter_map(|(it, weight)| {
            let weight = Traced::constant(weight);
            Some((it.known()?.clone(), weight))
        });
        Traced::weighted(known).into()
    });
    let reading = reading.map(|sum| sum.named(&path));
    Figure { reading, path, key, mass: None }
}

/// The latencies of whole requests, by percentile.
fn latencies(of: &ClassReport) -> impl Iterator<Item = Figure> {
    use super::Id::{E2e, E2eAt, Ttft, TtftAt};
    let figure = |key: Key, reading: Value<Amount>| {
        let path = key.path();
        let reading = reading.map(|it| it.or_named(&path));
        (!reading.is_absent()).then_some(Figure { reading, path, key, mass: None })
    };
    let rows = [(Ttft, TtftAt, &of.ttft), (E2e, E2eAt, &of.e2e)];
    rows.into_iter().flat_map(move |(mean, at, histogram)| {
        let means = figure(Key::from(mean), latency(histogram, "mean"));
        let percentiles = ["p50", "p90", "p95", "p99"];
        let others = percentiles.map(|member| {
            let key = Key { member, ..at.at(Place::Service) };
            figure(key, latency(histogram, member))
        });
        means.into_iter().chain(others.into_iter().flatten())
    })
}
