//! The front of a search over architectures and compressions, and what it rests on.

use flopcast_core::quantity::text::{count, number};
use flopcast_core::quantity::{Measure, Money, show};
use flopcast_study::search::evolve::Tally;
use flopcast_study::search::figure::{Figure, Limit};
use flopcast_study::search::point::{Facts, Points, Source};
use flopcast_study::search::propose::Proposal;
use flopcast_study::search::student::Student;
use serde_json::{Map, Value, json};

use super::first_screen;
use super::scatter::{self, Plot, Point};
use crate::doc::{Block, Cell, Column, Doc, Grid, Subject};

/// Points of the front and reasons that people are shown.
const SHOWN: usize = 40;
const REASONS: usize = 8;

/// What a search found.
pub struct Found<'a> {
    /// The space.
    pub points: &'a Points<'a>,
    /// The count of what was judged.
    pub tally: &'a Tally,
    /// The points of the front.
    pub front: &'a [Facts],
    /// The point that passes its limits by least, where none keeps them.
    pub nearest: Option<&'a Facts>,
    /// What to measure next.
    pub proposals: &'a [Proposal],
    /// The student for the budget, where there is a teacher.
    pub student: Option<&'a Student>,
}

impl Subject for Found<'_> {
    fn doc(&self) -> Doc {
        let mut doc = Doc { rows: Some(self.rows()), ..Doc::default() };
        doc.push(Block::Text(self.standing()));
        doc.push_some(Block::Grid(self.grid(self.front.iter().take(SHOWN))));
        let more = self.front.len().saturating_sub(SHOWN);
        if more > 0 {
            doc.push(Block::Text(format!("and {more} more: --format csv has them")));
        }
        if self.front.is_empty() {
            doc.push_some(Block::List(self.binding()));
            if let Some(nearest) = self.nearest {
                doc.push(Block::Caption("The nearest point:".to_owned()));
                doc.push(Block::Grid(self.grid([nearest].into_iter())));
            }
        }
        if let Some(student) = self.student {
            doc.push(Block::Caption(format!(
                "The student of {} for this budget: {}",
                student.teacher,
                self.labels(&student.facts).join(" ")
            )));
            doc.push(Block::Facts(facts_of(student)));
        }
        if !self.proposals.is_empty() {
            let caption = "Worth measuring next, by the hypervolume that each is expected to add:";
            doc.push(Block::Caption(caption.to_owned()));
            doc.push(Block::Grid(self.proposed()));
        }
        if !self.tally.reasons.is_empty() {
            doc.push(Block::Caption("What cannot be:".to_owned()));
            doc.push(Block::Grid(self.reasons()));
        }
        if let Some(plot) = self.plot() {
            let plot = plot.plot();
            doc.push(Block::Picture { lines: scatter::lines(&plot), svg: scatter::svg(&plot) });
        }
        doc.push_some(Block::List(self.notes()));
        doc
    }

    fn first_screen(&self) -> Option<Doc> {
        first_screen::shortened(&self.doc())
    }

    fn json(&self) -> Option<Value> {
        let contradiction = self.contradiction();
        let limit = |(limit, least): (&Limit, &Option<f64>)| {
            json!({"figure": limit.figure.key(), "bound": limit.bound, "least": limit.least,
                   "nearest": least.map(|over| limit.value(over))})
        };
        let plan = self.points.plan;
        let least = self.tally.least.iter().chain(std::iter::repeat(&None));
        Some(json!({
            "schema": "flopcast.search/1",
            "points": self.tally.points,
            "judged": self.tally.judged,
            "valid": self.tally.valid,
            "within": self.tally.within,
            "exhaustive": self.tally.whole,
            "precision": self.points.precision.name(),
            "objectives": plan.objectives.iter().map(|it| json!({
                "figure": it.figure.key(), "unit": it.figure.unit(), "most": it.most,
            })).collect::<Vec<_>>(),
            "limits": plan.limits.iter().zip(least).map(limit).collect::<Vec<_>>(),
            "quality": self.source(),
            "front": self.front.iter().map(|it| self.value(it)).collect::<Vec<_>>(),
            "nearest": self.nearest.map(|it| self.value(it)),
            "proposals": self.proposals.iter().map(|it| {
                let mut value = self.value(&it.facts);
                value["expected_gain"] = json!(it.gain);
                value
            }).collect::<Vec<_>>(),
            "student": self.student.map(|it| {
                let mut value = self.value(&it.facts);
                value["teacher"] = json!(it.teacher);
                value["teacher_forward_flops"] = json!(it.passes.map(Measure::stored));
                let run = it.run.iter().map(|(key, value)| ((*key).to_owned(), json!(value)));
                value["distillation"] = Value::Object(run.collect());
                value["per_query_usd"] = json!(it.query[0].map(Measure::stored));
                value["teacher_per_query_usd"] = json!(it.query[1].map(Measure::stored));
                value["pays_after_queries"] = json!(it.pays.map(Measure::stored));
                value
            }),
            "reasons": self.tally.reasons,
            "contradiction": contradiction,
        }))
    }
}

/// A plot that owns its points.
struct Drawn {
    points: Vec<Point>,
    cost: String,
    score: String,
}

impl Drawn {
    fn plot(&self) -> Plot<'_> {
        let Self { points, cost, score } = self;
        Plot { points, cost, score, show_cost: count }
    }
}

impl Found<'_> {
    /// The picture of the front; none where there are no two objectives or no point.
    pub fn svg(&self) -> Option<String> {
        self.plot().map(|plot| scatter::svg(&plot.plot()))
    }

    fn value_of(&self, facts: &Facts, figure: &Figure) -> Option<f64> {
        facts.figures[self.points.figures().iter().position(|it| it == figure)?]
    }

    fn standing(&self) -> String {
        let tally = self.tally;
        let how = if tally.whole { "all judged" } else { "by NSGA-II" };
        format!(
            "{} points, {how}: {} judged, {} can be, {} within the limits, {} that no other beats",
            number(tally.points as f64),
            number(tally.judged as f64),
            number(tally.valid as f64),
            number(tally.within as f64),
            number(self.front.len() as f64)
        )
    }

    /// Knobs with more than one value: what tells points apart.
    fn turned(&self) -> Vec<&str> {
        let knobs = self.points.plan.knobs.iter().filter(|knob| knob.values.len() > 1);
        knobs.map(|knob| knob.name.as_str()).collect()
    }

    fn labels(&self, facts: &Facts) -> Vec<String> {
        let turned = self.turned();
        let values = facts.values.iter().filter(|(name, _)| turned.contains(&name.as_str()));
        values
            .map(|(_, value)| match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            })
            .collect()
    }

    fn cell(&self, facts: &Facts, figure: &Figure) -> Cell {
        let value = self.value_of(facts, figure);
        match (figure, facts.quality) {
            (Figure::Quality, Some(it)) if it.half_width.is_finite() => {
                Cell::shown(it.score, format!("{:.2} +- {:.2}", it.score, it.half_width))
            }
            (Figure::Quality, _) => Cell::known(value, Cell::number),
            (Figure::Flops | Figure::Parameters, _) => Cell::known(value, Cell::counted),
            _ => Cell::known(value, Cell::short),
        }
    }

    fn grid<'f>(&self, facts: impl Iterator<Item = &'f Facts>) -> Grid {
        let last = |name: &&str| (*name).rsplit('.').next().unwrap_or_default().to_owned();
        let short = |name: String| name.replace("num_", "").replace("hidden_layers", "layers");
        let knobs =
            self.turned().iter().map(last).map(short).map(Column::words).collect::<Vec<_>>();
        // What nobody asked for is left to programs.
        let plan = self.points.plan;
        let asked = |figure: &&Figure| {
            let aimed = plan.objectives.iter().any(|it| it.figure == **figure);
            let always = matches!(figure, Figure::Quality | Figure::Flops | Figure::Parameters);
            always || aimed || plan.limits.iter().any(|it| it.figure == **figure)
        };
        let figures: Vec<&Figure> = self.points.figures().iter().filter(asked).collect();
        let heads = figures.iter().map(|figure| Column::numbers(heading(figure)));
        let mut grid = Grid::new(knobs.into_iter().chain(heads));
        for facts in facts {
            let cells = self.labels(facts).into_iter().map(Cell::text);
            grid.push(cells.chain(figures.iter().map(|it| self.cell(facts, it))));
        }
        grid
    }

    /// One row per point of the front.
    fn rows(&self) -> Grid {
        let knobs = self.points.plan.knobs.iter().map(|knob| Column::words(&knob.name));
        let figures = self.points.figures();
        let keys = figures.iter().map(|figure| Column::numbers(figure.key()));
        let widths = self.points.source.iter().map(|_| Column::numbers("quality_half_width"));
        let mut grid = Grid::new(knobs.chain(keys).chain(widths));
        for facts in self.front {
            let count = self.points.plan.knobs.len();
            let labels = facts.values.iter().take(count).map(|(_, value)| match value {
                Value::String(text) => Cell::text(text),
                other => Cell::text(other.to_string()),
            });
            let values = facts.figures.iter().map(|value| Cell::from(*value));
            let width = facts.quality.map(|it| it.half_width).filter(|it| it.is_finite());
            let width = self.points.source.iter().map(|_| Cell::from(width));
            grid.push(labels.chain(values).chain(width));
        }
        grid
    }

    fn proposed(&self) -> Grid {
        let mut grid = self.grid(self.proposals.iter().map(|it| &it.facts));
        grid.columns.push(Column::numbers("gain"));
        for (row, proposal) in grid.rows.iter_mut().zip(self.proposals) {
            row.push(Cell::percent(proposal.gain));
        }
        grid
    }

    fn reasons(&self) -> Grid {
        let mut reasons: Vec<_> = self.tally.reasons.iter().collect();
        reasons.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
        let columns = [Column::numbers("points"), Column::prose("why")];
        let mut grid = Grid::new(columns.map(|column| column.headed("")));
        for (why, points) in reasons.into_iter().take(REASONS) {
            grid.push([Cell::Count(*points), Cell::text(why)]);
        }
        grid
    }

    fn contradiction(&self) -> Vec<&str> {
        if self.tally.valid > 0 { Vec::new() } else { self.points.plan.contradiction() }
    }

    /// Why no point is within the limits: constraints that contradict each other, or each limit
    /// that no point keeps, and by how much.
    fn binding(&self) -> Vec<String> {
        let contradiction = self.contradiction();
        if !contradiction.is_empty() {
            let constraints: Vec<_> = contradiction.iter().map(|it| format!("`{it}`")).collect();
            return vec![format!("no point meets {}", constraints.join(" and "))];
        }
        let limits = self.points.plan.limits.iter().zip(&self.tally.least);
        let over = limits.filter_map(|(limit, least)| Some((limit, least.filter(|it| *it > 0.0)?)));
        let lines: Vec<String> = over
            .map(|(limit, over)| {
                format!(
                    "{} binds: no point comes nearer than {}, {} % off the limit of {}",
                    limit.figure.key(),
                    with_unit(&limit.figure, limit.value(over)),
                    number(100.0 * over),
                    with_unit(&limit.figure, limit.bound)
                )
            })
            .collect();
        if lines.is_empty() && self.tally.valid > 0 {
            return vec!["each limit can be kept, but not all of them together".to_owned()];
        }
        lines
    }

    fn source(&self) -> Option<Value> {
        Some(match self.points.source.as_ref()? {
            Source::Law(law, tokens) => json!({
                "law": law.id, "tokens": tokens.value, "sees": "size, not shape",
            }),
            Source::Table(surrogate, _) => json!({
                "table": surrogate.table.name,
                "score": surrogate.table.score,
                "rows": surrogate.table.rows.len(),
                "configurations": surrogate.table.distinct(),
                "left_out": {
                    "median_abs_error": surrogate.error.median,
                    "p90_abs_error": surrogate.error.p90,
                    "rank_correlation": surrogate.error.rank_correlation,
                },
            }),
        })
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        match &self.points.source {
            Some(Source::Table(surrogate, _)) => {
                let (table, error) = (&surrogate.table, &surrogate.error);
                notes.push(format!(
                    "quality is {} by a Gaussian process of {} row(s) of {}; left out, half of \
                     them are missed by less than {}, nine of ten by less than {}, rank \
                     correlation {}; +- holds 80 % of them",
                    table.score,
                    table.rows.len(),
                    table.name,
                    number(error.median),
                    number(error.p90),
                    number(error.rank_correlation)
                ));
            }
            Some(Source::Law(law, _)) => notes.push(format!(
                "quality is the loss by the law of {}: it sees size, not shape, and no compression",
                law.name
            )),
            None => notes.push("quality is unknown: nothing here says it".to_owned()),
        }
        if !self.points.plan.devices.is_empty() {
            notes.push(format!(
                "latency is that of one pass of {} sample(s) in {}, compiled, by the constants of \
                 measured networks; `flopcast backtest --kind networks` says how wrong they are",
                self.points.plan.batch,
                self.points.precision.name()
            ));
        }
        notes
    }

    fn plot(&self) -> Option<Drawn> {
        let plan = self.points.plan;
        let [score, cost] = plan.objectives.get(..2)? else { return None };
        if self.front.is_empty() {
            return None;
        }
        let point = |name: String, cost: Option<f64>, score: Option<f64>, on_front: bool| {
            let (cost, score) = (cost.filter(|it| *it > 0.0)?, score?);
            Some(Point { name, cost, score, on_front })
        };
        let shown = |rank: f64, most: bool| if most { -rank } else { rank };
        let on_front = |facts: &Facts| {
            let name = self.labels(facts).join(" ");
            let value = |figure| self.value_of(facts, figure);
            point(name, value(&cost.figure), value(&score.figure), true)
        };
        let rest = self.tally.sample.iter().filter_map(|(_, judged)| {
            let ranks = &judged.ranks;
            let (at, level) = (shown(ranks[1], cost.most), shown(ranks[0], score.most));
            point(String::new(), Some(at), Some(level), false)
        });
        let points = rest.chain(self.front.iter().filter_map(on_front)).collect();
        Some(Drawn { points, cost: heading(&cost.figure), score: heading(&score.figure) })
    }

    fn value(&self, facts: &Facts) -> Value {
        let knobs: Map<String, Value> = facts.values.iter().cloned().collect();
        let figures = self.points.figures().iter().zip(&facts.figures);
        let figures: Map<String, Value> =
            figures.map(|(figure, value)| (figure.key(), json!(value))).collect();
        let mut value = json!({"values": knobs, "figures": figures});
        if let Some(quality) = facts.quality.filter(|it| it.half_width.is_finite()) {
            value["quality_half_width"] = json!(quality.half_width);
        }
        value
    }
}

/// A student's distillation in lines.
fn facts_of(student: &Student) -> Vec<(String, String)> {
    let unknown = || "unknown".to_owned();
    let usd =
        |it: Option<Money>| it.map_or_else(unknown, |it| format!("{} USD", number(it.stored())));
    let passes = student.passes.map_or_else(unknown, show);
    let mut facts = vec![("teacher's forward passes".to_owned(), passes)];
    for (key, value) in &student.run {
        let value = value.map_or_else(unknown, number);
        facts.push((format!("distillation, {}", key.replace('_', " ")), value));
    }
    let [own, teacher] = student.query;
    facts.push(("a query to the student".to_owned(), usd(own)));
    facts.push(("a query to the teacher".to_owned(), usd(teacher)));
    let pays = match (student.pays, own.zip(teacher)) {
        (Some(queries), _) => format!("{} queries", count(queries.stored())),
        (None, Some(_)) => "never: a query to the student costs no less".to_owned(),
        (None, None) => "unknown: the scenario has no service, or no price".to_owned(),
    };
    facts.push(("pays after".to_owned(), pays));
    facts
}

/// A figure over its column.
fn heading(figure: &Figure) -> String {
    match figure {
        Figure::Flops => "FLOPs".to_owned(),
        Figure::Parameters => "params".to_owned(),
        Figure::Memory => "GB".to_owned(),
        Figure::Latency(_, device) => format!("ms@{device}"),
        other => other.key(),
    }
}

fn with_unit(figure: &Figure, value: f64) -> String {
    match figure {
        Figure::Flops => format!("{} FLOP", count(value)),
        Figure::Parameters => count(value),
        other => format!("{} {}", number(value), other.unit()).trim_end().to_owned(),
    }
}
