//! The points of a plan: each a model, a compression and a scenario, forecast and judged.

use std::collections::BTreeMap;
use std::sync::Arc;

use flopcast_core::catalog::{Accelerator, Catalog};
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::Estimate;
use flopcast_core::kernel::Device;
use flopcast_core::kernel::calibration::Calibration;
use flopcast_core::kernel::network::{Setup, Task, Work};
use flopcast_core::model::compress::{Compressed, Compression, Form, Format};
use flopcast_core::model::{AttentionCount, Input, Model, Spec};
use flopcast_core::quantity::system::data::byte;
use flopcast_core::quantity::text::{convert, parse};
use flopcast_core::quantity::{Data, Measure as _, Precision, Time, Tokens};
use flopcast_scenario::Files;
use flopcast_scenario::document::{self, Node};
use serde_json::{Map, Value as Json};

use super::architecture::{build, text};
use super::evolve::{Judged, Problem, Verdict};
use super::figure::{Figure, Limit};
use super::plan::{Knob, Level, Plan, Turns, Values};
use super::quality::{Predicted, Surrogate, Table};
use crate::axis::{Axis, Choice, Setting};
use crate::batch::{Walk, is_plain};
use crate::sizing::Law;
use crate::space::{self, Parts, Space};

/// The beginning of the path under which a scenario sees the model of a point; its digits follow.
const MODEL: &str = "point:";
/// A rank or an excess that is not known because a limit has decided before.
const FAR: f64 = 1e300;

/// The scenario that the points are forecast in.
pub struct Frame<'a> {
    /// The scenario.
    pub document: Node,
    /// Devices, prices, regions.
    pub catalog: &'a Catalog,
    /// The files that it names.
    pub files: &'a (dyn Files + Sync),
}

/// Where quality comes from.
#[derive(Debug)]
pub enum Source {
    /// The user's results, and what compressions add: the settings of each row and its delta.
    Table(Box<Surrogate>, Option<Deltas>),
    /// A scaling law and the tokens of training. It sees size, not shape.
    Law(Law, Tokens),
}

/// What compressions add to the score, as somebody measured it.
#[derive(Clone, Debug)]
pub struct Deltas {
    /// The knobs of its columns.
    pub columns: Vec<String>,
    rows: Vec<(Vec<String>, f64)>,
}

impl Deltas {
    /// Reads a table of knobs of `compress` and a column `delta`.
    ///
    /// # Errors
    /// No such column, no row, a delta that is no number.
    pub fn read(name: &str, text: &str) -> Result<Self> {
        let wrong = |message: String| {
            Error::input(message).within(name).hint("a header `compress.quantization,delta`")
        };
        let mut reader =
            csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
        let header = reader.headers().map_err(|error| wrong(error.to_string()))?.clone();
        let at = header.iter().position(|it| it == "delta");
        let at = at.ok_or_else(|| wrong("there is no column `delta`".to_owned()))?;
        let others = |record: &csv::StringRecord| -> Vec<String> {
            let cells = record.iter().enumerate().filter(|(column, _)| *column != at);
            cells.map(|(_, cell)| cell.to_owned()).collect()
        };
        let mut rows = Vec::new();
        for (record, line) in reader.records().zip(2..) {
            let record = record.map_err(|error| wrong(error.to_string()))?;
            let delta = record[at].parse().ok().filter(|value: &f64| value.is_finite());
            let message = || wrong(format!("line {line}: `{}` is no delta", &record[at]));
            rows.push((others(&record), delta.ok_or_else(message)?));
        }
        if rows.is_empty() {
            return Err(wrong("it holds no rows".to_owned()));
        }
        Ok(Self { columns: others(&header), rows })
    }

    /// What a compression adds; none where nobody measured it. Nothing adds nothing.
    fn of(&self, values: &BTreeMap<&str, &str>) -> Option<f64> {
        let asked: Vec<&str> = self
            .columns
            .iter()
            .map(|it| values.get(it.as_str()).copied().unwrap_or("none"))
            .collect();
        if asked.iter().all(|it| *it == "none") {
            return Some(0.0);
        }
        let row = self.rows.iter().find(|(cells, _)| cells.iter().eq(asked.iter()));
        row.map(|(_, delta)| *delta)
    }
}

/// A device that passes are timed on.
struct Timed {
    accelerator: Accelerator,
    setup: Setup,
}

/// The points of a plan.
pub struct Points<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Where quality comes from; none where the plan asks for none.
    pub source: Option<Source>,
    sizes: Vec<usize>,
    devices: Vec<Timed>,
    frame: Option<Frame<'a>>,
    levels: Vec<Level>,
    /// The axes of the scenario: the knobs that turn it alone.
    axes: Vec<Axis>,
    /// The figures of a point: objectives, limits, and what is always shown.
    figures: Vec<Figure>,
}

/// A point with its figures.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The values of its knobs and what is derived.
    pub values: Values,
    /// Its figures, in the order of [`Points::figures`]; what was not needed any more is unknown.
    pub figures: Vec<Option<f64>>,
    /// Its quality, with its interval.
    pub quality: Option<Predicted>,
    /// Its forecast, where the scenario was asked.
    pub estimate: Option<Box<Estimate>>,
}

impl<'a> Points<'a> {
    /// The points of a plan, in a scenario where there is one.
    ///
    /// # Errors
    /// An unknown device, or one whose peak or bandwidth is unknown; a table that cannot be read;
    /// a column of it that is no knob.
    pub fn new(
        plan: &'a Plan,
        frame: Option<Frame<'a>>,
        catalog: &Catalog,
        files: &dyn Files,
    ) -> Result<Self> {
        let calibration = Calibration::shipped()?;
        let timed = |name: &String| {
            let accelerator = catalog.accelerator(name)?;
            let precision = accelerator.products(plan.precision)?;
            let device = Device::of(accelerator, precision)?;
            let setup = Setup::new(&device, calibration.runtime("compiled"), &calibration)?;
            Ok(Timed { accelerator: accelerator.clone(), setup })
        };
        let devices: Vec<_> = plan.devices.iter().map(timed).collect::<Result<_>>()?;
        let mut figures: Vec<Figure> = Vec::new();
        let latencies = plan.devices.iter().cloned().enumerate();
        let asked = plan.objectives.iter().map(|it| it.figure.clone());
        let asked = asked.chain(plan.limits.iter().map(|it| it.figure.clone()));
        let shown = [Figure::Flops, Figure::Parameters, Figure::Memory].into_iter();
        let shown = shown.chain(latencies.map(|(at, name)| Figure::Latency(at, name)));
        for figure in asked.chain(plan.quality.iter().map(|_| Figure::Quality)).chain(shown) {
            if !figures.contains(&figure) {
                figures.push(figure);
            }
        }
        let (levels, axes) = (Vec::new(), Vec::new());
        let sizes = plan.sizes();
        let mut points = Self { plan, source: None, sizes, devices, frame, figures, levels, axes };
        points.turns()?;
        points.source = points.read_quality(files)?;
        let columns = match &points.source {
            Some(Source::Table(surrogate, deltas)) => {
                let deltas = deltas.iter().flat_map(|it| &it.columns);
                surrogate.table.columns.iter().chain(deltas).cloned().collect()
            }
            _ => Vec::new(),
        };
        points.levels = plan.levels(&columns);
        let knobs = plan.knobs.iter().zip(&points.levels);
        let alone = knobs.filter(|(_, level)| **level == Level::Scenario);
        points.axes = alone.map(|(knob, _)| axis(knob)).collect::<Result<_>>()?;
        Ok(points)
    }

    /// Refuses a knob of the model whose values all give the same layers.
    fn turns(&self) -> Result<()> {
        for (at, knob) in self.plan.knobs.iter().enumerate() {
            if knob.turns != Turns::Model || knob.values.len() < 2 {
                continue;
            }
            let layers = |value: usize| {
                let mut digits = vec![0; self.sizes.len()];
                digits[at] = value;
                let values = self.plan.values(&digits).ok()?;
                let model = build(&self.file(&values), &self.input(&values)).ok()?;
                Some(format!("{:?}", model.layers))
            };
            let Some(first) = layers(0) else { continue };
            if (1..knob.values.len()).all(|value| layers(value).as_ref() == Some(&first)) {
                let name = self.plan.architecture.name();
                let message = format!("turning `{}` changes nothing of {name}", knob.name);
                let others = self.plan.architecture.known().filter(|it| *it != knob.name);
                return Err(Error::input(message).suggest(&knob.name, others));
            }
        }
        Ok(())
    }

    /// The figures that facts hold.
    pub fn figures(&self) -> &[Figure] {
        &self.figures
    }

    fn read_quality(&self, files: &dyn Files) -> Result<Option<Source>> {
        let Some(quality) = &self.plan.quality else { return Ok(None) };
        if let Some(name) = &quality.law {
            let laws = Law::shipped()?;
            let known: Vec<String> = laws.iter().map(|law| law.id.clone()).collect();
            let law = laws.into_iter().find(|law| law.id == *name).ok_or_else(|| {
                Error::input(format!("there is no scaling law `{name}`"))
                    .suggest(name, known.iter().map(String::as_str))
                    .hint(known.join(", "))
            })?;
            let tokens = self.tokens(quality.tokens.as_ref())?;
            if law.loss(1e9, tokens).is_none() {
                return Err(Error::input(format!("{name} predicts no loss"))
                    .hint("hoffmann-3 and besiroglu do"));
            }
            return Ok(Some(Source::Law(law, tokens)));
        }
        let name = quality.table.as_ref().ok_or_else(|| {
            Error::input("`quality` names no table and no law")
                .hint("quality: {table: results.csv, score: top1}, or {law: besiroglu}")
        })?;
        let text = utf8(name, files.read(name)?)?;
        let table = Table::read(name, &text, quality.score().0, quality.columns.as_deref())?;
        for column in &table.columns {
            let knob = self.plan.knobs.iter().any(|knob| knob.name == *column);
            let figure = ["flops", "parameters", "memory"].contains(&column.as_str());
            if !knob && !figure {
                let known = self.plan.knobs.iter().map(|knob| knob.name.as_str());
                return Err(Error::input(format!("{name}: column `{column}` is no knob"))
                    .suggest(column, known)
                    .hint(
                        "columns are knobs or flops, parameters, memory; `quality.columns` \
                           names those that count",
                    ));
            }
        }
        let deltas =
            quality.deltas.as_ref().map(|name| Deltas::read(name, &utf8(name, files.read(name)?)?));
        Ok(Some(Source::Table(Box::new(Surrogate::fit(table)?), deltas.transpose()?)))
    }

    /// Tokens of training, as the file or the scenario says.
    fn tokens(&self, said: Option<&Json>) -> Result<Tokens> {
        let lacks = || {
            Error::input("a scaling law needs the tokens of training")
                .hint("quality: {law: besiroglu, tokens: 300B}")
        };
        let text = match said {
            Some(Json::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => {
                let document = self.frame.as_ref().map(|frame| &frame.document);
                let node = document.and_then(|it| it.at("data.tokens")).ok_or_else(lacks)?;
                match &node.value {
                    document::Value::Text(text) => text.clone(),
                    document::Value::Number(number) => number.to_string(),
                    _ => return Err(lacks()),
                }
            }
        };
        parse(&text).map_err(|error| Error::input(error.to_string()))
    }

    /// The model file of a point.
    pub fn file(&self, values: &Values) -> Json {
        let of_model = |(name, _): &&(String, Json)| {
            let knob = self.plan.knobs.iter().find(|knob| knob.name == *name);
            knob.is_none_or(|knob| knob.turns == Turns::Model)
        };
        let sets = values.iter().filter(of_model).map(|(name, value)| (name.as_str(), value));
        self.plan.architecture.with(sets)
    }

    /// The compression of a point, as `compress:` of a scenario; empty where there is none.
    pub fn compression(&self, values: &Values) -> Map<String, Json> {
        let mut compress: Map<String, Json> = Map::new();
        for (name, value) in values {
            let Some(path) = name.strip_prefix("compress.") else { continue };
            let none = value.is_null() || value.as_str() == Some("none");
            if none || value.as_f64() == Some(0.0) {
                continue;
            }
            let (key, group) = path.split_once('.').unwrap_or((path, ""));
            let groups = compress.entry(key).or_insert_with(|| Json::Object(Map::new()));
            groups[group] = value.clone();
        }
        compress
    }

    /// The input of a point.
    fn input(&self, values: &Values) -> Input {
        let said = |name: &str, usual: Option<u64>| {
            let knob = self.plan.knobs.iter().any(|it| it.name == name && it.turns == Turns::Input);
            let value = values.iter().find(|(known, _)| known == name && knob);
            value.and_then(|(_, value)| value.as_u64()).or(usual)
        };
        Input {
            image_size: said("image_size", self.plan.image_size),
            sequence: said("sequence_length", self.plan.sequence),
            ..Input::default()
        }
    }

    /// A point with its figures. Limits on figures that are cheap to know decide first; `all` wants
    /// the others all the same.
    ///
    /// # Errors
    /// Why the point cannot be.
    pub fn facts(&self, digits: &[usize], all: bool) -> Result<Facts> {
        let mut shared = Shared::default();
        let (figures, estimate) = self.worth(&mut shared, digits, all)?;
        let quality = shared.base(self, digits)?.quality;
        let values = self.plan.values(digits)?;
        Ok(Facts { values, figures, quality, estimate: estimate.map(Box::new) })
    }

    /// The figures of a point, and its forecast where the scenario was asked.
    fn worth<'p>(
        &'p self,
        shared: &mut Shared<'p>,
        digits: &[usize],
        all: bool,
    ) -> Result<(Vec<Option<f64>>, Option<Estimate>)> {
        let base = shared.base(self, digits)?;
        let mut figures = base.figures.clone();
        let wanted = all || !base.decided && self.figures.iter().any(Figure::is_forecast);
        let Some(frame) = self.frame.as_ref().filter(|_| wanted) else {
            return Ok((figures, None));
        };
        let estimate = base.forecast(self, frame, digits)?;
        for (figure, value) in self.figures.iter().zip(&mut figures) {
            if let Figure::Forecast(aim) = figure {
                *value = aim.value_in(&estimate);
            }
        }
        Ok((figures, Some(estimate)))
    }

    /// What is known of a point without the scenario.
    fn base(&self, model: &Model, values: Values) -> Result<Base<'_>> {
        let compress = self.compression(&values);
        let compression = Compression::from_json(&Json::Object(compress.clone()))?;
        let counted = Counted::new(model, self, &compression)?;
        let quality = self.quality(&values, &counted);
        let figures: Vec<Option<f64>> = self
            .figures
            .iter()
            .map(|figure| match figure {
                Figure::Flops => Some(counted.flops),
                Figure::Parameters => Some(counted.parameters),
                Figure::Memory => Some(convert(counted.memory, "GB")),
                Figure::Latency(at, _) => Some(convert(counted.times[*at].stored(), "ms")),
                Figure::Quality => quality.map(|it| it.score),
                Figure::Forecast(_) => None,
            })
            .collect();
        let over = |limit: &Limit| {
            let at = self.figures.iter().position(|it| *it == limit.figure);
            at.and_then(|at| figures[at]).is_some_and(|value| limit.over(value) > 0.0)
        };
        let decided = self.plan.limits.iter().any(over);
        Ok(Base { values, compress, figures, quality, decided, scenario: None })
    }

    /// The model of a point, and its values.
    fn modelled(&self, digits: &[usize]) -> Result<Model> {
        let values = self.plan.values(digits)?;
        let model = build(&self.file(&values), &self.input(&values))?;
        match model.unresolved.first() {
            Some(unresolved) => Err(Error::input(format!("{} cannot be counted", unresolved.kind))),
            None => Ok(model),
        }
    }

    /// The digits of a point with those of all knobs beyond a level at their first value.
    fn upto(&self, level: Level, digits: &[usize], into: &mut Vec<usize>) {
        let kept = digits.iter().zip(&self.levels);
        into.clear();
        into.extend(kept.map(|(digit, it)| if *it <= level { *digit } else { 0 }));
    }

    /// The path by which a scenario names the model of a point.
    fn path(digits: &[usize]) -> String {
        let digits: Vec<String> = digits.iter().map(ToString::to_string).collect();
        format!("{MODEL}{}.yaml", digits.join("-"))
    }

    /// The point whose model a path names.
    fn named(&self, path: &str) -> Option<Vec<usize>> {
        let digits = path.strip_prefix(MODEL)?.strip_suffix(".yaml")?;
        let digits: Vec<usize> = digits.split('-').map(str::parse).collect::<Result<_, _>>().ok()?;
        let there = digits.len() == self.sizes.len();
        let within = digits.iter().zip(&self.sizes).all(|(digit, size)| digit < size);
        (there && within).then_some(digits)
    }

    /// A scenario with the model and the settings of a point.
    fn scenario(
        &self,
        document: &Node,
        digits: &[usize],
        compress: &Map<String, Json>,
        values: &Values,
    ) -> Result<Node> {
        let mut document = document.clone();
        let mut put =
            |path: &str, text: &str| document.put(path, document::parse(path, text.as_bytes())?);
        put("model", &format!("{{file: {}}}", Json::from(Self::path(digits))))?;
        if !compress.is_empty() {
            put("compress", &Json::Object(compress.clone()).to_string())?;
        }
        for (name, value) in values {
            let knob = self.plan.knobs.iter().find(|knob| knob.name == *name);
            match knob.map(|knob| knob.turns) {
                Some(Turns::Scenario) => {
                    put(name.trim_start_matches("scenario."), &value.to_string())?;
                }
                Some(Turns::Input) if name == "image_size" => {
                    put("data.image_size", &value.to_string())?;
                }
                Some(Turns::Input) => put("training.sequence_length", &value.to_string())?,
                _ => {}
            }
        }
        for (path, text) in self.distillation() {
            put(path, &Json::from(text).to_string())?;
        }
        Ok(document)
    }

    /// The keys that make the scenario's run one that learns from the teacher.
    fn distillation(&self) -> Vec<(&'static str, &str)> {
        let teacher = self.plan.teacher.as_deref();
        let keys = |teacher| vec![("training.recipe", "distill"), ("training.teacher", teacher)];
        teacher.map(keys).unwrap_or_default()
    }

    /// The forecast of a point that learns from nobody.
    ///
    /// # Errors
    /// As [`Points::facts`].
    pub(super) fn alone(&self, digits: &[usize]) -> Result<Estimate> {
        let frame = self.frame.as_ref().ok_or_else(|| Error::input("there is no scenario"))?;
        let values = self.plan.values(digits)?;
        let compress = self.compression(&values);
        let mut document = self.scenario(&frame.document, digits, &compress, &values)?;
        document.take("training.recipe");
        document.take("training.teacher");
        forecast(frame, document, self)
    }

    /// The forecast of the scenario's service with the teacher as its model; none where there is
    /// no service.
    ///
    /// # Errors
    /// The teacher cannot be served there.
    pub(super) fn taught(&self) -> Result<Option<Estimate>> {
        let (Some(frame), Some(teacher)) = (&self.frame, &self.plan.teacher) else {
            return Ok(None);
        };
        if frame.document.get("inference").is_none() {
            return Ok(None);
        }
        let mut document = frame.document.clone();
        for section in ["training", "compress"] {
            document.take(section);
        }
        document.put(
            "model",
            document::parse("teacher", Json::from(teacher.as_str()).to_string().as_bytes())?,
        )?;
        forecast(frame, document, self).map(Some).map_err(|error| error.within(teacher))
    }

    /// The quality of a point: none where nothing says it.
    fn quality(&self, values: &Values, counted: &Counted) -> Option<Predicted> {
        match self.source.as_ref()? {
            Source::Law(law, tokens) => {
                // Pruning and quantization are no part of the law.
                let plain = !counted.compressed;
                let score = law.loss(counted.parameters, *tokens).filter(|_| plain)?;
                Some(Predicted { score, half_width: f64::NAN })
            }
            Source::Table(surrogate, deltas) => {
                let texts: Vec<(&str, String)> = values
                    .iter()
                    .map(|(name, value)| (name.as_str(), self.shown(name, value)))
                    .collect();
                let of: BTreeMap<&str, &str> =
                    texts.iter().map(|(name, text)| (*name, text.as_str())).collect();
                let columns = &surrogate.table.columns;
                // What no column says must not have happened, unless a delta says it.
                let silent: Vec<&str> = of
                    .iter()
                    .filter(|(name, text)| {
                        let said = columns.iter().any(|column| column == *name);
                        name.starts_with("compress.") && !said && **text != "none" && **text != "0"
                    })
                    .map(|(name, _)| *name)
                    .collect();
                let delta = match deltas {
                    _ if silent.is_empty() => 0.0,
                    Some(deltas)
                        if silent.iter().all(|it| deltas.columns.iter().any(|c| c == it)) =>
                    {
                        deltas.of(&of)?
                    }
                    _ => return None,
                };
                let cell = |column: &String| match column.as_str() {
                    "flops" => counted.flops.to_string(),
                    "parameters" => counted.parameters.to_string(),
                    "memory" => convert(counted.memory, "GB").to_string(),
                    name => of.get(name).copied().unwrap_or_default().to_owned(),
                };
                let cells: Vec<String> = columns.iter().map(cell).collect();
                let predicted = surrogate.predict(&cells)?;
                Some(Predicted { score: predicted.score + delta, ..predicted })
            }
        }
    }

    /// A value as tables have it.
    fn shown(&self, name: &str, value: &Json) -> String {
        let knob = self.plan.knobs.iter().find(|knob| knob.name == name);
        let at = knob.and_then(|knob| knob.values.iter().position(|it| it == value));
        match knob.zip(at) {
            Some((knob, at)) => knob.shown[at].clone(),
            None => value.to_string(),
        }
    }

    /// The model file of a point as text, and the scenario around it: the name of the file, and
    /// either the scenario to extend or none.
    pub fn written(&self, facts: &Facts, name: &str, extends: Option<&str>) -> (String, String) {
        let values: Vec<String> = facts
            .values
            .iter()
            .map(|(name, value)| format!("{name} = {}", self.shown(name, value)))
            .collect();
        let model = text(&self.file(&facts.values), name, &values.join(", "));
        let mut lines = vec![format!("# {}", values.join(", "))];
        lines.extend(extends.map(|path| format!("extends: {}", Json::from(path))));
        lines.push(format!("name: {}", Json::from(name)));
        lines.push(format!("model: {{file: {}}}", Json::from(format!("{name}.model.yaml"))));
        let compress = self.compression(&facts.values);
        if !compress.is_empty() {
            lines.push(format!("compress: {}", Json::Object(compress)));
        }
        let mut sections: BTreeMap<&str, Json> = BTreeMap::new();
        for (name, value) in &facts.values {
            let knob = self.plan.knobs.iter().find(|knob| knob.name == *name);
            let path = match knob.map(|knob| knob.turns) {
                Some(Turns::Scenario) => name.trim_start_matches("scenario."),
                Some(Turns::Input) if name == "image_size" => "data.image_size",
                _ => continue,
            };
            let (first, rest) = path.split_once('.').unwrap_or((path, ""));
            let mut at = sections.entry(first).or_insert_with(|| Json::Object(Map::new()));
            for key in rest.split('.').filter(|key| !key.is_empty()) {
                if !at.is_object() {
                    *at = Json::Object(Map::new());
                }
                at = &mut at[key];
            }
            at.clone_from(value);
        }
        for (path, text) in self.distillation().into_iter().filter(|_| extends.is_some()) {
            let (first, key) = path.split_once('.').unwrap_or((path, ""));
            let at = sections.entry(first).or_insert_with(|| Json::Object(Map::new()));
            at[key] = Json::from(text);
        }
        lines.extend(sections.iter().map(|(key, value)| format!("{key}: {value}")));
        (model, lines.join("\n") + "\n")
    }
}

/// A knob of the scenario as an axis.
fn axis(knob: &Knob) -> Result<Axis> {
    let path = knob.name.trim_start_matches("scenario.");
    let choice = |(value, shown): (&Json, &String)| {
        let sets = vec![Setting::new("knob", path, &value.to_string())?];
        Ok(Choice { shown: shown.clone(), sets })
    };
    let choices = knob.values.iter().zip(&knob.shown).map(choice).collect::<Result<_>>()?;
    Ok(Axis { name: path.to_owned(), choices })
}

/// The forecast of a scenario.
fn forecast(frame: &Frame<'_>, document: Node, files: &Points<'_>) -> Result<Estimate> {
    forecast_of(Space::new(document, Vec::new(), frame.catalog, files)?.point(0))
}

/// The forecast of a combination that can be.
fn forecast_of(point: space::Point) -> Result<Estimate> {
    if let Some(obstacle) = point.obstacle {
        return Err(Error::limit(obstacle));
    }
    point.estimate.ok_or_else(|| Error::limit("it has no forecast"))
}

/// The files of a scenario, and the models of points among them.
impl Files for Points<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>> {
        match &self.frame {
            Some(frame) => frame.files.read(path),
            None => Err(Error::input(format!("there is no scenario that names {path}"))),
        }
    }

    fn model(&self, spec: &Spec, input: &Input) -> Result<Arc<Model>> {
        if let Some(digits) = spec.path().and_then(|path| self.named(path)) {
            let values = self.plan.values(&digits)?;
            return build(&self.file(&values), input).map(Arc::new);
        }
        match &self.frame {
            Some(frame) => frame.files.model(spec, input),
            None => Err(Error::input("there is no scenario")),
        }
    }
}

/// What points share that agree in some of their knobs: the model, and what is known without the
/// scenario.
#[derive(Default)]
pub struct Shared<'p> {
    model: Option<(Vec<usize>, Result<Model>)>,
    base: Option<(Vec<usize>, Result<Base<'p>>)>,
    digits: Vec<usize>,
}

/// What is known of points that differ in the scenario alone.
struct Base<'p> {
    values: Values,
    compress: Map<String, Json>,
    /// Figures without those of the forecast.
    figures: Vec<Option<f64>>,
    quality: Option<Predicted>,
    /// True if a limit on one of them is passed.
    decided: bool,
    scenario: Option<(Space<'p>, Walk)>,
}

impl<'p> Shared<'p> {
    /// What is known of a point without the scenario.
    fn base(&mut self, points: &'p Points<'_>, digits: &[usize]) -> Result<&mut Base<'p>> {
        points.upto(Level::Point, digits, &mut self.digits);
        if self.base.as_ref().is_none_or(|(known, _)| *known != self.digits) {
            let base = self.new_base(points);
            self.base = Some((self.digits.clone(), base));
        }
        match &mut self.base {
            Some((_, Ok(base))) => Ok(base),
            Some((_, Err(error))) => Err(error.clone()),
            None => Err(Error::input("there is no point")),
        }
    }

    fn new_base(&mut self, points: &'p Points<'_>) -> Result<Base<'p>> {
        let values = points.plan.values(&self.digits)?;
        if let Some(constraint) = points.plan.broken(&values)? {
            return Err(Error::input(format!("breaks `{}`", constraint.text())));
        }
        let mut of_model = Vec::with_capacity(self.digits.len());
        points.upto(Level::Model, &self.digits, &mut of_model);
        let model = match &mut self.model {
            Some((known, model)) if *known == of_model => model,
            known => {
                let model = points.modelled(&of_model);
                &mut known.insert((of_model, model)).1
            }
        };
        points.base(model.as_ref().map_err(|error| error.clone())?, values)
    }
}

impl<'p> Base<'p> {
    /// The forecast of a point in the scenario.
    fn forecast(
        &mut self,
        points: &'p Points<'_>,
        frame: &'p Frame<'_>,
        digits: &[usize],
    ) -> Result<Estimate> {
        let (space, walk) = match &mut self.scenario {
            Some(scenario) => scenario,
            none => {
                let mut of_model = Vec::with_capacity(digits.len());
                points.upto(Level::Model, digits, &mut of_model);
                let document =
                    points.scenario(&frame.document, &of_model, &self.compress, &self.values)?;
                let axes = points.axes.clone();
                let space = Space::open(document, axes, Parts::default(), frame.catalog, points);
                none.insert((space, Walk::default()))
            }
        };
        let alone = digits.iter().zip(&points.levels);
        let alone = alone.filter(|(_, level)| **level == Level::Scenario);
        let digits: Vec<usize> = alone.map(|(digit, _)| *digit).collect();
        forecast_of(walk.forecast(space, &digits)?)
    }
}

impl Problem for Points<'_> {
    type Shared<'p>
        = Shared<'p>
    where
        Self: 'p;

    fn sizes(&self) -> &[usize] {
        &self.sizes
    }

    /// Points of one model come together, then those of one base, then those of one engine.
    fn group(&self, digits: &[usize]) -> u64 {
        let of = |level: Level| {
            let all = digits.iter().zip(&self.sizes).zip(&self.levels).zip(&self.plan.knobs);
            all.filter(move |(((..), it), knob)| {
                let plain = is_plain(knob.name.trim_start_matches("scenario."));
                **it == level && !(level == Level::Scenario && plain)
            })
        };
        let ordered = [Level::Model, Level::Point, Level::Scenario].into_iter().flat_map(of);
        ordered.fold(0, |number: u64, (((digit, size), _), _)| {
            number.wrapping_mul(*size as u64).wrapping_add(*digit as u64)
        })
    }

    fn judge<'p>(&'p self, shared: &mut Shared<'p>, digits: &[usize]) -> Verdict {
        let figures = match self.worth(shared, digits, false) {
            Ok((figures, _)) => figures,
            Err(error) => return Verdict::Out(error.message().to_owned()),
        };
        let value = |figure: &Figure| figures[self.figures.iter().position(|it| it == figure)?];
        let over: Vec<Option<f64>> = self
            .plan
            .limits
            .iter()
            .map(|limit| value(&limit.figure).map(|value| limit.over(value)))
            .collect();
        let decided = over.iter().flatten().any(|over| *over > 0.0);
        let unknown = |figure: &&Figure| value(figure).is_none();
        let asked = self.plan.objectives.iter().map(|it| &it.figure);
        let mut asked = asked.chain(self.plan.limits.iter().map(|it| &it.figure));
        if !decided && let Some(figure) = asked.find(unknown) {
            return Verdict::Out(format!("its {} is unknown", figure.key()));
        }
        let ranks =
            self.plan.objectives.iter().map(|objective| {
                value(&objective.figure).map_or(FAR, |value| objective.rank(value))
            });
        Verdict::In(Judged { ranks: ranks.collect(), over })
    }
}

/// A model after compression, counted.
struct Counted {
    flops: f64,
    parameters: f64,
    memory: f64,
    compressed: bool,
    /// Time of a pass on each device.
    times: Vec<Time>,
}

impl Counted {
    fn new(model: &Model, points: &Points<'_>, compression: &Compression) -> Result<Self> {
        let precision = points.plan.precision;
        let element = precision.size();
        let largest = |model: &Model| {
            let each =
                model.layers.iter().map(|layer| layer.operator.activations(element).stored());
            each.fold(0.0, f64::max)
        };
        let attention = AttentionCount::Causal;
        if compression.is_empty() {
            return Ok(Self {
                flops: model.forward(attention).matmul.stored(),
                parameters: model.parameters().total as f64,
                memory: model.weight_data(element).stored() + largest(model),
                compressed: false,
                times: times(points, &[(Form::default(), model)])?,
            });
        }
        let after = Compressed::new(model, precision, compression)?;
        let takes = after.takes(attention, None);
        let memory = after.weight_data(None).stored() + largest(&after.model);
        let mut forms: Vec<(Form, Model)> = Vec::new();
        let empty = Model { layers: Vec::new(), ..after.model.clone() };
        for (layer, form) in after.model.layers.iter().zip(&after.forms) {
            let at = forms.iter().position(|(known, _)| known == form).unwrap_or_else(|| {
                forms.push((*form, empty.clone()));
                forms.len() - 1
            });
            forms[at].1.layers.push(layer.clone());
        }
        let forms: Vec<(Form, &Model)> = forms.iter().map(|(form, model)| (*form, model)).collect();
        Ok(Self {
            flops: takes.iter().map(|take| take.flops.matmul.stored()).sum(),
            parameters: takes.iter().map(|take| take.parameters as f64).sum(),
            memory,
            compressed: true,
            times: times(points, &forms)?,
        })
    }
}

/// The time of a pass on each device: the layers of each form by the peak of its products and the
/// bytes of its weights.
fn times(points: &Points<'_>, forms: &[(Form, &Model)]) -> Result<Vec<Time>> {
    let precision = points.plan.precision;
    let samples = points.plan.batch as f64;
    let mut times = vec![Time::default(); points.devices.len()];
    for (form, model) in forms {
        // Devices that multiply in one format do the same work.
        let mut known: Vec<(Precision, Work)> = Vec::new();
        for (timed, time) in points.devices.iter().zip(&mut times) {
            let accelerator = &timed.accelerator;
            let products = form.format.and_then(Format::products).unwrap_or(precision);
            let products = accelerator.products(products)?;
            let device = Device::of(accelerator, products)?;
            let element = products.size();
            if !known.iter().any(|(of, _)| *of == products) {
                known.push((products, Work::of(model, element, Task::Inference)));
            }
            let Some((_, work)) = known.iter().find(|(of, _)| *of == products) else { continue };
            let dense = form.format.map_or(precision.size(), Format::weight);
            let skips = form.sparse && accelerator.sparsity == "2:4";
            let (kept, stored) =
                if skips { (0.5, (dense + Data::new::<byte>(0.25)) * 0.5) } else { (1.0, dense) };
            let work = work.clone().with_weights(kept, stored.stored() / element.stored());
            *time += timed.setup.cost(&work, &device).time(samples);
        }
    }
    Ok(times)
}

fn utf8(name: &str, bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|_| Error::input(format!("{name} is not UTF-8 text")))
}
