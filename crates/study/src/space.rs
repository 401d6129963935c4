//! A space of scenarios: one document and axes along which its keys vary, in all combinations.

use std::cell::LazyCell;
use std::sync::Arc;

use flopcast_core::catalog::Catalog;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::plan::{Scenario, Service, TrainingPlan};
use flopcast_core::estimate::{Engine, Estimate, Simulated};
use flopcast_core::model::Model;
use flopcast_core::quantity::show;
use flopcast_core::serving::calibration::Calibration;
use flopcast_core::serving::capacity::Search;
use flopcast_scenario::compose::Composition;
use flopcast_scenario::document::{Node, Value};
use flopcast_scenario::file::ScenarioFile;
use flopcast_scenario::memo::Memo;
use flopcast_scenario::resolve::{Frame, Part};
use flopcast_scenario::{Files, Models, spelling};
use rayon::prelude::*;

use super::axis::{Axis, Setting};
use super::batch::{Numbers, is_plain};
use super::capacity::{self, Question};
use super::layouts::{Means, is_open, rough, settle};

/// More combinations are a mistake.
const MOST_POINTS: u64 = 100_000_000;
/// More services are not simulated.
const MOST_SIMULATED: u64 = 2000;

/// A combination, forecast.
#[derive(Clone, Debug)]
pub struct Point {
    /// The forecast, as far as there is one.
    pub estimate: Option<Estimate>,
    /// Why it cannot be done, where it cannot.
    pub obstacle: Option<String>,
}

/// All combinations of the axes' values over a document.
///
/// A forecast is made of parts that different keys bear upon. Combinations that agree in what
/// bears upon a part share it.
pub struct Space<'a> {
    document: Node,
    axes: Vec<Axis>,
    /// True if keys or values of the axes may be spelled as people do.
    respell: bool,
    catalog: &'a Catalog,
    /// The models that combinations share.
    models: Models<'a, dyn Files + Sync + 'a>,
    /// The part of the forecast that each axis bears upon.
    bearing: Vec<Vec<Aspect>>,
    /// Which axes are plain numbers, that [`super::batch`] sets in place.
    plain: Vec<bool>,
    /// True if every value of the axes is one that a scenario can have.
    checked: bool,
    parts: Parts,
}

/// The parts of forecasts that are known, by the digits of the axes that bear upon them.
#[derive(Default)]
pub(crate) struct Parts {
    /// What an engine settles once; without the scenario it is small.
    engines: Memo<Vec<usize>, Result<Arc<Engine>>, 16_384>,
    /// The same by the question of the prediction, beside its model.
    predicted: Memo<String, (Arc<Model>, Result<Arc<Engine>>), 16_384>,
    runs: Memo<Vec<usize>, Result<Part<TrainingPlan>>>,
    services: Memo<Vec<usize>, Result<Part<Service>>>,
    frames: Memo<Vec<usize>, Result<Frame>>,
    sized: Memo<Vec<usize>, Result<Option<Arc<Simulation>>>>,
    numbers: Numbers,
}

/// A service of a combination in its best layout, and what a simulation found of it where it has an
/// SLO.
struct Simulation {
    service: Arc<Service>,
    simulated: Option<Simulated>,
}

/// The parts of a forecast that are settled apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aspect {
    /// The computation of a run and its speed.
    Pace,
    /// The run, with what it costs and emits.
    Run,
    Service,
    Frame,
}

/// The part that a key bears upon; `apart` says that the service has a placement of its own.
fn bearing(path: &str, apart: bool) -> &'static [Aspect] {
    use Aspect::{Frame, Pace, Run, Service};
    match path.split_once('.').unwrap_or((path, "")) {
        ("finance" | "functional_unit" | "name" | "tags", _) => &[Frame],
        // Whole sections may come and go.
        (_, "") => &[Pace, Run, Service, Frame],
        ("training", rest) if rest.starts_with("costs.") => &[Run],
        ("training" | "data", _) => &[Pace, Run],
        ("inference", _) => &[Service],
        ("compress", _) => &[Service, Frame],
        // The start of a run dates its software.
        ("placement", "start") => &[Pace, Run, Service],
        ("placement", _) if apart => &[Run],
        ("placement", _) => &[Run, Service],
        _ => &[Pace, Run, Service, Frame],
    }
}

impl<'a> Space<'a> {
    /// A document and what varies in it.
    ///
    /// # Errors
    /// More combinations than anybody waits for; a key that no scenario has.
    pub fn new(
        document: Node,
        axes: Vec<Axis>,
        catalog: &'a Catalog,
        files: &'a (dyn Files + Sync),
    ) -> Result<Self> {
        if let Some(whole) = Composition::read(&document)? {
            return Err(Error::input("combinations are of one service, and the file has several")
                .at(Some(&whole.place))
                .hint("put the service that varies into a file of its own, or give one a list of places")
                .hint("estimate, capacity, check and compare take them all"));
        }
        let mut space = Self::open(document, axes, Parts::default(), catalog, files);
        if space.len() > MOST_POINTS {
            let message = format!("{} combinations are too many", space.len());
            return Err(Error::input(message).hint(format!("at most {MOST_POINTS}")));
        }
        // A value that no scenario can have, wherever it comes, is a mistake of the question.
        for (axis, values) in space.axes.iter().enumerate() {
            let wrong = (0..values.choices.len()).into_par_iter().find_map_first(|choice| {
                let mut digits = vec![0; space.axes.len()];
                digits[axis] = choice;
                space.file(&digits).err()
            });
            if let Some(error) = wrong {
                return Err(error);
            }
        }
        space.checked = true;
        Ok(space)
    }

    /// A document that reads as a scenario, and values of flopcast's own that vary in it: none of them
    /// is a mistake or spelled as people do.
    pub(crate) fn own(
        document: Node,
        axis: Axis,
        catalog: &'a Catalog,
        files: &'a (dyn Files + Sync),
    ) -> Self {
        let space = Self::open(document, vec![axis], Parts::default(), catalog, files);
        Self { respell: false, ..space }
    }

    /// A document and what varies in it, with the parts of forecasts that an earlier space of the
    /// same document and the same first choices of its axes found.
    pub(crate) fn open(
        document: Node,
        axes: Vec<Axis>,
        parts: Parts,
        catalog: &'a Catalog,
        files: &'a (dyn Files + Sync),
    ) -> Self {
        let own = document.get("inference").and_then(|service| service.get("placement"));
        let may_go = |path| matches!(path, "inference" | "inference.placement");
        let apart = own.is_some_and(|place| matches!(place.value, Value::Map(_)))
            && !axes.iter().flat_map(Axis::paths).any(may_go);
        let of = |axis: &Axis| {
            let mut parts = Vec::new();
            for part in axis.paths().flat_map(|path| bearing(path, apart)) {
                if !parts.contains(part) {
                    parts.push(*part);
                }
            }
            parts
        };
        let bearing = axes.iter().map(of).collect();
        let respell = axes.iter().flat_map(Axis::paths).any(spelling::concerns);
        let one = |axis: &Axis| axis.choices.first().is_some_and(|first| first.sets.len() == 1);
        let plain = axes.iter().map(|axis| one(axis) && axis.paths().all(is_plain)).collect();
        let models = Models::new(files);
        Self { bearing, plain, checked: false, respell, document, axes, catalog, models, parts }
    }

    /// Which axes are plain numbers.
    pub(crate) fn plain(&self) -> &[bool] {
        &self.plain
    }

    /// True if a plain number bears upon the service.
    pub(crate) fn serves_plain(&self) -> bool {
        let mut axes = self.plain.iter().zip(&self.bearing);
        axes.any(|(plain, bearing)| *plain && bearing.contains(&Aspect::Service))
    }

    /// True if every value of the axes is known to be one that a scenario can have.
    pub(crate) fn checked(&self) -> bool {
        self.checked
    }

    /// The values of plain numbers that were read.
    pub(crate) fn numbers(&self) -> &Numbers {
        &self.parts.numbers
    }

    /// Its axes and the parts that it found, for [`Space::open`].
    pub(crate) fn close(self) -> (Vec<Axis>, Parts) {
        (self.axes, self.parts)
    }

    /// How many combinations there are.
    pub fn len(&self) -> u64 {
        let sizes = self.axes.iter().map(|axis| axis.choices.len() as u64);
        sizes.fold(1, u64::saturating_mul)
    }

    /// True if there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The axes that vary.
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// Which value of each axis a combination has; the last axis varies fastest.
    pub fn digits(&self, number: u64) -> Vec<usize> {
        let mut digits = vec![0; self.axes.len()];
        self.write_digits(number, &mut digits);
        digits
    }

    /// As [`Space::digits`], into a place that is there.
    pub(crate) fn write_digits(&self, mut number: u64, digits: &mut [usize]) {
        for (digit, axis) in digits.iter_mut().zip(&self.axes).rev() {
            let size = axis.choices.len() as u64;
            *digit = (number % size) as usize;
            number /= size;
        }
    }

    /// The values of a combination, as people read them.
    pub fn labels(&self, number: u64) -> impl Iterator<Item = &str> {
        let digits = self.digits(number);
        self.axes.iter().zip(digits).map(|(axis, digit)| axis.choices[digit].shown.as_str())
    }

    /// The settings of a combination.
    pub fn settings(&self, number: u64) -> Vec<Setting> {
        let digits = self.digits(number);
        let chosen = self.axes.iter().zip(digits).map(|(axis, digit)| &axis.choices[digit]);
        chosen.flat_map(|choice| choice.sets.iter().cloned()).collect()
    }

    /// The scenario file of a combination.
    pub(crate) fn file(&self, digits: &[usize]) -> Result<ScenarioFile> {
        ScenarioFile::read(&self.document(digits)?)
    }

    fn document(&self, digits: &[usize]) -> Result<Node> {
        let mut document = self.document.clone();
        for (axis, digit) in self.axes.iter().zip(digits) {
            for set in &axis.choices[*digit].sets {
                set.put(&mut document)?;
            }
        }
        if self.respell {
            spelling::respell(&mut document);
        }
        Ok(document)
    }

    /// A combination, forecast.
    pub fn point(&self, number: u64) -> Point {
        self.forecast(&self.digits(number)).unwrap_or_else(|error| Point::impossible(&error))
    }

    /// The forecast of a combination, with what hinders it.
    ///
    /// # Errors
    /// As [`Space::engine`] and [`Engine::run`].
    pub(crate) fn forecast(&self, digits: &[usize]) -> Result<Point> {
        let (engine, _) = self.ready(digits)?;
        let estimate = engine.run()?;
        Ok(Point { obstacle: obstacle(&engine, &estimate), estimate: Some(estimate) })
    }

    /// A combination, resolved.
    ///
    /// # Errors
    /// As [`resolve()`](flopcast_scenario::resolve()).
    pub fn scenario(&self, number: u64) -> Result<Scenario> {
        self.resolved(&self.digits(number))
    }

    /// The scenario of a combination. Parts that several combinations share are resolved once.
    fn resolved(&self, digits: &[usize]) -> Result<Scenario> {
        let (catalog, models) = (self.catalog, &self.models);
        let file = LazyCell::new(|| self.file(digits));
        let file = || file.as_ref().map_err(Clone::clone);
        let frame = self.key(digits, Aspect::Frame);
        let frame = self.parts.frames.of(frame, || Frame::resolve(file()?, models))?;
        let run = self.key(digits, Aspect::Run);
        let run = self.parts.runs.of(run, || Part::training(file()?, catalog, models))?;
        let service = self.key(digits, Aspect::Service);
        let service =
            self.parts.services.of(service, || Part::inference(file()?, catalog, models))?;
        Ok(frame.around(run, service))
    }

    /// The digits of a combination in the axes that bear upon an aspect.
    fn key(&self, digits: &[usize], of: Aspect) -> Vec<usize> {
        let digits = digits.iter().zip(&self.bearing);
        digits.filter(|(_, bearing)| bearing.contains(&of)).map(|(digit, _)| *digit).collect()
    }

    /// The forecast of a combination, ready to run.
    ///
    /// # Errors
    /// As [`resolve()`](flopcast_scenario::resolve()) and [`Engine::new`].
    pub fn engine(&self, number: u64) -> Result<Engine> {
        Ok(self.ready(&self.digits(number))?.0)
    }

    /// The engine of a combination, and whether a search found its service's layout or speed.
    ///
    /// # Errors
    /// As [`Space::engine`].
    pub(crate) fn ready(&self, digits: &[usize]) -> Result<(Engine, bool)> {
        let mut scenario = self.resolved(digits)?;
        let sized = self.sized(digits, &scenario)?;
        if let Some(sized) = &sized {
            scenario.inference = Some(Arc::clone(&sized.service));
        }
        let pace = self.key(digits, Aspect::Pace);
        let settled = self.parts.engines.of(pace, || self.settled(&scenario))?;
        let (engine, found) = (settled.moved(scenario), sized.is_some());
        Ok(match sized.and_then(|sized| sized.simulated.clone()) {
            Some(simulated) => (engine.simulated(simulated), found),
            None => (engine, found),
        })
    }

    /// What an engine settles of a scenario. Offers of one device at many prices are predicted once.
    fn settled(&self, scenario: &Scenario) -> Result<Arc<Engine>> {
        let settle = || {
            let bare = Scenario { training: None, inference: None, ..scenario.clone() };
            Ok(Arc::new(Engine::new(scenario, self.catalog)?.moved(bare)))
        };
        let plain = scenario.training.as_deref().filter(|it| it.rollout.is_none());
        match plain.and_then(|it| Some((it.efficiency.as_ref(), it.prediction.as_ref()?))) {
            Some((given, asked)) => {
                let question = format!("{given:?} {}", asked.words());
                self.parts.predicted.of(question, || (Arc::clone(&asked.model), settle())).1
            }
            None => settle(),
        }
    }

    /// Services that differ in what a simulation sees of them.
    fn services(&self) -> u64 {
        let axes = self.axes.iter().zip(&self.bearing);
        axes.filter(|(_, bearing)| bearing.contains(&Aspect::Service))
            .fold(1, |all, (axis, _)| all.saturating_mul(axis.choices.len() as u64))
    }

    /// Why services with an SLO are forecast by means, where there are too many to simulate.
    pub fn by_means(&self) -> Option<String> {
        let services = self.services();
        (services > MOST_SIMULATED).then(|| {
            format!(
                "{services} services are too many to simulate: they are forecast by means, which \
                 keep no SLO; vary fewer keys of `inference`, at most {MOST_SIMULATED} combinations"
            )
        })
    }

    /// The service of a combination in its best layout; where it has an SLO, simulated by short runs.
    fn sized(&self, digits: &[usize], scenario: &Scenario) -> Result<Option<Arc<Simulation>>> {
        let Some(service) = &scenario.inference else { return Ok(None) };
        let idle = service.rate.value.value <= 0.0;
        let by_means = service.demand.objective.is_empty();
        if idle || by_means && !is_open(service) || self.services() > MOST_SIMULATED {
            return Ok(None);
        }
        self.parts.sized.of(self.key(digits, Aspect::Service), || {
            let calibration = Calibration::shipped()?;
            let search = rough(&Search::default());
            let catalog = self.catalog;
            let means = Means { catalog, files: &self.models, calibration, search: &search };
            let alone = Scenario { training: None, ..scenario.clone() };
            let document = self.document(digits)?;
            let scenario = settle(&document, alone, false, &means, &|_| Ok(()))?.scenario;
            if by_means {
                let settled = |service| Arc::new(Simulation { service, simulated: None });
                return Ok(scenario.inference.map(settled));
            }
            let question =
                Question { calibration, search: &search, records: false, progress: &|_, _| Ok(()) };
            let capacity = capacity::size(&scenario, catalog, &question)?;
            let simulated = capacity.forecast.simulation().cloned();
            Ok(scenario
                .inference
                .zip(simulated)
                .map(|(service, it)| Arc::new(Simulation { service, simulated: Some(it) })))
        })
    }
}

impl Point {
    /// A combination that cannot be forecast, with the reason.
    pub(crate) fn impossible(error: &Error) -> Self {
        Self { estimate: None, obstacle: Some(error.message().to_owned()) }
    }
}

/// Why a forecast cannot come true, although it can be computed.
pub(crate) fn obstacle(engine: &Engine, estimate: &Estimate) -> Option<String> {
    let memory = engine.held().map(|held| held.memory);
    if let Some(memory) = memory.filter(|memory| !memory.fits()) {
        let (needed, there) = (show(memory.reserved), show(memory.capacity));
        return Some(format!("needs {needed} of memory, {there} are there"));
    }
    let margin = estimate.training.as_ref()?.margin_days?;
    (margin < 0).then(|| format!("ends {} days after its deadline", -margin))
}
