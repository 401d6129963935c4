//! What points share. Most of a point is that of the point before: the model where the knobs of the
//! model stand still, and all but the scenario where the others do.

use std::sync::Arc;

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::Estimate;
use flopcast_core::model::compress::Compression;
use flopcast_core::model::{Input, Model, Spec};
use flopcast_core::quantity::Measure as _;
use flopcast_core::quantity::text::convert;
use flopcast_scenario::Files;
use flopcast_scenario::document::Node;
use serde_json::{Map, Value as Json};

use super::architecture::build;
use super::counted::Counted;
use super::evolve::{Judged, Problem, Verdict};
use super::figure::{Figure, Limit};
use super::plan::{Knob, Level, Values};
use super::point::{Frame, Points};
use super::quality::Predicted;
use crate::axis::{Axis, Choice, Setting};
use crate::batch::{Walk, is_plain};
use crate::space::{self, Parts, Space};

/// The beginning of the path under which a scenario sees the model of a point; its digits follow.
const MODEL: &str = "point:";
/// A rank or an excess that is not known because a limit has decided before.
const FAR: f64 = 1e300;

/// A knob of the scenario as an axis.
pub(super) fn axis(knob: &Knob) -> Result<Axis> {
    let path = knob.name.trim_start_matches("scenario.");
    let choice = |(value, shown): (&Json, &String)| {
        let sets = vec![Setting::new("knob", path, &value.to_string())?];
        Ok(Choice { shown: shown.clone(), sets })
    };
    let choices = knob.values.iter().zip(&knob.shown).map(choice).collect::<Result<_>>()?;
    Ok(Axis { name: path.to_owned(), choices })
}

/// True of a knob that is a plain number of the scenario, by which engines do not differ.
fn is_number(knob: &Knob, level: Level) -> bool {
    level == Level::Scenario && is_plain(knob.name.trim_start_matches("scenario."))
}

/// The knobs in the order in which points are judged: those of one model come together, then those
/// of one base, then those whose scenarios differ in plain numbers alone.
pub(super) fn order(knobs: &[Knob], levels: &[Level]) -> Vec<usize> {
    let of = |level: Level| {
        let all = knobs.iter().zip(levels).enumerate();
        all.filter(move |(_, (knob, it))| **it == level && !is_number(knob, level))
    };
    let levels = [Level::Model, Level::Point, Level::Scenario].into_iter();
    levels.flat_map(of).map(|(at, _)| at).collect()
}

/// The forecast of a scenario.
pub(super) fn forecast(frame: &Frame<'_>, document: Node, files: &Points<'_>) -> Result<Estimate> {
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
pub(super) struct Base<'p> {
    values: Values,
    compress: Map<String, Json>,
    /// Figures without those of the forecast.
    pub figures: Vec<Option<f64>>,
    pub quality: Option<Predicted>,
    /// True if a limit on one of them is passed.
    pub decided: bool,
    scenario: Option<(Space<'p>, Walk)>,
}

impl<'p> Shared<'p> {
    /// What is known of a point without the scenario.
    ///
    /// # Errors
    /// Why it cannot be.
    pub(super) fn base(
        &mut self,
        points: &'p Points<'_>,
        digits: &[usize],
    ) -> Result<&mut Base<'p>> {
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
        points.base(model.as_ref().map_err(Clone::clone)?, values)
    }
}

impl<'p> Base<'p> {
    /// The forecast of a point in the scenario.
    ///
    /// # Errors
    /// Why it cannot be.
    pub(super) fn forecast(
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

impl Points<'_> {
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
    pub(super) fn path(digits: &[usize]) -> String {
        let digits: Vec<String> = digits.iter().map(ToString::to_string).collect();
        format!("{MODEL}{}.yaml", digits.join("-"))
    }

    /// The point whose model a path names.
    fn named(&self, path: &str) -> Option<Vec<usize>> {
        let digits = path.strip_prefix(MODEL)?.strip_suffix(".yaml")?;
        let digits: Vec<usize> =
            digits.split('-').map(str::parse).collect::<Result<_, _>>().ok()?;
        let there = digits.len() == self.sizes.len();
        let within = digits.iter().zip(&self.sizes).all(|(digit, size)| digit < size);
        (there && within).then_some(digits)
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

    fn group(&self, digits: &[usize]) -> u64 {
        let ordered = self.order.iter().map(|at| (digits[*at], self.sizes[*at]));
        ordered.fold(0, |number: u64, (digit, size)| {
            number.wrapping_mul(size as u64).wrapping_add(digit as u64)
        })
    }

    fn apart(&self) -> u64 {
        let knobs = self.plan.knobs.iter().zip(&self.levels).zip(&self.sizes);
        let apart = knobs.filter(|((knob, level), _)| !is_number(knob, **level));
        apart.fold(1, |all, (_, size)| all.saturating_mul(*size as u64))
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

#[cfg(test)]
mod tests {
    use flopcast_core::catalog::Catalog;
    use flopcast_scenario::document::parse;

    use super::*;
    use crate::nowhere::Nowhere;
    use crate::search::evolve::digits;
    use crate::search::plan::Plan;

    const SPACE: &str = "model: vit-small-patch16-224
knobs:
  compress.quantization: [none, int8]
  hidden_size: [192, 384]
  scenario.placement.pue: [1.1, 1.3]
  num_hidden_layers: [6, 12]
  scenario.training.hardware.count: [4, 8]
  scenario.placement.grid: [100 gCO2e/kWh, 300 gCO2e/kWh]
derived: {num_attention_heads: hidden_size / 64, intermediate_size: 4 * hidden_size}
constraints: ['num_hidden_layers * hidden_size < 4000']
devices: [l4]
objectives: [max:parameters, latency@l4, cost, co2e]
";
    const SCENARIO: &str = "name: run
model: vit-small-patch16-224
data: {samples: 1.28M, epochs: 90}
training:
  precision: bf16
  hardware: {accelerator: h100-sxm, count: 8}
  efficiency: {mfu: 0.3}
placement: {provider: aws, region: us-east-1, purchase: on-demand}
";

    /// What points share changes no digit: a point is what its scenario, read alone, says.
    #[test]
    fn points_that_share_are_judged_as_alone() {
        let catalog = Catalog::embedded();
        let node = |text: &str| parse("test.yaml", text.as_bytes()).unwrap();
        let plan = Plan::read(&node(SPACE), None, true, &Nowhere).unwrap();
        let frame = Frame { document: node(SCENARIO), catalog: &catalog, files: &Nowhere };
        let points = Points::new(&plan, Some(frame), &catalog, &Nowhere).unwrap();
        let mut order: Vec<Vec<usize>> =
            (0..64).map(|number| digits(points.sizes(), number)).collect();
        order.sort_by_key(|digits| points.group(digits));
        let mut shared = Shared::default();
        let mut judged = 0;
        for digits in &order {
            let verdict = points.judge(&mut shared, digits);
            assert_eq!(verdict, points.judge(&mut Shared::default(), digits));
            let Verdict::In(it) = verdict else { continue };
            judged += 1;
            let alone = points.alone(digits).unwrap();
            for (objective, rank) in plan.objectives.iter().zip(&it.ranks) {
                if let Figure::Forecast(aim) = &objective.figure {
                    assert_eq!(aim.value_in(&alone), Some(*rank), "{} {digits:?}", aim.key);
                }
            }
        }
        // Of 384 features and 12 layers there is none.
        assert_eq!(judged, 48);
    }
}
