//! The run of a template over a configuration and an input, which gives layers at concrete shapes.
//!
//! One tensor `[batch, extents..., features]` runs through the layer list: each operator takes its
//! shape from it and leaves the shape of its result. A repetition is laid out once if its
//! iterations cannot differ.
//!
//! Names that expressions may use, from the nearest on: locals (`repeat`, `use`, `let`), the
//! template's `let`, the tensor (`features` or `channels`, `positions`, `height`, `width`,
//! `windows`), the input (`batch`, `input_sequence`, `input_decoder_sequence`, `input_image_size`,
//! `input_images`, `input_frames`, `input_sound` in milliseconds, `input_steps`, `input_guided`,
//! `input_training`),
//! `head` (the head of the class), `config`, and the keys of the configuration with their defaults.

mod head;
mod repeat;
mod sizes;

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;

use super::expression::{Expression, Failure, Names};
use super::family::{Template, chain};
use super::node::{Join, Kind, Knobs, Node};
use super::operators::Call;
use super::value::Value;
use crate::diagnostic::{Error, Result};
use crate::model::cost::count;
use crate::model::input::Input;
use crate::model::layer::{Layer, Part, Role, Routing};
use crate::model::operator::{Function, Operator, Pointwise};
use crate::model::total::{Assumption, Model};

use head::head_of;
pub use head::head_part;

/// The most look-ups and layers that a model may take. It bounds time and memory.
const MOST_STEPS: u64 = 1_000_000;
/// The most layers that differ, in all and under one name.
const MOST_LAYERS: (usize, usize) = (50_000, 2_000);
/// The deepest nesting of names, blocks and parts.
const MOST_DEPTH: usize = 60;

/// A configuration: keys and values.
pub type Config = IndexMap<String, Value>;

/// Builds the model that `chain` (a template, then its bases) describes for a configuration.
/// `class` selects the head; sizes that `input` leaves open take the template's defaults, and are
/// listed as assumptions.
///
/// # Errors
/// If a key is missing or contradicts another, an extent is no positive whole number, a shape does
/// not fit, or the model is too large to count.
pub fn build(
    name: &str,
    chain: &[&Template],
    model_type: &str,
    class: Option<&str>,
    config: &Config,
    input: &Input,
) -> Result<Model> {
    let mut builder = Builder {
        frames: Vec::new(),
        tensor: Tensor { batch: input.batch, extents: Vec::new(), features: 0, data: true },
        scopes: vec![Scope::default()],
        layers: Vec::new(),
        by_name: HashMap::new(),
        emitted: Vec::new(),
        assumptions: Vec::new(),
        steps: 0,
        depth: 0,
        dynamic: 0,
        repeats: Vec::new(),
        input: *input,
        asked: [false; 6],
    };
    if input.batch == 0 {
        return Err(Error::input("a batch of 0 samples"));
    }
    builder.enter(chain, model_type, class, config, Vec::new())?;
    builder.run_frame()?;
    let runs = builder.name("runs")?.and_then(|value| value.whole()).unwrap_or(1);
    builder.all_read(name)?;
    let media = builder.name("media_tokens")?.and_then(|value| value.whole()).unwrap_or(0);
    let filled = builder.filled_input()?;
    let length = filled.sequence.unwrap_or(0);
    if media > length {
        // A sequence that nobody stated is at least as long as what stands for images and sound.
        return match input.sequence {
            None => {
                let longer = Input { sequence: Some(media), ..*input };
                let mut model = build(name, chain, model_type, class, config, &longer)?;
                let why = "the tokens that stand for images and sound";
                model.assumptions.push(Assumption::of("sequence", media, why));
                Ok(model)
            }
            Some(length) => Err(Error::input(format!(
                "images and sound make {media} tokens, more than the {length} of the sequence"
            ))
            .hint("lengthen the sequence: what stands for images and sound is a part of it")),
        };
    }
    let max_sequence = builder.name("max_sequence")?.and_then(|value| value.whole());
    for layer in &mut builder.layers {
        layer.count = layer.count.saturating_mul(runs);
    }
    let mut model = Model::new(name, builder.layers, filled, max_sequence)?;
    model.assumptions = builder.assumptions;
    model.media_tokens = media;
    Ok(model)
}

/// The tensor between two layers: `batch x extents x features`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tensor {
    /// Samples, or windows of them.
    pub(super) batch: u64,
    /// Extents between batch and features: positions, or height and width.
    pub(super) extents: Vec<u64>,
    /// Features of a position: channels of an image.
    pub(super) features: u64,
    /// True for the data itself, before any operator.
    pub(super) data: bool,
}

impl Tensor {
    /// Positions of one sample: the product of the extents.
    pub(super) fn positions(&self) -> u64 {
        count(&self.extents)
    }

    /// Vectors in all: batch x positions.
    pub(super) fn rows(&self) -> u64 {
        count(&[self.batch, self.positions()])
    }

    /// Numbers in all: batch x positions x features.
    pub(super) fn elements(&self) -> u64 {
        count(&[self.rows(), self.features])
    }
}

/// Attributes that a scope or a repetition gives to the layers in it.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    name: Option<Arc<str>>,
    /// The role of its layers, unless their operator has one of its own.
    pub(super) role: Option<Role>,
    owned: bool,
    times: u64,
    routing: Option<Routing>,
    part: Part,
    trained: bool,
}

impl Default for Scope {
    fn default() -> Self {
        Self {
            name: None,
            role: None,
            owned: true,
            times: 1,
            routing: None,
            part: Part::Main,
            trained: true,
        }
    }
}

/// A configuration while its template runs. A part that is another model has a frame of its own.
struct Frame<'t> {
    chain: Vec<&'t Template>,
    type_defaults: Option<&'t IndexMap<String, Value>>,
    config: Config,
    /// Keys of single layers, by their number (`per_layer_config`).
    by_layer: Vec<(u64, Arc<Config>)>,
    head: Value,
    locals: Vec<(Arc<str>, Value)>,
    /// Values of names that depend on no local.
    memo: HashMap<Arc<str>, Value>,
    /// Names under evaluation, with the place in the chain of the definition in use.
    busy: Vec<(Arc<str>, usize)>,
}

/// A repetition under way: where its index stands, and what this iteration took from it.
struct Repeat {
    frame: usize,
    local: usize,
    /// Reads of the index but for those by the names below.
    reads: u64,
    /// Names whose definitions depend on the index and on nothing else that may change, with their
    /// values in this iteration.
    indexed: Vec<(Arc<str>, Value)>,
}

/// The state of a run: the tensor, the scopes around it, and the layers so far.
pub(super) struct Builder<'t> {
    frames: Vec<Frame<'t>>,
    /// The tensor that the next operator reads.
    pub(super) tensor: Tensor,
    /// The scopes around the next operator, outermost first.
    pub(super) scopes: Vec<Scope>,
    layers: Vec<Layer>,
    by_name: HashMap<String, Vec<usize>>,
    /// Layers in the order of the run: index, computations, copies of weights.
    emitted: Vec<(usize, u64, u64)>,
    assumptions: Vec<Assumption>,
    steps: u64,
    depth: usize,
    /// Reads of values that may differ next time: locals and the tensor.
    dynamic: u64,
    /// The repetitions around the next entry, outermost first.
    repeats: Vec<Repeat>,
    input: Input,
    /// Which of image size, images, frames, sound, steps and guidance the template asked for.
    asked: [bool; 6],
}

impl Names for Builder<'_> {
    /// The value of a name, from the nearest of: locals, `let` definitions from the most derived
    /// template on, the tensor's shape, the input, the configuration. Inside a `let` of the same
    /// name, the next base's definition is meant.
    fn lookup(&mut self, name: &str) -> Result<Option<Value>, Failure> {
        self.step()?;
        let tensor = &self.tensor;
        let extent = |back: usize| {
            let at = tensor.extents.len().checked_sub(back);
            Value::count(at.map_or(1, |at| tensor.extents[at]))
        };
        let shape = match name {
            "features" | "channels" => Some(Value::count(tensor.features)),
            "positions" => Some(Value::count(tensor.positions())),
            "height" => Some(extent(2)),
            "width" => Some(extent(1)),
            "windows" => Some(Value::count(tensor.batch)),
            _ => None,
        };
        let frame = self.frame();
        if let Some(place) = frame.locals.iter().rposition(|(local, _)| &**local == name) {
            return Ok(Some(self.read_local(place)));
        }
        let busy = frame.busy.iter().rev().find(|(other, _)| &**other == name);
        let from = busy.map_or(0, |(_, level)| level + 1);
        if from == 0
            && let Some(value) = frame.memo.get(name)
        {
            return Ok(Some(value.clone()));
        }
        let defined = frame.chain.iter().enumerate().skip(from).find_map(|(level, template)| {
            template.lets.get_key_value(name).map(|(name, it)| (level, name.clone(), it))
        });
        if let Some((level, name, expression)) = defined {
            return self.evaluate_let(level, name, expression, from == 0).map(Some);
        }
        if shape.is_some() {
            self.dynamic += 1;
            return Ok(shape);
        }
        let given = |extent: Option<u64>| Some(extent.map_or(Value::Null, Value::count));
        Ok(match name {
            "batch" => given(Some(self.input.batch)),
            "input_sequence" => given(self.input.sequence),
            "input_decoder_sequence" => given(self.input.decoder_sequence),
            "input_image_size" => Some(self.media(0, self.input.image_size)),
            "input_images" => Some(self.media(1, self.input.images)),
            "input_frames" => Some(self.media(2, self.input.frames)),
            "input_sound" => Some(self.media(3, self.input.sound)),
            "input_steps" => Some(self.media(4, self.input.steps)),
            "input_guided" => {
                self.asked[5] = true;
                Some(self.input.guided.map_or(Value::Null, Value::Bool))
            }
            "input_training" => Some(Value::Bool(self.input.training)),
            "head" => Some(frame.head.clone()),
            "config" => Some(Value::Map(Arc::new(frame.config.clone()))),
            key => self.own_key(key),
        })
    }

    fn key(&mut self, name: &str) -> Result<Option<Value>, Failure> {
        self.step()?;
        Ok(self.own_key(name))
    }
}

impl Frame<'_> {
    /// A key's value: that of the configuration, else the default of its type, else of the family.
    fn key(&self, key: &str) -> Option<Value> {
        let default = || self.chain.iter().find_map(|template| template.defaults.get(key));
        self.config
            .get(key)
            .or_else(|| self.type_defaults.and_then(|defaults| defaults.get(key)))
            .or_else(default)
            .cloned()
    }
}

impl<'t> Builder<'t> {
    /// The value of a key, in a layer with sizes of its own the layer's.
    fn own_key(&mut self, key: &str) -> Option<Value> {
        let frame = self.frame();
        if !frame.by_layer.iter().any(|(_, sizes)| sizes.contains_key(key)) {
            return frame.key(key);
        }
        let place = frame.locals.iter().rposition(|(local, _)| &**local == "layer");
        let layer = place.and_then(|place| self.read_local(place).whole());
        self.dynamic += 1;
        let frame = self.frame();
        let of_layer = frame.by_layer.iter().find(|(at, _)| Some(*at) == layer);
        let value = of_layer.and_then(|(_, sizes)| sizes.get(key)).cloned();
        value.or_else(|| frame.key(key))
    }

    /// The value of a local of the innermost frame.
    fn read_local(&mut self, local: usize) -> Value {
        self.dynamic += 1;
        let frame = self.frames.len();
        let indexed = self.repeats.iter_mut().filter(|it| (it.frame, it.local) == (frame, local));
        indexed.for_each(|repeat| repeat.reads += 1);
        self.frame().locals[local].1.clone()
    }

    /// The innermost configuration.
    fn frame(&self) -> &Frame<'t> {
        &self.frames[self.frames.len() - 1]
    }

    /// The innermost configuration, to change it.
    fn frame_mut(&mut self) -> &mut Frame<'t> {
        let last = self.frames.len() - 1;
        &mut self.frames[last]
    }

    /// Counts a step of the run, of which there is a limit.
    fn step(&mut self) -> Result<()> {
        self.steps += 1;
        if self.steps > MOST_STEPS {
            return Err(Error::input("the model is too large to lay out"));
        }
        Ok(())
    }

    /// Runs one level deeper; there is a limit to depth.
    fn deeper<T>(&mut self, run: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.depth += 1;
        if self.depth > MOST_DEPTH {
            return Err(Error::input("the model is nested too deeply"));
        }
        let result = run(self);
        self.depth -= 1;
        result
    }

    /// The value of a `let`. It is kept if it depends on nothing that may change.
    fn evaluate_let(
        &mut self,
        level: usize,
        name: Arc<str>,
        expression: &Expression,
        outermost: bool,
    ) -> Result<Value, Failure> {
        if self.depth > MOST_DEPTH {
            return Err(Error::input(format!("`{name}` is defined in circles")).into());
        }
        let before = self.dynamic;
        let reads: Vec<u64> = self.repeats.iter().map(|repeat| repeat.reads).collect();
        self.depth += 1;
        self.frame_mut().busy.push((name.clone(), level));
        let value = expression.evaluate(self);
        self.frame_mut().busy.pop();
        self.depth -= 1;
        let value = value?;
        if outermost && self.frame().busy.is_empty() {
            let dynamic = self.dynamic - before;
            if dynamic == 0 {
                self.frame_mut().memo.insert(name, value.clone());
                return Ok(value);
            }
            // What depends on one index alone stands for its reads.
            for (repeat, before) in self.repeats.iter_mut().zip(reads) {
                if repeat.reads - before == dynamic {
                    repeat.reads = before;
                    if repeat.indexed.iter().all(|(known, _)| *known != name) {
                        repeat.indexed.push((name.clone(), value.clone()));
                    }
                }
            }
        }
        Ok(value)
    }

    /// Opens a frame for a configuration: keys get their canonical names, and two names of one key
    /// must agree.
    fn enter(
        &mut self,
        chain: &[&'t Template],
        model_type: &str,
        class: Option<&str>,
        config: &Config,
        given: Vec<(Arc<str>, Value)>,
    ) -> Result<()> {
        let mut canonical = Config::with_capacity(config.len());
        for (key, value) in config {
            let alias = chain.iter().find_map(|template| template.aliases.get(key));
            let name = alias.unwrap_or(key);
            if let Some(other) = canonical.get(name)
                && !other.same(value)
                && *value != Value::Null
                && *other != Value::Null
            {
                let message = format!("`{key}` is {value}, but `{name}` is {other}");
                return Err(Error::input(message).hint("both name the same extent: keep one"));
            }
            if *value != Value::Null || !canonical.contains_key(name) {
                canonical.insert(name.clone(), value.clone());
            }
        }
        if !model_type.is_empty() {
            canonical.insert("model_type".to_owned(), Value::text(model_type));
        }
        canonical.insert("model_type".to_owned(), Value::text(model_type));
        let head = head_of(chain, class)?;
        let by_layer = match canonical.get("per_layer_config") {
            Some(Value::Map(map)) => layers_of(map)?,
            _ => Vec::new(),
        };
        let type_defaults = chain.iter().find_map(|template| template.types.get(model_type));
        self.frames.push(Frame {
            chain: chain.to_vec(),
            type_defaults,
            config: canonical,
            by_layer,
            head,
            locals: Vec::new(),
            memo: given.into_iter().collect(),
            busy: Vec::new(),
        });
        Ok(())
    }

    /// Checks the conditions of the innermost template and runs its layers.
    fn run_frame(&mut self) -> Result<()> {
        let chain = self.frame().chain.clone();
        // Names may have other values at a layer than outside the layers, so the values found here
        // are dropped.
        let known = self.frame().memo.clone();
        for template in &chain {
            for (message, condition) in &template.require {
                if !condition.evaluate(self)?.holds() {
                    let hint = format!("the family needs {}", condition.text());
                    return Err(Error::input(message.clone()).hint(hint));
                }
            }
        }
        self.frame_mut().memo = known;
        let layers = chain.iter().find_map(|template| template.layers.as_ref());
        let layers = layers.ok_or_else(|| Error::input("a template without layers"))?;
        self.run(layers)
    }

    /// The value of a name, or none if it or a key in it is missing.
    fn name(&mut self, name: &str) -> Result<Option<Value>> {
        match self.lookup(name) {
            Ok(value) => Ok(value),
            Err(Failure::Missing(_)) => Ok(None),
            Err(Failure::Wrong(error)) => Err(error),
        }
    }

    /// Runs a layer list; its locals end with it.
    fn run(&mut self, nodes: &[Node]) -> Result<()> {
        let locals = self.frame().locals.len();
        let result = nodes.iter().try_for_each(|node| self.deeper(|it| it.run_node(node)));
        self.frame_mut().locals.truncate(locals);
        result
    }

    /// Runs one entry, if its condition holds.
    fn run_node(&mut self, node: &Node) -> Result<()> {
        self.step()?;
        let holds = match &node.condition {
            None => true,
            Some(condition) => condition
                .evaluate(self)
                .map_err(|failure| Error::from(failure).within(&in_text("if", condition)))?
                .holds(),
        };
        match &node.kind {
            Kind::Choose(then, otherwise) => self.run(if holds { then } else { otherwise }),
            _ if !holds => Ok(()),
            Kind::Operator(word, knobs) => {
                let name = knobs.get("name").map_or(*word, |name| name.text());
                let path = self.path(name);
                Call { builder: self, word, knobs, name }
                    .emit()
                    .map_err(|error| error.within(&format!("`{path}`")))
            }
            Kind::Repeat(times, knobs, layers) => self.repeat(times, knobs, layers),
            Kind::Scope(knobs, layers) => self.scoped(knobs, layers),
            Kind::Use(block, with) => self.use_block(block, with),
            Kind::Paths(join, paths) => self.paths(*join, paths),
            Kind::Let(knobs) => {
                for (name, expression) in &knobs.0 {
                    let value = self.value(name, expression)?;
                    self.frame_mut().locals.push((name.clone(), value));
                }
                Ok(())
            }
            Kind::Model(knobs) => self.part(knobs),
        }
    }

    /// The value of a setting; an error names the setting and its text.
    ///
    /// # Errors
    /// If the expression has no value: a key is missing, or an operation does not fit.
    pub(super) fn value(&mut self, knob: &str, expression: &Expression) -> Result<Value> {
        expression
            .evaluate(self)
            .map_err(|failure| Error::from(failure).within(&in_text(knob, expression)))
    }

    /// The value of a setting that is a whole number.
    fn whole(&mut self, knob: &str, expression: &Expression) -> Result<u64> {
        let value = self.value(knob, expression)?;
        value.whole().ok_or_else(|| {
            let text = in_text(knob, expression);
            Error::input(format!("{text} is {value}, not a whole number"))
        })
    }

    /// The path of a layer: the names of the scopes around it, then its own.
    fn path(&self, name: &str) -> String {
        let mut path = String::with_capacity(48);
        for scope in &self.scopes {
            if let Some(name) = &scope.name {
                path.push_str(name);
                path.push('.');
            }
        }
        path.push_str(name);
        path
    }

    /// The scope that settings open inside the current one: roles are replaced, counts multiply,
    /// weights and training can only be switched off.
    fn scope(&mut self, knobs: &Knobs, star: bool) -> Result<Scope> {
        let outer = self.scopes[self.scopes.len() - 1].clone();
        let mut scope = Scope { name: None, ..outer };
        let mut routing = (None, None);
        for (knob, expression) in &knobs.0 {
            match &**knob {
                "name" if expression.text().is_empty() => {}
                "name" if star => scope.name = Some(format!("{}.*", expression.text()).into()),
                "name" => scope.name = Some(expression.text().into()),
                "role" => scope.role = Some(role(expression.text())?),
                "weights" => scope.owned &= self.value(knob, expression)?.holds(),
                "trained" => scope.trained &= self.value(knob, expression)?.holds(),
                "count" => {
                    scope.times = scope.times.saturating_mul(self.whole(knob, expression)?);
                }
                "part" => {
                    let name = expression.text();
                    scope.part = Part::named(name).ok_or_else(|| {
                        Error::input(format!("`{name}` is not a part"))
                            .suggest(name, ["main", "beside", "ahead"])
                    })?;
                }
                "experts" => routing.0 = Some(self.whole(knob, expression)?),
                "top_k" => routing.1 = Some(self.whole(knob, expression)?),
                _ => {}
            }
        }
        match routing {
            (Some(experts), Some(top_k)) if 0 < top_k && top_k <= experts => {
                scope.routing = Some(Routing { experts, top_k });
            }
            (Some(experts), Some(top_k)) => {
                let message = format!("{top_k} experts per position out of {experts}");
                return Err(Error::input(message));
            }
            (None, None) => {}
            _ => return Err(Error::input("`experts` and `top_k` go together")),
        }
        Ok(scope)
    }

    /// Runs layers inside a scope.
    fn scoped(&mut self, knobs: &Knobs, layers: &[Node]) -> Result<()> {
        let scope = self.scope(knobs, false)?;
        self.scopes.push(scope);
        let result = self.run(layers);
        self.scopes.pop();
        result
    }

    /// Runs a block with values for its names.
    fn use_block(&mut self, block: &str, with: &Knobs) -> Result<()> {
        let chain = self.frame().chain.clone();
        let nodes = chain.iter().find_map(|template| template.blocks.get(block));
        let nodes = nodes.ok_or_else(|| {
            let known = chain.iter().flat_map(|it| it.blocks.keys()).map(String::as_str);
            Error::input(format!("there is no block `{block}`")).suggest(block, known)
        })?;
        let mut values = Vec::with_capacity(with.0.len());
        for (name, expression) in &with.0 {
            values.push((name.clone(), self.value(name, expression)?));
        }
        let locals = self.frame().locals.len();
        self.frame_mut().locals.extend(values);
        let result = self.run(nodes);
        self.frame_mut().locals.truncate(locals);
        result
    }

    /// Runs paths from the same tensor and joins their results.
    fn paths(&mut self, join: Join, paths: &[Vec<Node>]) -> Result<()> {
        let start = self.tensor.clone();
        let mut joined: Option<Tensor> = None;
        for path in paths {
            self.tensor = start.clone();
            self.run(path)?;
            let end = self.tensor.clone();
            joined = Some(match (joined, join) {
                (None, _) => end,
                (Some(sum), Join::Fork) => Tensor { data: sum.data && end.data, ..end },
                (Some(sum), Join::Add) => {
                    if (&sum.extents, sum.features) != (&end.extents, end.features) {
                        return Err(Error::input(format!(
                            "{} cannot be added to {}",
                            shown(&end),
                            shown(&sum)
                        ))
                        .within(&format!("`{}`", self.path("add"))));
                    }
                    let operator = Operator::Pointwise(Pointwise {
                        function: Function::Add,
                        elements: end.elements(),
                        operands: 2,
                    });
                    self.tensor = Tensor { data: false, ..end };
                    self.push("add", Role::Other, operator, true)?;
                    self.tensor.clone()
                }
                (Some(sum), Join::Concat) => {
                    if sum.extents != end.extents {
                        return Err(Error::input(format!(
                            "{} cannot be joined to {}",
                            shown(&end),
                            shown(&sum)
                        )));
                    }
                    let features = sum.features.saturating_add(end.features);
                    Tensor { features, data: false, ..end }
                }
            });
        }
        self.tensor = match (join, joined) {
            (Join::Fork, Some(end)) => Tensor { data: end.data, ..start },
            (_, Some(end)) => end,
            (_, None) => start,
        };
        Ok(())
    }

    /// Runs another model as a part of this one, over the same tensor; `leaves` names values of it
    /// for the rest of this one.
    fn part(&mut self, knobs: &Knobs) -> Result<()> {
        let mut given = Vec::new();
        let text = |builder: &mut Self, knob: &str| -> Result<Option<Value>> {
            knobs.get(knob).map(|expression| builder.value(knob, expression)).transpose()
        };
        let config = match text(self, "config")? {
            Some(Value::Map(map)) => map,
            None | Some(Value::Null) => Arc::default(),
            Some(other) => {
                return Err(Error::input(format!("a part's config is {}", other.kind())));
            }
        };
        let own_type = config.get("model_type").cloned();
        let model_type = text(self, "type")?.filter(Value::holds).or(own_type);
        let Some(Value::Text(model_type)) = model_type else {
            return Err(Error::input("a part needs a model type").hint("set `model_type`"));
        };
        let class = text(self, "class")?;
        if let Some(Value::Map(with)) = text(self, "with")? {
            given
                .extend(with.iter().map(|(name, value)| (Arc::from(name.as_str()), value.clone())));
        }
        let chain = chain(&model_type)?;
        let class = match &class {
            Some(Value::Text(class)) => Some(&**class),
            _ => None,
        };
        let scope = self.scope(knobs, false)?;
        self.enter(&chain, &model_type, class, &config, given)?;
        self.scopes.push(scope);
        self.tensor.data = true;
        let result = self.deeper(Self::run_frame).and_then(|()| text(self, "leaves"));
        self.scopes.pop();
        self.frames.pop();
        if let Some(Value::Map(left)) = result? {
            let left = left.iter().map(|(name, value)| (Arc::from(name.as_str()), value.clone()));
            self.frame_mut().memo.extend(left);
        }
        Ok(())
    }

    /// Adds a layer, merging it with an equal one of the same name.
    ///
    /// # Errors
    /// If the model has too many layers, or takes too many steps.
    pub(super) fn push(
        &mut self,
        name: &str,
        usual: Role,
        operator: Operator,
        owned: bool,
    ) -> Result<()> {
        self.step()?;
        let path = self.path(name);
        let scope = &self.scopes[self.scopes.len() - 1];
        let role = match usual {
            Role::Norm | Role::Embedding | Role::Router | Role::Head | Role::Pool => usual,
            usual => scope.role.unwrap_or(usual),
        };
        let computed = scope.times;
        let copies = u64::from(scope.owned && owned);
        let mut layer = Layer::new(path, role, operator);
        layer.count = computed;
        layer.weight_copies = copies;
        layer.routing = scope.routing;
        layer.part = scope.part;
        layer.trained = scope.trained;
        layer.reads_data = self.tensor.data;
        let same = |other: &Layer| {
            (&other.operator, other.role, other.routing, other.trained, other.reads_data)
                == (&layer.operator, layer.role, layer.routing, layer.trained, layer.reads_data)
        };
        let named = self.by_name.entry(layer.name.clone()).or_default();
        let index = match named.iter().copied().find(|&index| same(&self.layers[index])) {
            Some(index) => {
                let known = &mut self.layers[index];
                known.count = known.count.saturating_add(computed);
                known.weight_copies = known.weight_copies.saturating_add(copies);
                index
            }
            None if self.layers.len() > MOST_LAYERS.0 || named.len() > MOST_LAYERS.1 => {
                return Err(Error::input("the model has too many different layers"));
            }
            None => {
                named.push(self.layers.len());
                self.layers.push(layer);
                self.layers.len() - 1
            }
        };
        self.emitted.push((index, computed, copies));
        Ok(())
    }
}

/// The keys of single layers: sections by the number of their layer, as in `{"05": {...}}`.
fn layers_of(map: &Config) -> Result<Vec<(u64, Arc<Config>)>> {
    let layer = |(at, sizes): (&String, &Value)| match (at.parse(), sizes) {
        (Ok(at), Value::Map(sizes)) => Ok((at, Arc::clone(sizes))),
        _ => Err(Error::input(format!("`{at}` in `per_layer_config` is no layer with keys"))),
    };
    map.iter().map(layer).collect()
}

/// A setting with the text of its expression, for errors.
fn in_text(knob: &str, expression: &Expression) -> String {
    format!("`{knob}` ({})", expression.text())
}

/// A tensor's shape, for errors.
fn shown(tensor: &Tensor) -> String {
    format!("{} features at {:?}", tensor.features, tensor.extents)
}

/// The role of a name, or an error with the nearest names.
///
/// # Errors
/// If no role has the name.
pub(super) fn role(name: &str) -> Result<Role> {
    Role::ALL.iter().copied().find(|role| role.name() == name).ok_or_else(|| {
        Error::input(format!("`{name}` is not a role"))
            .suggest(name, Role::ALL.iter().map(|role| role.name()))
    })
}

#[cfg(test)]
mod tests;
