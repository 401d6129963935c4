//! The layout of a replica that a file leaves open, searched: tensor, pipeline, data and expert
//! degrees that an engine can run the model in.
//!
//! [`axis`] has the layouts as values of one key, so a search over them is a search over a
//! [`Space`], pruned by its bounds ([`choose`]). [`settle`] takes the best of them for one document.

use flopcast_core::catalog::Catalog;
use flopcast_core::diagnostic::Result;
use flopcast_core::estimate::plan::{Choice as Chosen, Scenario, Service};
use flopcast_core::provenance::{Basis, Expr};
use flopcast_core::serving::calibration::Calibration;
use flopcast_core::serving::capacity::Search;
use flopcast_core::serving::step::Deployment;
use flopcast_scenario::Files;
use flopcast_scenario::document::Node;

use super::axis::{Axis, Choice as Value, Setting};
use super::fleets::{Choice, Sized, Verdict, Wanted, choose};
use super::offers::{self, Saving};
use super::space::Space;

/// The key of a layout.
pub const KEY: &str = "inference.parallelism";

/// Degrees within a node.
const TENSOR: [u32; 4] = [1, 2, 4, 8];
/// Stages of a pipeline.
const PIPELINE: [u32; 3] = [1, 2, 4];
/// Devices over which attention is replicated and experts are spread.
const WIDE: [u32; 6] = [2, 4, 8, 16, 32, 64];
/// The least saving for which a batch is taken: above what runs of this length tell apart.
const TAKEN: f64 = 0.05;
/// Layouts that are told one by one.
const TOLD: usize = 6;

/// The degrees of one replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Layout {
    tensor: u32,
    pipeline: u32,
    data: u32,
    whole_experts: bool,
}

impl Layout {
    fn of(deployment: &Deployment) -> Self {
        let Deployment { tensor, pipeline, data, expert_parallel, .. } = *deployment;
        Self { tensor, pipeline, data, whole_experts: expert_parallel }
    }

    /// Those that a model of so many layers has, with experts or without.
    fn all(layers: u64, experts: bool) -> Vec<Self> {
        let plain = |tensor, pipeline| Self { tensor, pipeline, data: 1, whole_experts: false };
        let mut all = Vec::new();
        for tensor in TENSOR {
            let stages = PIPELINE.into_iter().filter(|stages| u64::from(*stages) <= layers.max(1));
            all.extend(stages.map(|pipeline| plain(tensor, pipeline)));
            if experts && tensor > 1 {
                all.push(Self { whole_experts: true, ..plain(tensor, 1) });
            }
            if experts && tensor < 8 {
                let data = WIDE.into_iter().filter(|data| tensor * data <= 64);
                all.extend(data.map(|data| Self { data, whole_experts: true, ..plain(tensor, 1) }));
            }
        }
        // Of equals the plainer comes first.
        all.sort_by_key(|it| (it.data, it.pipeline, it.whole_experts, it.tensor));
        all
    }

    /// The layout in words.
    fn shown(self) -> String {
        let experts = self.tensor * self.data;
        let parts = [
            ("tensor", self.tensor, self.data == 1 || self.tensor > 1),
            ("pipeline", self.pipeline, self.pipeline > 1),
            ("data", self.data, self.data > 1),
            ("expert", experts, self.whole_experts),
        ];
        let parts = parts.into_iter().filter(|(.., told)| *told);
        parts.map(|(name, degree, _)| format!("{name} {degree}")).collect::<Vec<_>>().join(" x ")
    }

    /// The layout as `inference.parallelism` of a scenario.
    fn text(self) -> String {
        let Self { tensor, pipeline, data, whole_experts } = self;
        let expert = if whole_experts { tensor * data } else { 1 };
        format!("{{tensor: {tensor}, pipeline: {pipeline}, data: {data}, expert: {expert}}}")
    }

    /// The same as a value of an axis.
    fn value(self) -> Result<Value> {
        let sets = vec![Setting::new("layout", KEY, &self.text())?];
        Ok(Value { sets, shown: self.shown() })
    }
}

/// True if nobody said how a replica is laid out.
pub fn is_open(service: &Service) -> bool {
    matches!(service.replica.devices.leaf().how, Expr::Leaf(Basis::Assumed { .. }))
}

/// The layouts that a service may have, its own among them; none for a network that answers in one
/// pass, which is not split, and for pools that the file lays out.
///
/// # Errors
/// None: the texts are well-formed.
pub fn axis(service: &Service) -> Result<Option<Axis>> {
    let Some(instances) = service.demand.instances.as_ref() else { return Ok(None) };
    if is_given(service) {
        return Ok(None);
    }
    let layers = service.demand.model.extents.layers;
    let own = Layout::of(&instances.decode.deployment);
    let mut all = Layout::all(layers, !instances.dense());
    if !all.contains(&own) {
        all.push(own);
    }
    let choices = all.into_iter().map(Layout::value).collect::<Result<_>>()?;
    Ok(Some(Axis { name: KEY.to_owned(), choices }))
}

/// True if a service has pools that the file lays out.
fn is_given(service: &Service) -> bool {
    service.replica.pools.is_some() && !is_open(service)
}

/// The layout of a service, as the value of [`KEY`]; none where [`axis`] has none.
pub fn value(service: &Service) -> Option<String> {
    let instances = service.demand.instances.as_ref().filter(|_| !is_given(service))?;
    Some(Layout::of(&instances.decode.deployment).text())
}

/// Data that a search of layouts computes with.
#[derive(Clone, Copy)]
pub struct Means<'a> {
    /// Devices, prices, regions.
    pub catalog: &'a Catalog,
    /// Files beside the document.
    pub files: &'a (dyn Files + Sync),
    /// The serving calibration.
    pub calibration: &'a Calibration,
    /// How thorough the search is; layouts are compared by shorter runs.
    pub search: &'a Search,
}

/// A service in its best layout.
#[derive(Clone, Debug)]
pub struct Settled {
    /// The scenario; that of the document where it says the layout, or none keeps the SLO.
    pub scenario: Scenario,
    /// The layouts that were tried, in words.
    pub tried: Option<String>,
    /// Other settings that the document leaves open and that would cost less, in words; where others
    /// are tried beside the document's own.
    pub offers: Option<String>,
}

/// Runs that tell layouts apart.
pub fn rough(search: &Search) -> Search {
    let requests = search.requests.min(4000);
    Search { requests, seeds: 1, tolerance: search.tolerance.max(0.03), ..*search }
}

/// Searches the layout that a document leaves open, and takes the cheapest; with `beside`, tries the
/// others where it says its own, too. `scenario` is the document, resolved.
///
/// # Errors
/// As [`choose`].
pub fn settle(
    document: &Node,
    scenario: Scenario,
    beside: bool,
    means: &Means<'_>,
    progress: &(dyn Fn(f64) -> Result<()> + Sync),
) -> Result<Settled> {
    let plain = |scenario| Ok(Settled { scenario, tried: None, offers: None });
    let Some(service) = scenario.inference.as_ref() else { return plain(scenario) };
    let open = is_open(service);
    if service.rate.value.value <= 0.0 || !(open || beside) {
        return plain(scenario);
    }
    let Some(axis) = axis(service)? else { return plain(scenario) };
    let Some(instances) = service.demand.instances.as_ref() else { return plain(scenario) };
    let own = Layout::of(&instances.decode.deployment).shown();
    let Means { catalog, files, calibration, search } = *means;
    let space = Space::own(document.clone(), axis, catalog, files);
    let choice = choose(&space, catalog, calibration, &rough(search), Wanted::Best, &|done| {
        progress(done as f64 / space.len() as f64)
    })?;
    let Some(best) = choice.cheapest.or(choice.smallest) else { return plain(scenario) };
    let tried = Some(words(&space, &choice, best, (!open).then_some(&own)));
    let chosen = space.labels(best).next().unwrap_or_default().to_owned();
    let bounded = open && !service.demand.objective.is_empty();
    let batch = match choice.at(best).filter(|_| beside || bounded) {
        Some(sized) => offers::batch(document, space.settings(best), service, sized, means)?,
        None => None,
    };
    let (taken, told) = match batch {
        Some(batch) if bounded && batch.change <= -TAKEN => (Some(batch), None),
        batch => (None, batch),
    };
    let offers = match choice.at(best).filter(|_| beside) {
        Some(sized) => {
            let formats = offers::narrower(document, service, sized, means)?;
            let told = formats.iter().chain(&told).map(Saving::words).collect::<Vec<_>>();
            (!told.is_empty()).then(|| told.join("; "))
        }
        None => None,
    };
    if !open || chosen == own && taken.is_none() {
        return Ok(Settled { scenario, tried, offers });
    }
    let (found, batch) = match taken {
        Some(Saving { scenario, value, .. }) => (scenario, Some(value)),
        None => (space.scenario(best)?, None),
    };
    let mut scenario = Scenario { warnings: scenario.warnings, ..found };
    let mut choose = |path, value, why: &str| {
        scenario.choices.push(Chosen { path, value, why: why.to_owned() });
    };
    choose(KEY, chosen, "the cheapest of the layouts that were tried");
    if let Some(batch) = batch {
        choose(offers::BATCH, batch, "the cheapest of the batches that were tried");
    }
    Ok(Settled { scenario, tried, offers })
}

/// The layouts in words, the cheapest first, each beside it; `given` is the file's own.
fn words(space: &Space<'_>, choice: &Choice, best: u64, given: Option<&String>) -> String {
    let name = |number: u64| space.labels(number).next().unwrap_or_default().to_owned();
    let mut sized: Vec<(u64, &Sized)> = choice.sized().collect();
    // Of equals the best comes first.
    let order = |(number, it): &(u64, &Sized)| (it.merits.price(), *number != best);
    sized.sort_by(|a, b| {
        let ((a, behind), (b, other)) = (order(a), order(b));
        a.total_cmp(&b).then(behind.cmp(&other))
    });
    let first = choice.at(best).map_or(f64::NAN, |it| it.merits.price());
    let told = |number: u64| -> &str {
        match number {
            _ if given.is_some_and(|given| *given == name(number)) => ", the file's own",
            _ if number == best => "",
            _ if choice.greenest == Some(number) => ", the greenest",
            _ if choice.smallest == Some(number) => ", the smallest",
            _ => "",
        }
    };
    let more = sized.len().saturating_sub(TOLD);
    let one_by_one = sized
        .iter()
        .enumerate()
        .filter(|(place, (number, _))| *place < TOLD || !told(*number).is_empty());
    let mut parts: Vec<String> = one_by_one
        .map(|(_, (number, it))| {
            let (devices, more) = (it.merits.devices, it.merits.price() / first - 1.0);
            let word = if devices <= 1.0 { "device" } else { "devices" };
            let more =
                if *number == best { String::new() } else { format!(", {:+.0} %", 100.0 * more) };
            format!("{}: {devices:.0} {word}{more}{}", name(*number), told(*number))
        })
        .collect();
    if more > 0 {
        parts.push(format!("{more} more are dearer"));
    }
    let group = |what: &str, of: fn(&Verdict) -> bool| {
        let verdicts = choice.verdicts.iter().zip(0_u64..);
        let names: Vec<String> = verdicts
            .filter(|(verdict, _)| of(verdict))
            .map(|(_, number)| {
                let own = given.is_some_and(|given| *given == name(number));
                name(number) + if own { " (the file's own)" } else { "" }
            })
            .collect();
        let shown = names.iter().take(TOLD).cloned().collect::<Vec<_>>().join(", ");
        let rest = names.len().saturating_sub(TOLD);
        let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        (!names.is_empty()).then(|| format!("{what}: {shown}{rest}"))
    };
    parts.extend(group("behind by a bound, not simulated", |it| matches!(it, Verdict::Beaten(_))));
    parts.extend(group("not possible", |it| matches!(it, Verdict::Infeasible(_))));
    parts.join("; ")
}

/// The axes of a question over several devices or other keys, with the layouts that the document
/// leaves open as the last one, and whether it was added.
///
/// # Errors
/// As [`Space::new`].
pub fn beside(
    document: &Node,
    mut axes: Vec<Axis>,
    catalog: &Catalog,
    files: &(dyn Files + Sync),
) -> Result<(Vec<Axis>, bool)> {
    let said = |path: &str| path == KEY || path.starts_with("inference.parallelism.");
    if document.at(KEY).is_some() || axes.iter().flat_map(Axis::paths).any(said) {
        return Ok((axes, false));
    }
    let space = Space::new(document.clone(), axes.clone(), catalog, files)?;
    // What one combination can do, others can: the model is the same but where it varies.
    let first = (0..space.len().min(1000)).find_map(|number| space.scenario(number).ok());
    let service = first.as_ref().and_then(|scenario| scenario.inference.as_deref());
    let layouts = service.map(axis).transpose()?.flatten();
    let added = layouts.is_some();
    axes.extend(layouts);
    Ok((axes, added))
}
