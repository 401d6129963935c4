//! The points of a plan: each a model, a compression and a scenario, with the figures of it.

use std::collections::BTreeMap;

use flopcast_core::catalog::{Accelerator, Catalog};
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::Estimate;
use flopcast_core::kernel::Device;
use flopcast_core::kernel::calibration::Calibration;
use flopcast_core::kernel::network::Setup;
use flopcast_core::model::Input;
use flopcast_core::quantity::text::{convert, parse};
use flopcast_core::quantity::{Precision, Tokens};
use flopcast_scenario::Files;
use flopcast_scenario::document::{self, Node};
use serde_json::{Map, Value as Json};

use super::architecture::{build, text};
use super::counted::{Counted, Timed};
use super::figure::Figure;
use super::plan::{Level, Plan, Turns, Values, compression};
use super::quality::{Predicted, Surrogate, Table};
use super::shared::{Shared, axis, forecast, order as order_of};
use crate::axis::Axis;
use crate::sizing::Law;

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

/// The points of a plan.
pub struct Points<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Where quality comes from; none where the plan asks for none.
    pub source: Option<Source>,
    /// Format of weights and products.
    pub precision: Precision,
    pub(super) sizes: Vec<usize>,
    pub(super) devices: Vec<Timed>,
    pub(super) frame: Option<Frame<'a>>,
    pub(super) levels: Vec<Level>,
    /// The knobs in the order in which points are judged.
    pub(super) order: Vec<usize>,
    /// The axes of the scenario: the knobs that turn it alone.
    pub(super) axes: Vec<Axis>,
    /// The figures of a point: objectives, limits, and what is always shown.
    pub(super) figures: Vec<Figure>,
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
        let named = plan.devices.iter().map(|name| catalog.accelerator(name));
        let accelerators: Vec<&Accelerator> = named.collect::<Result<_>>()?;
        let common = |it: &Precision| accelerators.iter().all(|device| device.peak(*it).is_ok());
        let usual = || Accelerator::FORMATS.into_iter().find(common).unwrap_or(Precision::Bf16);
        let precision = plan.precision.unwrap_or_else(usual);
        let timed = |accelerator: &&Accelerator| {
            let device = Device::of(accelerator, accelerator.products(precision)?)?;
            let setup = Setup::new(&device, calibration.runtime("compiled"), calibration)?;
            Ok(Timed { accelerator: (*accelerator).clone(), setup })
        };
        let devices: Vec<_> = accelerators.iter().map(timed).collect::<Result<_>>()?;
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
        let (levels, order, axes) = (Vec::new(), Vec::new(), Vec::new());
        let sizes = plan.sizes();
        let mut points = Self {
            plan,
            source: None,
            precision,
            sizes,
            devices,
            frame,
            figures,
            levels,
            order,
            axes,
        };
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
        points.order = order_of(&plan.knobs, &points.levels);
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
        compression(values.iter().map(|(name, value)| (name.as_str(), value)))
    }

    /// The input of a point.
    pub(super) fn input(&self, values: &Values) -> Input {
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
    pub(super) fn worth<'p>(
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

    /// A scenario with the model and the settings of a point.
    pub(super) fn scenario(
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
    pub(super) fn quality(&self, values: &Values, counted: &Counted) -> Option<Predicted> {
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

fn utf8(name: &str, bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|_| Error::input(format!("{name} is not UTF-8 text")))
}
