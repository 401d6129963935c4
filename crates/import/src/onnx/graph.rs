//! The walk through a graph, node by node as it would run, with shapes in place of data.
//!
//! Bodies of `If` and `Loop` and functions of the file run as often as they would; a `Scan` runs
//! once and counts its steps. Work is bounded: a file that unrolls without end is refused.
//!
//! A value's origin says whether it changes with the input and whether a trained weight lies
//! upstream. From this follow which products are dense layers, which layers own weights, and where
//! gradients flow.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::model::Unresolved;
use flopcast_core::model::operator::Operator;
use prost::bytes::Bytes;

use super::call::{Attributes, Call, Inferred, Stop};
use super::layers::Layers;
use super::operators::{Cost, rule};
use super::proto::{
    AttributeProto, FunctionProto, GraphProto, NodeProto, SparseTensorProto, TensorProto,
    TypeProto, ValueInfoProto, decode, decode_all,
};
use super::value::{DataType, MAX_RANK, Origin, Shape, Value, elements, product, shape_of};
use super::{Bindings, fold, lower, sequence};

/// The most node runs of a file, those of unrolled loops and called functions included.
const MAX_RUNS: u64 = 1 << 19;
/// The most elements of small contents that are kept; above it, contents are unknown.
const MAX_KEPT: u64 = 1 << 24;
/// The most elements of small contents that are computed with; above it, contents are unknown.
const MAX_FOLDED: u64 = 1 << 27;
/// The deepest nesting of bodies: control flow and functions.
const MAX_DEPTH: u32 = 32;

/// Names and their values, within one graph.
#[derive(Default)]
struct Scope<'a> {
    values: HashMap<String, Rc<Value>>,
    /// Values as the file states them, for outputs that cannot be inferred.
    stated: HashMap<String, Value>,
    /// The attributes of the call, in a function's body.
    attributes: Option<&'a Attributes>,
    outer: Option<&'a Scope<'a>>,
    depth: u32,
}

impl<'a> Scope<'a> {
    /// The scope of a control-flow body, which sees the names around it.
    fn inside(&'a self) -> Result<Self> {
        let depth = self.deeper()?;
        Ok(Self { outer: Some(self), depth, attributes: self.attributes, ..Self::default() })
    }

    /// The depth of a body inside this scope, if it is allowed.
    fn deeper(&self) -> Result<u32> {
        if self.depth < MAX_DEPTH {
            return Ok(self.depth + 1);
        }
        Err(Error::input(format!("graphs and functions are nested more than {MAX_DEPTH} deep")))
    }

    /// The value of a name, in this scope or one around it.
    fn find(&self, name: &str) -> Option<&Rc<Value>> {
        self.values.get(name).or_else(|| self.outer?.find(name))
    }
}

/// Reads the graphs of one file.
pub(super) struct Reader<'a> {
    bindings: &'a Bindings,
    functions: BTreeMap<(String, String), Rc<FunctionProto>>,
    /// Stored tensors by their place in the file: a loop's body has its weights once.
    stored: HashMap<usize, Rc<Value>>,
    layers: Layers,
    unresolved: BTreeMap<(String, String), u64>,
    chosen: BTreeMap<&'static str, u64>,
    runs: u64,
    kept: u64,
    folded: u64,
}

impl<'a> Reader<'a> {
    /// A reader of files that define `functions`.
    pub(super) fn new(bindings: &'a Bindings, functions: Vec<FunctionProto>) -> Self {
        let keyed = |it: FunctionProto| ((it.domain.clone(), it.name.clone()), Rc::new(it));
        Self {
            bindings,
            functions: functions.into_iter().map(keyed).collect(),
            stored: HashMap::new(),
            layers: Layers::new(),
            unresolved: BTreeMap::new(),
            chosen: BTreeMap::new(),
            runs: 0,
            kept: 0,
            folded: 0,
        }
    }

    /// Runs the model's graph and returns the shapes of its inputs by name.
    ///
    /// # Errors
    /// If the graph contradicts itself, a dimension has no size, or the work is beyond the bounds.
    pub(super) fn run(&mut self, graph: &GraphProto) -> Result<Vec<(String, Shape)>> {
        let mut scope = Scope::default();
        self.prepare(graph, &mut scope)?;
        let mut inputs = Vec::new();
        for info in decode_all::<ValueInfoProto>(&graph.input, "an input") {
            let info = info?;
            // Files of IR versions before 4 list their initializers as inputs too.
            if scope.values.contains_key(&info.name) {
                continue;
            }
            let mut value = self.input(&info)?;
            value.origin.data = true;
            if let Some(shape) = &value.shape {
                inputs.push((info.name.clone(), shape.clone()));
            }
            scope.values.insert(info.name, Rc::new(value));
        }
        self.nodes(&graph.node, &mut scope)?;
        Ok(inputs)
    }

    /// The layers, and the parts that could not be costed.
    pub(super) fn finish(self) -> (Layers, Vec<Unresolved>) {
        let unresolved = self.unresolved.into_iter();
        let unresolved = unresolved.map(|((kind, why), count)| Unresolved { kind, count, why });
        (self.layers, unresolved.collect())
    }

    /// Type and shape of an input of the model, with its symbols bound.
    fn input(&self, info: &ValueInfoProto) -> Result<Value> {
        let Some(tensor) = info.r#type.as_ref().and_then(|it| it.tensor.as_ref()) else {
            return Ok(Value::unknown(DataType(0)));
        };
        let data_type = DataType(tensor.elem_type);
        let Some(shape) = &tensor.shape else { return Ok(Value::unknown(data_type)) };
        let mut dims = Vec::new();
        for (axis, dim) in shape.dim.iter().enumerate() {
            let symbol = dim.param.as_deref().filter(|symbol| !symbol.is_empty());
            let place = format!("{}.{axis}", info.name);
            let size = match (dim.value, symbol) {
                (Some(value), _) if value > 0 => Some(value),
                // A size of 0 is a cache without tokens, unless it is bound.
                (Some(0), _) => self.bindings.get(&place).or(Some(0)),
                (_, Some(symbol)) => self.bindings.get(symbol),
                _ => self.bindings.get(&place),
            };
            let symbol = symbol.unwrap_or(&place);
            dims.push(size.ok_or_else(|| {
                Error::input(format!(
                    "dimension {axis} of input `{}` is `{symbol}`, which has no size",
                    info.name
                ))
                .hint(format!("bind it: --bind {symbol}=1"))
            })?);
        }
        let what = || format!("input `{}`", info.name);
        let shape = shape_of(&dims, what)?;
        let count = elements(&shape, what)?;
        let mut value = Value::new(data_type, shape);
        // A condition may be bound, so that it chooses a branch, and a number, so that a loop ends.
        if let (true, 1, Some(bound)) = (data_type.is_bound(), count, self.bindings.get(&info.name))
        {
            value.contents = Some([bound as f64].as_slice().into());
        }
        Ok(value)
    }

    /// A value as the file states it, if its shape is concrete once symbols are bound.
    fn stated(&self, r#type: Option<&TypeProto>) -> Option<Value> {
        let tensor = r#type?.tensor.as_ref()?;
        let size = |dim: &super::proto::DimensionProto| {
            let bound = || self.bindings.get(dim.param.as_deref()?);
            u64::try_from(dim.value.or_else(bound)?).ok()
        };
        let shape: Option<Shape> = tensor.shape.as_ref()?.dim.iter().map(size).collect();
        let shape = shape.filter(|shape| shape.len() <= MAX_RANK && product(shape).is_some())?;
        Some(Value::new(DataType(tensor.elem_type), shape))
    }

    /// Enters a graph's initializers and statements into a scope.
    fn prepare(&mut self, graph: &GraphProto, scope: &mut Scope<'_>) -> Result<()> {
        for bytes in &graph.initializer {
            let (name, value) = self.tensor(bytes, true)?;
            scope.values.insert(name, value);
        }
        for sparse in decode_all::<SparseTensorProto>(&graph.sparse_initializer, "a tensor") {
            let SparseTensorProto { values, dims } = sparse?;
            let values = values.unwrap_or_default();
            let what = || format!("tensor `{}`", values.name);
            let (stored, shape) = (shape_of(&values.dims, what)?, shape_of(&dims, what)?);
            let data_type = DataType(values.data_type);
            elements(&shape, what)?;
            let mut value = Value::new(data_type, shape);
            let number = self.layers.store(&values.name, elements(&stored, what)?, data_type, true);
            value.origin.parameter = Some(number);
            value.origin.gradient = data_type.is_float();
            scope.values.insert(values.name, Rc::new(value));
        }
        for info in decode_all::<ValueInfoProto>(&graph.value_info, "a value") {
            let info = info?;
            if let Some(value) = self.stated(info.r#type.as_ref()) {
                scope.stated.insert(info.name, value);
            }
        }
        Ok(())
    }

    /// A stored tensor: an initializer, or a `Constant` node's.
    fn tensor(&mut self, bytes: &Bytes, initializer: bool) -> Result<(String, Rc<Value>)> {
        let tensor: TensorProto = decode(bytes, "a tensor")?;
        let place = bytes.as_ptr() as usize;
        if let Some(value) = self.stored.get(&place) {
            return Ok((tensor.name, Rc::clone(value)));
        }
        let mut value = Value::stored(&tensor, bytes)?;
        let count = value.shape.as_deref().and_then(product).unwrap_or(0);
        self.keep(&mut value);
        if initializer || count > 1 {
            let number = self.layers.store(&tensor.name, count, value.data_type, initializer);
            value.origin.parameter = Some(number);
            // A single number is a setting, not a weight to train.
            value.origin.gradient = initializer && value.data_type.is_float() && count > 1;
        }
        let value = Rc::new(value);
        self.stored.insert(place, Rc::clone(&value));
        Ok((tensor.name, value))
    }

    /// Keeps a value's contents while there is room.
    fn keep(&mut self, value: &mut Value) {
        self.kept += value.contents.as_ref().map_or(0, |contents| contents.len() as u64);
        if self.kept > MAX_KEPT {
            value.contents = None;
        }
    }

    /// Charges work as a number of node runs, of which there is a limit.
    fn charge(&mut self, runs: usize) -> Result<()> {
        self.runs = self.runs.saturating_add(runs as u64);
        if self.runs > MAX_RUNS {
            return Err(Error::input(format!(
                "the graph runs more than {MAX_RUNS} nodes, its loops and functions unrolled"
            )));
        }
        Ok(())
    }

    /// Runs nodes in their order.
    fn nodes(&mut self, nodes: &[Bytes], scope: &mut Scope<'_>) -> Result<()> {
        for bytes in nodes {
            // A body reads its nodes again on each run, so long ones cost more.
            let length = if scope.depth > 0 { bytes.len() / 4096 } else { 0 };
            self.charge(1 + length)?;
            self.node(decode(bytes, "a node")?, scope)?;
        }
        Ok(())
    }

    /// Runs one node: its inputs, its operator, and the values of its outputs. An output that
    /// cannot be inferred takes the value that the file states.
    fn node(&mut self, node: NodeProto, scope: &mut Scope<'_>) -> Result<()> {
        let mut attributes = Attributes::new();
        for attribute in decode_all::<AttributeProto>(&node.attribute, "an attribute") {
            let attribute = attribute?;
            if attribute.ref_attr_name.is_empty() {
                attributes.insert(attribute.name.clone(), attribute);
            } else if let Some(given) =
                scope.attributes.and_then(|given| given.get(&attribute.ref_attr_name))
            {
                attributes.insert(attribute.name, given.clone());
            }
        }
        let find = |name: &String| match name.as_str() {
            "" => Ok(None),
            name => scope.find(name).cloned().map(Some).ok_or_else(|| {
                Error::input(format!(
                    "node `{}` ({}) uses `{name}` before anything yields it",
                    node.name, node.op_type
                ))
                .hint("the graph has a cycle, or its nodes are not in the order of execution")
            }),
        };
        let inputs = node.input.iter().map(find).collect::<Result<Vec<_>>>()?;
        let standard = matches!(node.domain.as_str(), "" | "ai.onnx");
        let operator = if standard {
            node.op_type.clone()
        } else {
            format!("{}.{}", node.domain, node.op_type)
        };
        let call =
            Call { operator, name: node.name, attributes, inputs, outputs: node.output.len() };
        let function = self.functions.get(&(node.domain, node.op_type)).cloned();
        let outputs = match (function, call.operator.as_str()) {
            (Some(function), _) => self.function(&call, &function, scope)?,
            (None, "If") => self.branch(&call, scope)?,
            (None, "Loop") => self.repeat(&call, scope)?,
            (None, "Scan") => self.scan(&call, scope)?,
            (None, operator) if sequence::is_sequence(operator) => match sequence::run(&call) {
                Ok(output) => {
                    self.charge(output.sequence.as_ref().map_or(0, |items| items.len() / 16))?;
                    vec![output]
                }
                Err(Stop::Unknown) => vec![],
                Err(Stop::Invalid(error)) => return Err(error),
            },
            (None, "Constant") => vec![self.constant(&call)?],
            (None, _) => {
                let stated = node.output.first().and_then(|name| scope.stated.get(name));
                self.operator(call, stated)?
            }
        };
        let mut outputs = outputs.into_iter();
        for name in node.output {
            let known = outputs.next();
            let known = known.filter(|value| value.shape.is_some() || value.sequence.is_some());
            let value = known.unwrap_or_else(|| {
                let stated = scope.stated.get(&name).cloned();
                let mut value = stated.unwrap_or_else(|| Value::unknown(DataType(0)));
                value.origin = Origin { data: true, gradient: true, parameter: None };
                Rc::new(value)
            });
            if !name.is_empty() {
                scope.values.insert(name, value);
            }
        }
        Ok(())
    }

    /// Notes a node that could not be costed, with the reason.
    fn note(&mut self, call: &Call, why: &str) {
        *self.unresolved.entry((call.operator.clone(), why.to_owned())).or_default() += 1;
    }

    /// Infers, folds and costs one operator.
    fn operator(&mut self, mut call: Call, stated: Option<&Value>) -> Result<Vec<Rc<Value>>> {
        let fill = call.attributes.get("value").and_then(|it| it.t.clone());
        if let (Some(fill), "ConstantOfShape") = (fill, call.operator.as_str()) {
            let (_, fill) = self.tensor(&fill, false)?;
            call.inputs.push(Some(fill));
        }
        let origins = call.inputs.iter().flatten().map(|value| value.origin);
        let joined = origins.fold(Origin::default(), Origin::join);
        let Some(rule) = rule(&call.operator) else {
            self.note(&call, "not an operator that flopcast knows");
            return Ok(vec![]);
        };
        let mut outputs = match ((rule.infer)(&call), stated) {
            (Ok(outputs), _) => outputs,
            (Err(Stop::Invalid(error)), _) => return Err(error),
            (Err(Stop::Unknown), Some(stated)) => vec![stated.clone()],
            (Err(Stop::Unknown), None) => {
                if !matches!(rule.cost, Cost::Nothing | Cost::LookUp) {
                    self.note(&call, "its shape depends on the data");
                }
                return Ok(vec![]);
            }
        };
        for (index, output) in outputs.iter_mut().enumerate().take(call.outputs.max(1)) {
            output.origin = origin(&call, joined);
            if let Some(shape) = &output.shape {
                elements(shape, || call.label())?;
            }
            output.contents = self.fold(&call, output, index);
            self.keep(output);
        }
        match self.cost(&call, &outputs, rule.cost, joined) {
            Ok(()) => {}
            Err(Stop::Unknown) => self.note(&call, "its shape depends on the data"),
            Err(Stop::Invalid(error)) => return Err(error),
        }
        Ok(outputs.into_iter().map(Rc::new).collect())
    }

    /// Contents of an output, while there is room for such work.
    fn fold(&mut self, call: &Call, output: &Value, index: usize) -> Option<Rc<[f64]>> {
        let given = call.inputs.iter().flatten().filter_map(|value| value.contents.as_ref());
        self.folded += given.map(|contents| contents.len() as u64).sum::<u64>();
        if self.folded > MAX_FOLDED || self.kept > MAX_KEPT {
            return None;
        }
        fold::contents(call, output, index)
    }

    /// Adds the cost of a node. A node that depends on neither data nor parameters is computed
    /// once, ahead, and only its products are kept.
    fn cost(&mut self, call: &Call, outputs: &[Value], cost: Cost, joined: Origin) -> Inferred<()> {
        self.layers.set_aside(call);
        let runs = joined.data || joined.gradient;
        let output = || outputs[0].shape.as_deref().ok_or(Stop::Unknown);
        let mut drafts = match cost {
            Cost::Each(function) if runs => lower::pointwise(call, function, output()?)?,
            Cost::Given(function) if runs => lower::pointwise(call, function, call.shape(0)?)?,
            Cost::Norm(kind) if runs => lower::norm(call, kind)?,
            Cost::LookUp => lower::gather(call)?,
            Cost::Own(lower) => lower(call, outputs)?,
            _ => return Ok(()),
        };
        drafts.retain(|draft| {
            let product = matches!(
                draft.operator,
                Operator::Dense(_) | Operator::Convolution(_) | Operator::Matmul(_)
            );
            // A table of integers is a weight even where constant rows of it are looked up.
            let table = || {
                matches!(draft.operator, Operator::Embedding(_)) && call.data_type(0).is_quantized()
            };
            runs || product || table()
        });
        self.layers.add(call, outputs, drafts)
    }

    /// The value of a `Constant` node, in whichever attribute it is.
    fn constant(&mut self, call: &Call) -> Result<Rc<Value>> {
        for attribute in call.attributes.values() {
            if let Some(bytes) = &attribute.t {
                return Ok(self.tensor(bytes, false)?.1);
            }
            let (data_type, shape, contents) = match attribute.name.as_str() {
                "value_int" => (7, vec![], vec![attribute.i.unwrap_or(0) as f64]),
                "value_float" => (1, vec![], vec![f64::from(attribute.f.unwrap_or(0.0))]),
                "value_ints" => {
                    let ints: Vec<f64> = attribute.ints.iter().map(|&i| i as f64).collect();
                    (7, vec![ints.len() as u64], ints)
                }
                "value_floats" => {
                    let floats: Vec<f64> = attribute.floats.iter().map(|&f| f64::from(f)).collect();
                    (1, vec![floats.len() as u64], floats)
                }
                _ => continue,
            };
            let mut value = Value::new(DataType(data_type), shape);
            value.contents = Some(contents.into());
            self.keep(&mut value);
            return Ok(Rc::new(value));
        }
        Ok(Rc::new(Value::unknown(DataType(0))))
    }

    /// Calls a function that the file defines.
    fn function(
        &mut self,
        call: &Call,
        function: &FunctionProto,
        scope: &Scope<'_>,
    ) -> Result<Vec<Rc<Value>>> {
        let mut attributes = Attributes::new();
        for default in decode_all::<AttributeProto>(&function.attribute_proto, "an attribute") {
            let default = default?;
            attributes.insert(default.name.clone(), default);
        }
        attributes.extend(call.attributes.clone());
        let depth = scope.deeper()?;
        self.charge(1 + function.attribute_proto.len() + function.input.len())?;
        let mut body = Scope { attributes: Some(&attributes), depth, ..Scope::default() };
        for (name, value) in function.input.iter().zip(&call.inputs) {
            if let Some(value) = value {
                body.values.insert(name.clone(), Rc::clone(value));
            }
        }
        self.nodes(&function.node, &mut body)?;
        function.output.iter().map(|name| result(&body, name)).collect()
    }

    /// Runs a control-flow body on these inputs and returns its outputs.
    fn body(
        &mut self,
        graph: &GraphProto,
        inputs: Vec<Rc<Value>>,
        scope: &Scope<'_>,
    ) -> Result<Vec<Rc<Value>>> {
        let mut body = scope.inside()?;
        let parts = graph.initializer.len() + graph.value_info.len();
        self.charge(1 + parts + graph.input.len() + graph.output.len())?;
        self.prepare(graph, &mut body)?;
        for (info, value) in decode_all::<ValueInfoProto>(&graph.input, "an input").zip(inputs) {
            body.values.insert(info?.name, value);
        }
        self.nodes(&graph.node, &mut body)?;
        decode_all::<ValueInfoProto>(&graph.output, "an output")
            .map(|info| result(&body, &info?.name))
            .collect()
    }

    /// `If(condition)`: the branch that is taken; if only the data can tell, the costlier.
    fn branch(&mut self, call: &Call, scope: &Scope<'_>) -> Result<Vec<Rc<Value>>> {
        const BRANCHES: [&str; 2] = ["then_branch", "else_branch"];
        if let Some(taken) = first(call, 0) {
            let graph = body_of(call, BRANCHES[usize::from(taken == 0.0)])?;
            return self.body(&graph, vec![], scope);
        }
        // Both run from the same state, and the state after the costlier stays.
        let run = |reader: &mut Self, name: &str| -> Result<_> {
            let graph = body_of(call, name)?;
            reader.charge(1 + reader.layers.len() / 16)?;
            let outputs = reader.body(&graph, vec![], scope)?;
            Ok((outputs, reader.layers.mark(), reader.unresolved.clone()))
        };
        let before = (self.layers.mark(), self.unresolved.clone());
        let then = run(self, BRANCHES[0])?;
        self.layers.restore(before.0);
        self.unresolved = before.1;
        let otherwise = run(self, BRANCHES[1])?;
        let costs = [then.1.flops(), otherwise.1.flops()];
        let chosen = usize::from(costs[1] > costs[0]);
        let (outputs, mark, unresolved) = if chosen == 0 { then } else { otherwise };
        self.layers.restore(mark);
        self.unresolved = unresolved;
        self.chosen.entry(BRANCHES[chosen]).and_modify(|count| *count += 1).or_insert(1);
        Ok(outputs)
    }

    /// The branches that were counted because they cost more, with their number.
    pub(super) fn chosen(&self) -> BTreeMap<&'static str, u64> {
        self.chosen.clone()
    }

    /// `Loop(trips, condition, carried...)`: body
    /// `(trip, condition, carried...) -> (condition, carried..., collected...)`. If the number of
    /// trips depends on the data, one pass is counted and the loop is listed as unresolved.
    fn repeat(&mut self, call: &Call, scope: &Scope<'_>) -> Result<Vec<Rc<Value>>> {
        let graph = body_of(call, "body")?;
        let mut carried: Vec<Rc<Value>> = call.inputs.iter().skip(2).flatten().cloned().collect();
        let trips = match call.optional(0) {
            Some(_) => first(call, 0).map(|trips| trips.max(0.0) as u64),
            None => Some(u64::MAX),
        };
        let mut going = match call.optional(1) {
            Some(_) => first(call, 1),
            None => Some(1.0),
        };
        let mut trip: u64 = 0;
        let mut collected: Vec<Rc<Value>> = Vec::new();
        let mut known = trips.is_some() && going.is_some();
        while trip < trips.unwrap_or(1) && going != Some(0.0) {
            let mut inputs =
                vec![scalar(DataType::INT64, trip as f64), scalar(DataType::BOOL, 1.0)];
            inputs.extend(carried.iter().cloned());
            let mut outputs = self.body(&graph, inputs, scope)?.into_iter();
            let test = outputs.next().ok_or_else(|| Error::input("a loop without a condition"))?;
            going = test.contents.as_deref().and_then(|test| test.first().copied());
            let count = carried.len();
            carried = outputs.by_ref().take(count).collect();
            collected = outputs.collect();
            trip += 1;
            if going.is_none() {
                // Only data can tell whether the loop goes on; if it has a limit, it is taken to
                // reach it.
                if trips.is_none_or(|trips| trips == u64::MAX) {
                    known = false;
                    break;
                }
                going = Some(1.0);
            }
        }
        if !known {
            self.note(call, "how often it runs depends on the data; one pass is counted");
        }
        let rows = known.then_some(trip);
        carried.extend(collected.iter().map(|value| stacked(value, rows, 0)));
        Ok(carried)
    }

    /// `Scan(states..., sequences...)`: body `(states..., slices...) -> (states..., slices...)`.
    /// The body runs once and counts as often as the sequences are long.
    fn scan(&mut self, call: &Call, scope: &Scope<'_>) -> Result<Vec<Rc<Value>>> {
        let graph = body_of(call, "body")?;
        let given: Vec<Rc<Value>> = call.inputs.iter().flatten().cloned().collect();
        let sequences = call.int("num_scan_inputs").and_then(|count| usize::try_from(count).ok());
        let states = sequences.and_then(|count| given.len().checked_sub(count));
        let (Some(states), false) = (states, sequences == Some(0)) else {
            return Err(Error::input(format!("{}: `num_scan_inputs` is wrong", call.label())));
        };
        let mut length = None;
        let mut inputs = given[..states].to_vec();
        for (index, sequence) in given[states..].iter().enumerate() {
            let axis = call.ints("scan_input_axes").and_then(|axes| axes.get(index)).copied();
            let Some(mut shape) = sequence.shape.clone() else {
                self.note(call, "its length depends on the data");
                return Ok(vec![]);
            };
            let axis = call.axis(axis.unwrap_or(0), shape.len());
            let axis = axis.map_err(|_| Error::input(format!("{}: an axis", call.label())))?;
            length = Some(shape.remove(axis));
            let slice = Value { shape: Some(shape), contents: None, ..(**sequence).clone() };
            inputs.push(Rc::new(slice));
        }
        let length = length.unwrap_or(0);
        let before = self.layers.times;
        self.layers.times = before.saturating_mul(length);
        let outputs = self.body(&graph, inputs, scope);
        self.layers.times = before;
        let axes = call.ints("scan_output_axes").unwrap_or_default();
        let outputs = outputs?.into_iter().enumerate().map(|(index, value)| {
            match index.checked_sub(states) {
                None => value,
                Some(index) => stacked(&value, Some(length), axes.get(index).copied().unwrap_or(0)),
            }
        });
        Ok(outputs.collect())
    }
}

/// The origin of an operator's outputs.
fn origin(call: &Call, joined: Origin) -> Origin {
    match call.operator.as_str() {
        // Once the input's dimensions are bound, these are constants.
        "Shape" | "Size" | "ConstantOfShape" => Origin::default(),
        "Identity" | "Cast" | "CastLike" | "Transpose" | "Reshape" | "Squeeze" | "Unsqueeze"
        | "Flatten" | "Dropout" | "DequantizeLinear" => {
            let first = call.optional(0).map(|value| value.origin).unwrap_or_default();
            Origin { parameter: first.parameter, ..first.join(joined) }
        }
        // An index has no gradient.
        "ArgMax" | "ArgMin" | "NonZero" | "Equal" | "Greater" | "Less" | "GreaterOrEqual"
        | "LessOrEqual" | "And" | "Or" | "Not" => Origin { gradient: false, ..joined },
        _ => joined,
    }
}

/// The first element of input `index`, if it is known.
fn first(call: &Call, index: usize) -> Option<f64> {
    call.optional(index)?.contents.as_deref()?.first().copied()
}

/// A known scalar.
fn scalar(data_type: DataType, content: f64) -> Rc<Value> {
    let contents = Some([content].as_slice().into());
    Rc::new(Value { contents, ..Value::new(data_type, vec![]) })
}

/// `value`, stacked `length` times along a new axis.
fn stacked(value: &Value, length: Option<u64>, axis: i64) -> Rc<Value> {
    let shape = value.shape.clone().zip(length).map(|(mut shape, length)| {
        let rank = shape.len() as i64 + 1;
        let axis = if axis < 0 { axis.saturating_add(rank) } else { axis };
        shape.insert(axis.clamp(0, rank - 1) as usize, length);
        shape
    });
    let origin = Origin { parameter: None, ..value.origin };
    Rc::new(Value { shape, origin, ..Value::unknown(value.data_type) })
}

/// The graph in an attribute of a control-flow node.
fn body_of(call: &Call, name: &str) -> Result<GraphProto> {
    let bytes = call.attributes.get(name).and_then(|attribute| attribute.g.as_ref());
    let bytes = bytes
        .ok_or_else(|| Error::input(format!("{}: graph `{name}` is missing", call.label())))?;
    decode(bytes, "a graph")
}

/// The value of a body's output.
fn result(scope: &Scope<'_>, name: &str) -> Result<Rc<Value>> {
    let missing = || Error::input(format!("nothing yields the output `{name}`"));
    scope.find(name).cloned().ok_or_else(missing)
}
