//! The forecast as a list of figures: one list serves the table, JSON, CSV and `explain`.

use std::sync::Arc;

use super::tokens::PerToken;
use super::{Estimate, InferenceForecast, Tco, TrainingForecast, Year};
use crate::ledger::footprint::Footprint;
use crate::ledger::line::{Entry, Ledger, Resource};
use crate::ledger::rent_or_buy::Never;
use crate::ledger::sci::TrainingIntensity;
use crate::ledger::window::BestStart;
use crate::provenance::{Known, Step, Traced, Unknown};
use crate::quantity::text::{convert, number, show_stored};
use crate::quantity::{Co2eMass, Measure, Money};
use crate::training::memory::Memory;

/// One named figure.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Its path in the JSON: `training.energy_kwh.it`.
    pub path: String,
    /// Its value in the unit that the path names; `None` is unknown.
    pub value: Option<f64>,
    /// Value and unit as people read them.
    pub shown: String,
    /// How it came about, where that was recorded.
    pub step: Option<Arc<Step>>,
    /// Why it is unknown.
    pub unknown: Option<Unknown>,
}

/// Collects figures under a stage's name.
pub struct Section<'a> {
    stage: String,
    wanted: Wanted<'a>,
    figures: &'a mut Vec<Figure>,
}

/// Which figures are listed: all, or those of some paths.
type Wanted<'a> = Option<&'a [&'a str]>;

impl Section<'_> {
    /// Lists a figure, if anybody wants it: what nobody reads is not written.
    fn push(&mut self, path: &str, figure: impl FnOnce(String) -> Figure) {
        let is = |wanted: &&str| {
            let rest = wanted.strip_prefix(self.stage.as_str());
            rest.and_then(|rest| rest.strip_prefix('.')) == Some(path)
        };
        if self.wanted.is_none_or(|wanted| wanted.iter().any(is)) {
            self.figures.push(figure(format!("{}.{path}", self.stage)));
        }
    }

    pub(super) fn known<Q: Measure>(&mut self, path: &str, unit: &str, figure: &Traced<Q>) {
        self.push(path, |path| Figure {
            path,
            value: Some(convert(figure.value().stored(), unit)),
            shown: show_stored(figure.value().stored(), Q::DIMENSION),
            step: figure.step().cloned(),
            unknown: None,
        });
    }

    pub(super) fn optional<Q: Measure>(
        &mut self,
        path: &str,
        unit: &str,
        figure: Option<&Traced<Q>>,
    ) {
        if let Some(figure) = figure {
            self.known(path, unit, figure);
        }
    }

    pub(super) fn stated<Q: Measure>(&mut self, path: &str, unit: &str, figure: Option<&Known<Q>>) {
        if let Some(figure) = figure {
            self.maybe(path, unit, figure);
        }
    }

    pub(super) fn maybe<Q: Measure>(&mut self, path: &str, unit: &str, figure: &Known<Q>) {
        match figure {
            Ok(figure) => self.known(path, unit, figure),
            Err(unknown) => self.push(path, |path| Figure {
                path,
                value: None,
                shown: "unknown".to_owned(),
                step: None,
                unknown: Some(unknown.clone()),
            }),
        }
    }

    /// A figure that people read in the unit of the JSON too.
    fn in_unit<Q: Measure>(&mut self, path: &str, unit: &str, figure: &Known<Q>) {
        let at = self.figures.len();
        self.maybe(path, unit, figure);
        if let Some(Figure { value: Some(value), shown, .. }) = self.figures.get_mut(at) {
            *shown = format!("{} {unit}", number(*value));
        }
    }
}

impl Section<'_> {
    /// A figure that may not exist: two costs that never meet.
    pub(super) fn or_never<Q: Measure>(
        &mut self,
        path: &str,
        unit: &str,
        figure: &Result<Traced<Q>, Never>,
    ) {
        match figure {
            Ok(figure) => self.known(path, unit, figure),
            Err(_) => self.push(path, |path| Figure {
                path,
                value: None,
                shown: "never".to_owned(),
                step: None,
                unknown: None,
            }),
        }
    }
}

impl Estimate {
    /// Every figure of the forecast, in the order of the JSON.
    pub fn figures(&self) -> Vec<Figure> {
        self.listed(None)
    }

    /// The figures of these paths, as far as the forecast has them.
    pub fn figures_at(&self, paths: &[&str]) -> Vec<Figure> {
        self.listed(Some(paths))
    }

    fn listed(&self, wanted: Wanted<'_>) -> Vec<Figure> {
        let mut figures = Vec::with_capacity(wanted.map_or(96, <[_]>::len));
        let mut section = |stage: &str, list: &dyn Fn(&mut Section<'_>)| {
            if wanted.is_none_or(|paths| paths.iter().any(|path| path.starts_with(stage))) {
                list(&mut Section { stage: stage.to_owned(), wanted, figures: &mut figures });
            }
        };
        if let Some(training) = &self.training {
            section("training", &|out| list_training(training, out));
        }
        if let Some(inference) = &self.inference {
            section("inference", &|out| list_inference(inference, out));
            for year in &inference.years {
                section(&format!("inference.years.{}", year.year), &|out| {
                    list_year(year, inference.cost_of(year).as_ref(), out);
                });
            }
        }
        for (stage, ownership) in self.ownerships() {
            section(&format!("rent_or_buy.{stage}"), &|out| ownership.list_comparison(out));
        }
        if let Some(tco) = &self.tco {
            section("tco", &|out| list_tco(tco, out));
            if let Some(sci) = &tco.sci {
                section("sci", &|out| out.maybe("co2e_g", "gCO2e", sci));
            }
        }
        if let Some(training) = &self.training {
            section("sci.training", &|out| list_training_sci(&training.sci, out));
        }
        figures
    }
}

fn list_training(training: &TrainingForecast, out: &mut Section<'_>) {
    let run = &training.run;
    out.optional("tokens", "tokens", run.tokens.as_ref());
    out.optional("samples", "samples", run.samples.as_ref());
    out.optional("flops.six_nd", "FLOP", run.flops.six_nd.as_ref());
    out.known("flops.model", "FLOP", &run.flops.model);
    out.known("flops.model_full", "FLOP", &run.flops.model_full);
    out.known("flops.hardware", "FLOP", &run.flops.hardware);
    out.known("mfu", "", &run.mfu);
    out.known("hfu", "", &run.hfu);
    out.known("goodput", "", &run.goodput);
    out.optional("step_time_s", "s", run.step_time.as_ref());
    out.optional("tokens_per_second_per_device", "tokens/s/device", run.throughput.as_ref());
    out.optional("devices", "devices", training.devices.as_ref());
    out.optional("instances", "instances", training.packing.as_ref().map(|p| &p.instances));
    out.optional("stranded_devices", "devices", training.packing.as_ref().map(|p| &p.stranded));
    out.known("device_hours", "device-h", &run.device_time);
    out.optional("wall_clock_days", "days", run.wall_clock.as_ref());
    if let Some(memory) = &training.memory {
        list_memory(memory, out);
    }
    list_footprint("energy_kwh", &training.footprint, out);
    if let Some(start) = &training.best_start {
        list_start(start, &training.footprint, out);
    }
    list_cost(&training.money, training.cost.as_ref(), out);
    if let Some(ownership) = &training.ownership {
        ownership.list_purchases(out);
    }
    out.stated("flops_per_usd.peak", "FLOP/USD", training.peak_flops_per_usd.as_ref());
    out.stated("flops_per_usd.achieved", "FLOP/USD", training.achieved_flops_per_usd.as_ref());
}

/// The sum of each resource's rows, then that of all.
fn list_cost(money: &Ledger<Money>, total: Option<&Known<Money>>, out: &mut Section<'_>) {
    for (resource, sum) in money.by_resource(|_| true) {
        let path = format!("cost_usd.{}", resource.key());
        let sum = sum.map(|sum| sum.named(&format!("{}.{path}", out.stage)));
        out.maybe(&path, "USD", &sum);
    }
    out.stated("cost_usd.total", "USD", total);
}

fn list_memory(memory: &Memory, out: &mut Section<'_>) {
    let parts = [
        ("weights", memory.weights),
        ("gradients", memory.gradients),
        ("optimizer", memory.optimizer),
        ("activations", memory.activations),
        ("other", memory.other),
        ("allocated", memory.allocated),
        ("reserved", memory.reserved),
        ("capacity", memory.capacity),
    ];
    for (name, value) in parts {
        let path = format!("memory_gb.{name}");
        out.known(&path, "GB/device", &Traced::counted("", value, "memory model", false));
    }
}

fn list_footprint(energy_key: &str, footprint: &Footprint, out: &mut Section<'_>) {
    out.maybe(&format!("{energy_key}.it"), "kWh", &footprint.it);
    out.maybe(&format!("{energy_key}.facility"), "kWh", &footprint.facility);
    if footprint.by_load() {
        for (part, resource) in [("work", Resource::Work), ("idle", Resource::Idle)] {
            let meant = |entry: &Entry| entry.resource == resource;
            if let Some(energy) = footprint.facility_of(meant) {
                out.maybe(&format!("{energy_key}.{part}"), "kWh", &energy);
            }
            if let Some(mass) = footprint.location_of(meant) {
                out.maybe(&format!("co2e_kg.{part}"), "kgCO2e", &mass);
            }
        }
    }
    out.maybe("co2e_kg.location", "kgCO2e", &footprint.location);
    if let Some(upstream) = &footprint.upstream {
        out.maybe("co2e_kg.upstream", "kgCO2e", upstream);
    }
    out.maybe("co2e_kg.market", "kgCO2e", &footprint.market);
    if let Some(marginal) = &footprint.marginal {
        out.maybe("co2e_kg.marginal", "kgCO2e", marginal);
    }
    for (level, share) in ["low", "mid", "high"].iter().zip(&footprint.embodied) {
        out.maybe(&format!("co2e_kg.embodied.{level}"), "kgCO2e", &share.total);
    }
    out.maybe("water_l.on_site", "L", &footprint.water);
    out.maybe("water_l.off_site", "L", &footprint.grid_water);
}

fn list_start(start: &Result<BestStart, Unknown>, footprint: &Footprint, out: &mut Section<'_>) {
    match start {
        Ok(start) => {
            out.known("start_window.planned_g_per_kwh", "gCO2e/kWh", &start.at_planned);
            out.known("start_window.best_g_per_kwh", "gCO2e/kWh", &start.at_best);
            out.known("start_window.saving", "", &start.saving);
            let saved = start.saved(&footprint.location.clone().map(Traced::retype::<Co2eMass>));
            out.maybe("start_window.saved_co2e_kg", "kgCO2e", &saved);
        }
        Err(unknown) => {
            out.maybe::<Co2eMass>("start_window.saved_co2e_kg", "kgCO2e", &Err(unknown.clone()));
        }
    }
}

fn list_training_sci(sci: &TrainingIntensity, out: &mut Section<'_>) {
    out.maybe("kg_per_run", "kgCO2e", &sci.run);
    if let Some(token) = &sci.token {
        out.maybe("kg_per_million_tokens", "kgCO2e/Mtoken", token);
    }
    out.maybe("kg_per_billion_parameters", "kgCO2e", &sci.billion_parameters);
}

fn list_inference(inference: &InferenceForecast, out: &mut Section<'_>) {
    out.known("ttft_ms.mean", "ms/request", &inference.latency.ttft);
    out.optional("tpot_ms.mean", "ms/token", inference.latency.tpot.as_ref());
    out.known("e2e_ms.mean", "ms/request", &inference.latency.e2e);
    let limits = &inference.limits;
    out.known("replica.devices", "devices", &inference.replica_devices);
    out.optional("replica.prefill_devices", "devices", inference.prefill_devices.as_ref());
    out.known("replica.max_rate_per_s", "requests/s", &limits.max_rate);
    out.optional("replica.kv_capacity_tokens", "tokens", limits.kv_capacity.as_ref());
    out.known("replica.max_concurrency", "", &limits.max_concurrency);
    if let Some(rounds) = &limits.speculation {
        out.known("speculative.acceptance", "", &rounds.acceptance);
        out.known("speculative.tokens_per_verification", "", &rounds.yields);
        out.optional("speculative.draft_share", "", rounds.draft_share.as_ref());
    }
    if let Some(first) = inference.years.first() {
        out.known("fleet.replicas", "", &first.replicas);
        out.known("fleet.devices", "devices", &first.devices);
        out.known("fleet.device_hours", "device-h", &first.fleet_time);
        let packing = first.packing.as_ref();
        out.optional("fleet.instances", "instances", packing.map(|p| &p.instances));
        out.optional("fleet.stranded_devices", "devices", packing.map(|p| &p.stranded));
        out.known("fleet.peak_rate_per_s", "requests/s", &first.peak_rate);
    }
    if let Some(renewal) = &inference.renewal {
        out.known("refresh.replica_devices", "devices", &renewal.replica_devices);
        out.known("refresh.max_rate_per_s", "requests/s", &renewal.max_rate);
    }
    out.known("per_query.flops", "FLOP/request", &inference.flops);
    list_cost(&inference.money, inference.cost.as_ref(), out);
    if let Some(ownership) = &inference.ownership {
        ownership.list_purchases(out);
    }
    if let Some(api) = &inference.api {
        api.list(out);
    }
    out.stated("per_query.serving_usd", "USD/request", inference.serving_cost.as_ref());
    out.stated("per_query.loaded_usd", "USD/request", inference.loaded_cost.as_ref());
    out.maybe("per_query.energy_wh", "Wh/request", &inference.energy);
    out.maybe("per_query.co2e_g.location", "gCO2e/request", &inference.location);
    out.maybe("per_query.co2e_g.embodied", "gCO2e/request", &inference.embodied);
    if let Some(tokens) = &inference.tokens {
        list_tokens(tokens, out);
    }
    let bound = &inference.lower_bound;
    out.known("lower_bound.flops", "FLOP", &bound.flops);
    out.known("lower_bound.device_hours", "device-h", &bound.device_time);
    out.known("lower_bound.share_of_fleet", "", &bound.share);
    out.maybe("lower_bound.energy_kwh.facility", "kWh", &bound.footprint.facility);
    out.maybe("lower_bound.co2e_kg.location", "kgCO2e", &bound.footprint.location);
}

fn list_tokens(tokens: &PerToken, out: &mut Section<'_>) {
    if let Some(money) = &tokens.money {
        out.maybe("per_million_tokens.cost_usd", "USD/Mtoken", &money.all);
        out.maybe("per_million_tokens.input_usd", "USD/Mtoken", &money.input);
        out.maybe("per_million_tokens.output_usd", "USD/Mtoken", &money.output);
    }
    out.maybe("per_million_tokens.energy_kwh", "kWh/Mtoken", &tokens.energy);
    out.maybe("per_million_tokens.co2e_kg.location", "kgCO2e/Mtoken", &tokens.location);
    out.in_unit("per_output_token.energy_j", "J/token", &tokens.energy_per_output);
    out.in_unit("per_output_token.co2e_g.location", "gCO2e/token", &tokens.location_per_output);
}

fn list_year(year: &Year, cost: Option<&Known<Money>>, out: &mut Section<'_>) {
    out.known("requests", "requests", &year.requests);
    out.known("replicas", "", &year.replicas);
    out.known("devices", "devices", &year.devices);
    out.optional("instances", "instances", year.packing.as_ref().map(|p| &p.instances));
    out.stated("cost_usd", "USD", cost);
    list_footprint("energy_kwh", &year.footprint, out);
}

fn list_tco(tco: &Tco, out: &mut Section<'_>) {
    out.known("horizon_years", "", &tco.horizon_years);
    out.maybe("total_usd", "USD", &tco.total);
    out.maybe("present_value_usd", "USD", &tco.present_value);
    out.maybe("energy_kwh", "kWh", &tco.energy);
    out.maybe("co2e_kg.location", "kgCO2e", &tco.location);
    out.maybe("co2e_kg.embodied", "kgCO2e", &tco.embodied);
}
