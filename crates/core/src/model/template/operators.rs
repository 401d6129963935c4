//! Operators of a layer list: settings become an operator at the shape of the running tensor.
//!
//! A setting that is left out takes its value from the tensor (rows, inputs, positions) or the
//! usual value of the operator (stride 1, no bias).

use std::sync::Arc;

use super::builder::{Builder, Tensor, role};
use super::node::Knobs;
use super::value::Value;
use crate::diagnostic::{Error, Result};
use crate::model::cost::count;
use crate::model::layer::Role;
use crate::model::operator::{
    Attention, Axis, Cell, Convolution, Dense, Embedding, Function, Mask, Matmul, Norm, NormKind,
    Operator, Pointwise, Pool, Recurrent, Scan, ScanKind,
};
use crate::quantity::Precision;

/// One operator with its settings, about to become a layer.
pub(super) struct Call<'b, 't> {
    /// The run that it belongs to.
    pub(super) builder: &'b mut Builder<'t>,
    /// The operator's word in the layer list.
    pub(super) word: &'static str,
    /// Its settings.
    pub(super) knobs: &'b Knobs,
    /// The last part of the layer's path.
    pub(super) name: &'b str,
}

impl Call<'_, '_> {
    /// The value of a setting; `None` if it is absent or null.
    fn maybe(&mut self, knob: &str) -> Result<Option<Value>> {
        let value = self.knobs.get(knob).map(|it| self.builder.value(knob, it)).transpose()?;
        Ok(value.filter(|value| *value != Value::Null))
    }

    /// A setting that is an extent: a whole number above 0.
    fn extent(&mut self, knob: &str) -> Result<Option<u64>> {
        let Some(value) = self.maybe(knob)? else {
            return Ok(None);
        };
        let text = self.knobs.get(knob).map_or("", |it| it.text());
        match value.whole() {
            Some(0) => Err(Error::input(format!("`{knob}` ({text}) is 0"))),
            Some(extent) => Ok(Some(extent)),
            None => Err(Error::input(format!("`{knob}` ({text}) is {value}, not a whole number"))),
        }
    }

    /// An extent, or another value if the setting is absent.
    fn extent_or(&mut self, knob: &str, otherwise: u64) -> Result<u64> {
        Ok(self.extent(knob)?.unwrap_or(otherwise))
    }

    /// An extent that the operator cannot do without.
    fn needed(&mut self, knob: &str) -> Result<u64> {
        self.extent(knob)?.ok_or_else(|| Error::input(format!("`{}` needs `{knob}`", self.word)))
    }

    /// A setting that is a yes or no.
    fn holds(&mut self, knob: &str, otherwise: bool) -> Result<bool> {
        Ok(self.maybe(knob)?.map_or(otherwise, |value| value.holds()))
    }

    /// A setting that is a name.
    fn text(&mut self, knob: &str) -> Result<Option<Arc<str>>> {
        match self.maybe(knob)? {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(other) => Err(Error::input(format!("`{knob}` is {}, not a name", other.kind()))),
        }
    }

    /// A list of extents, or one extent for every axis.
    fn extents(&mut self, knob: &str, axes: usize, otherwise: u64) -> Result<Vec<u64>> {
        let wrong = |value: &Value| match value {
            Value::Float(it) if *it < 1.0 => short(),
            Value::Int(it) if *it < 1 => short(),
            Value::List(list) if list.iter().any(|it| it.whole().is_none_or(|it| it == 0)) => {
                short()
            }
            _ => Error::input(format!("`{knob}` is {value}, not whole numbers for {axes} axes")),
        };
        match self.maybe(knob)? {
            None => Ok(vec![otherwise; axes]),
            Some(Value::List(list)) if list.len() == axes || axes == 0 => {
                list.iter().map(|item| item.whole().ok_or_else(|| wrong(item))).collect()
            }
            Some(value) => match value.whole() {
                Some(extent) => Ok(vec![extent; axes.max(1)]),
                None => Err(wrong(&value)),
            },
        }
    }

    /// Adds the operator as a layer of its usual role.
    fn push(&mut self, usual: Role, operator: Operator) -> Result<()> {
        let owned = self.holds("weights", true)?;
        let usual = match self.text_role()? {
            // An explicit role overrides the scope's.
            Some(explicit) => {
                let scopes = &mut self.builder.scopes;
                let last = scopes.len() - 1;
                let outer = scopes[last].role.replace(explicit);
                let result = self.builder.push(self.name, explicit, operator, owned);
                self.builder.scopes[last].role = outer;
                return result;
            }
            None => usual,
        };
        self.builder.push(self.name, usual, operator, owned)
    }

    /// The role that the settings name.
    fn text_role(&self) -> Result<Option<Role>> {
        self.knobs.get("role").map(|it| role(it.text())).transpose()
    }

    /// The running tensor, to change it.
    fn tensor(&mut self) -> &mut Tensor {
        &mut self.builder.tensor
    }

    /// Turns the entry into a layer or a change of shape.
    ///
    /// # Errors
    /// If a setting is missing, has the wrong kind or is 0, or does not fit the running tensor.
    pub(super) fn emit(mut self) -> Result<()> {
        match self.word {
            "input" => {
                let tensor = self.shaped()?;
                *self.tensor() = Tensor { data: true, ..tensor };
                Ok(())
            }
            "reshape" => {
                let data = self.builder.tensor.data;
                let data = self.holds("data", data)?;
                let tensor = self.shaped()?;
                *self.tensor() = Tensor { data, ..tensor };
                Ok(())
            }
            "flatten" => {
                let tensor = self.tensor();
                tensor.features = count(&[tensor.features, tensor.positions()]);
                tensor.extents.clear();
                Ok(())
            }
            "dense" => self.dense(),
            "conv1d" => self.convolution(1),
            "conv2d" => self.convolution(2),
            "conv3d" => self.convolution(3),
            "attention" => self.attention(),
            "matmul" => {
                let operator = Operator::Matmul(Matmul {
                    batch: self.extent_or("batch", 1)?,
                    rows: self.needed("rows")?,
                    inner: self.needed("inner")?,
                    columns: self.needed("columns")?,
                });
                self.push(Role::Other, operator)
            }
            "embedding" => {
                let (entries, dim) = (self.needed("entries")?, self.needed("dim")?);
                let rows = self.builder.tensor.rows();
                let rows = self.extent_or("rows", rows)?;
                self.tensor().data = true;
                self.push(Role::Embedding, Operator::Embedding(Embedding { entries, dim, rows }))?;
                let tensor = self.tensor();
                tensor.data = false;
                tensor.features = dim;
                Ok(())
            }
            "parameter" => {
                let size = self.needed("size")?;
                self.push(Role::Other, Operator::Parameter(size))
            }
            "norm" | "layer_norm" | "rms_norm" | "batch_norm" | "group_norm" => self.norm(),
            "activation" | "relu" | "gelu" | "silu" | "sigmoid" | "tanh" | "softmax" | "rotary"
            | "multiply" => self.pointwise(),
            "glu" => {
                let halved = self.builder.tensor.features / 2;
                self.tensor().features = halved;
                let elements = self.builder.tensor.elements();
                let name = self.text("function")?.unwrap_or_else(|| "sigmoid".into());
                for function in [function(&name)?, Function::Multiply] {
                    let operands = if function == Function::Multiply { 2 } else { 1 };
                    let operator = Operator::Pointwise(Pointwise { function, elements, operands });
                    self.push(Role::Other, operator)?;
                }
                Ok(())
            }
            "max_pool" | "avg_pool" | "adaptive_pool" | "global_pool" => self.pool(),
            "rnn" => self.recurrent(Cell::Rnn),
            "lstm" => self.recurrent(Cell::Lstm),
            "gru" => self.recurrent(Cell::Gru),
            "scan" => self.scan(),
            other => Err(Error::input(format!("`{other}` has no meaning"))),
        }
    }

    /// The tensor with the batch, extents and features that the settings name.
    fn shaped(&mut self) -> Result<Tensor> {
        let mut tensor = self.builder.tensor.clone();
        tensor.batch = self.extent_or("batch", tensor.batch)?;
        if self.knobs.get("extents").is_some() {
            tensor.extents = self.extents("extents", 0, 1)?;
            if tensor.extents.contains(&0) {
                return Err(short());
            }
        }
        tensor.features = self.extent_or("features", tensor.features)?;
        Ok(tensor)
    }

    /// A linear layer on every position: features become `out`.
    fn dense(&mut self) -> Result<()> {
        let inputs = self.inputs()?;
        let outputs = self.needed("out")?;
        let rows = self.builder.tensor.rows();
        let rows = self.extent_or("rows", rows)?;
        let bias = self.holds("bias", false)?;
        self.push(Role::Other, Operator::Dense(Dense { rows, inputs, outputs, bias }))?;
        let tensor = self.tensor();
        tensor.data = false;
        tensor.features = outputs;
        Ok(())
    }

    /// The features of the input: `in`, a whole shape `[features, extents...]`, or those of the
    /// tensor.
    fn inputs(&mut self) -> Result<u64> {
        if let Some(Value::List(shape)) = self.maybe("in")? {
            let shape: Vec<_> =
                shape.iter().filter_map(Value::whole).filter(|&it| it > 0).collect();
            let [features, extents @ ..] = shape.as_slice() else {
                return Err(Error::input("`in` is a list of positive whole numbers"));
            };
            let tensor = self.tensor();
            tensor.features = *features;
            tensor.extents = extents.to_vec();
            return Ok(*features);
        }
        let features = self.builder.tensor.features;
        let inputs = self.extent_or("in", features)?;
        if inputs == 0 {
            return Err(Error::input(format!("`{}` needs `in`", self.word))
                .hint("nothing before it says how many features come in"));
        }
        Ok(inputs)
    }

    /// The axes of a window over the tensor's extents. `padding: same` makes ceil(input / stride)
    /// positions; a pool's stride is its kernel unless it is given.
    fn axes(&mut self, dimensions: usize, pool: bool) -> Result<Vec<Axis>> {
        let extents = self.builder.tensor.extents.clone();
        let missing = || {
            Error::input(format!("`{}` needs an input with {dimensions} axes", self.word))
                .hint("give the first layer `in: [channels, height, width]`")
        };
        if extents.len() != dimensions {
            return Err(missing());
        }
        let kernel = self.extents("kernel", dimensions, 1)?;
        let stride = self.extents("stride", dimensions, 1)?;
        let stride =
            if pool && self.knobs.get("stride").is_none() { kernel.clone() } else { stride };
        let dilation = self.extents("dilation", dimensions, 1)?;
        let extra = self.extents("output_padding", dimensions, 0)?;
        let same = matches!(self.maybe("padding")?, Some(Value::Text(word)) if &*word == "same");
        let padding =
            if same { vec![0; dimensions] } else { self.extents("padding", dimensions, 0)? };
        if kernel.contains(&0) || stride.contains(&0) || dilation.contains(&0) {
            return Err(Error::input("a kernel, stride or dilation of 0"));
        }
        let axis = |at: usize| {
            let mut axis = Axis {
                input: extents[at],
                kernel: kernel[at],
                stride: stride[at],
                padding: padding[at].saturating_mul(2),
                dilation: dilation[at],
                extra: extra[at],
            };
            if same {
                let outputs = axis.input.div_ceil(axis.stride);
                let span = axis.dilation.saturating_mul(axis.kernel - 1).saturating_add(1);
                axis.padding = (outputs - 1)
                    .saturating_mul(axis.stride)
                    .saturating_add(span)
                    .saturating_sub(axis.input);
            }
            axis
        };
        Ok((0..dimensions).map(axis).collect())
    }

    /// A convolution over 1 to 3 axes: features become `out`, extents those of the windows.
    fn convolution(&mut self, dimensions: usize) -> Result<()> {
        let in_channels = self.inputs()?;
        let out_channels = match self.extent("out")? {
            Some(out) => out,
            None => self
                .extent("out_channels")?
                .ok_or_else(|| Error::input(format!("`{}` needs `out`", self.word)))?,
        };
        let groups = self.extent_or("groups", 1)?;
        if in_channels % groups != 0 || out_channels % groups != 0 {
            let message = format!("{in_channels} and {out_channels} channels in {groups} groups");
            return Err(Error::input(message).hint("both must be divisible by `groups`"));
        }
        let operator = Convolution {
            batch: self.builder.tensor.batch,
            in_channels,
            out_channels,
            axes: self.axes(dimensions, false)?,
            groups,
            transposed: self.holds("transposed", false)?,
            bias: self.holds("bias", false)?,
        };
        let extents = operator.output();
        if extents.contains(&0) {
            let shape = &self.builder.tensor.extents;
            return Err(short().hint(format!("the kernel is larger than its input {shape:?}")));
        }
        self.push(Role::Conv, Operator::Convolution(operator))?;
        let tensor = self.tensor();
        tensor.data = false;
        tensor.extents = extents;
        tensor.features = out_channels;
        Ok(())
    }

    /// The products of attention: features become heads x `v_dim`. The first of `chunk`,
    /// `selected`, `window`, `band` and `causal` that is given makes the mask.
    fn attention(&mut self) -> Result<()> {
        let heads = self.needed("heads")?;
        let kv_heads = self.extent_or("kv_heads", heads)?;
        if heads % kv_heads != 0 {
            let message = format!("{heads} heads do not share {kv_heads} key and value heads");
            return Err(Error::input(message).hint("the first must be a multiple of the second"));
        }
        let qk_dim = match self.extent("qk_dim")? {
            Some(dim) => dim,
            None => self
                .extent("head_dim")?
                .ok_or_else(|| Error::input("`attention` needs `head_dim` or `qk_dim`"))?,
        };
        let v_dim = self.extent_or("v_dim", qk_dim)?;
        let positions = self.builder.tensor.positions();
        let queries = self.extent_or("queries", positions)?;
        let keys = self.extent_or("keys", queries)?;
        let mask = if let Some(chunk) = self.extent("chunk")? {
            Mask::Chunked(chunk)
        } else if let Some(most) = self.extent("selected")? {
            Mask::Selected(most)
        } else if let Some(window) = self.extent("window")? {
            Mask::Sliding(window)
        } else if let Some(reach) = self.extent("band")? {
            Mask::Band(reach)
        } else if self.holds("causal", false)? {
            Mask::Causal
        } else {
            Mask::Full
        };
        let cached =
            match self.maybe("cached")? {
                None => None,
                Some(value) => Some(value.whole().ok_or_else(|| {
                    Error::input(format!("`cached` is {value}, not a whole number"))
                })?),
            };
        let cross = self.holds("cross", false)?;
        let batch = self.builder.tensor.batch;
        let operator = Operator::Attention(Attention {
            batch: self.extent_or("batch", batch)?,
            heads,
            kv_heads,
            queries,
            keys,
            qk_dim,
            v_dim,
            mask,
            cached,
            cross,
        });
        self.push(Role::Attention, operator)?;
        let tensor = self.tensor();
        tensor.features = count(&[heads, v_dim]);
        tensor.data = false;
        Ok(())
    }

    /// A norm over `dim` features, or over all features of a position.
    fn norm(&mut self) -> Result<()> {
        let kind = match self.word.strip_suffix("_norm") {
            Some(kind) => kind.into(),
            None => self.text("kind")?.unwrap_or_else(|| "layer".into()),
        };
        let kind = match &*kind {
            "layer" => NormKind::Layer,
            "rms" => NormKind::Rms,
            "batch" => NormKind::Batch,
            "group" => NormKind::Group,
            other => {
                return Err(Error::input(format!("`{other}` is not a norm"))
                    .suggest(other, ["layer", "rms", "batch", "group"]));
            }
        };
        let features = self.builder.tensor.features;
        let dim = self.extent_or("dim", features)?;
        if dim == 0 {
            return Err(Error::input("a norm needs `dim`"));
        }
        let norm = Norm {
            kind,
            rows: self.builder.tensor.elements().div_ceil(dim).max(1),
            dim,
            scale: self.holds("scale", true)?,
            bias: self.holds("bias", kind != NormKind::Rms)?,
        };
        self.push(Role::Norm, Operator::Norm(norm))
    }

    /// A function of each element; the shape stays.
    fn pointwise(&mut self) -> Result<()> {
        let name = match self.word {
            "activation" => self
                .text("function")?
                .ok_or_else(|| Error::input("`activation` needs `function`"))?,
            word => word.into(),
        };
        let function = function(&name)?;
        let elements = self.builder.tensor.elements();
        let elements = self.extent_or("elements", elements)?;
        let binary = matches!(function, Function::Add | Function::Multiply);
        let operands = self.extent_or("operands", if binary { 2 } else { 1 })?;
        self.push(Role::Other, Operator::Pointwise(Pointwise { function, elements, operands }))
    }

    /// A pool: over windows, over everything, or to given extents.
    fn pool(&mut self) -> Result<()> {
        let axes = match self.word {
            "global_pool" | "adaptive_pool" => {
                let extents = self.builder.tensor.extents.clone();
                let out = match self.word {
                    "global_pool" => vec![1; extents.len()],
                    _ => self.extents("extents", extents.len(), 1)?,
                };
                if out.contains(&0) {
                    return Err(Error::input("`extents` of 0"));
                }
                // Windows of equal size stand for the adaptive ones.
                let axis = |(&input, &out): (&u64, &u64)| {
                    let stride = (input / out).max(1);
                    let kernel = input.saturating_sub((out - 1).saturating_mul(stride)).max(1);
                    let padding = ((out - 1).saturating_mul(stride) + kernel).saturating_sub(input);
                    Axis::new(input, kernel, stride, padding)
                };
                extents.iter().zip(&out).map(axis).collect()
            }
            _ => {
                let dimensions = self.builder.tensor.extents.len();
                self.axes(dimensions, true)?
            }
        };
        let tensor = &self.builder.tensor;
        let rows = count(&[tensor.batch, tensor.features]);
        let pool = Pool { rows, axes, ceil: self.holds("ceil", false)? };
        let extents = pool.output();
        if extents.contains(&0) {
            return Err(Error::input("the window is larger than its input"));
        }
        self.push(Role::Pool, Operator::Pool(pool))?;
        self.tensor().extents = extents;
        Ok(())
    }

    /// One or more recurrent layers over the positions: features become directions x `hidden`.
    fn recurrent(&mut self, cell: Cell) -> Result<()> {
        let (inputs, hidden) = (self.inputs()?, self.needed("hidden")?);
        let directions = self.extent_or("directions", 1)?;
        let biases = self.maybe("biases")?.and_then(|value| value.whole()).unwrap_or(2);
        let features = count(&[directions, hidden]);
        for layer in 0..self.extent_or("layers", 1)? {
            let operator = Recurrent {
                cell,
                batch: self.builder.tensor.batch,
                length: self.builder.tensor.positions(),
                inputs: if layer == 0 { inputs } else { features },
                hidden,
                directions,
                biases,
            };
            self.push(Role::Mixer, Operator::Recurrent(operator))?;
            self.tensor().data = false;
        }
        self.tensor().features = features;
        Ok(())
    }

    /// A scan over the positions: features become heads x `value_dim`.
    fn scan(&mut self) -> Result<()> {
        let kind = self.text("kind")?.ok_or_else(|| Error::input("`scan` needs `kind`"))?;
        let kind = match &*kind {
            "selective" => ScanKind::Selective,
            "decay" => ScanKind::Decay,
            "lightning" => ScanKind::Lightning,
            "delta" => ScanKind::Delta,
            "channel_delta" => ScanKind::ChannelDelta,
            "gated" => ScanKind::Gated,
            "wkv" => ScanKind::Wkv,
            other => {
                return Err(Error::input(format!("`{other}` is not a scan"))
                    .suggest(other, ["selective", "decay", "lightning", "delta", "gated", "wkv"]));
            }
        };
        let (batch, length) = (self.builder.tensor.batch, self.builder.tensor.positions());
        let operator = Scan {
            kind,
            batch: self.extent_or("batch", batch)?,
            length: self.extent_or("length", length)?,
            heads: self.extent_or("heads", 1)?,
            key_dim: self.extent_or("key_dim", 1)?,
            value_dim: self.extent_or("value_dim", 1)?,
            chunk: self.extent("chunk")?,
            stored: self.stored()?,
        };
        let features = count(&[operator.heads, operator.value_dim]);
        self.push(Role::Mixer, Operator::Scan(operator))?;
        self.tensor().features = features;
        Ok(())
    }

    /// The format that `stored` names, as configurations spell types: 16 bits where it says
    /// nothing or `auto`, which is the model's own.
    fn stored(&mut self) -> Result<Precision> {
        Ok(match self.text("stored")?.as_deref() {
            Some("float32" | "fp32" | "torch.float32") => Precision::Fp32,
            Some("float8" | "fp8" | "float8_e4m3fn" | "fp8_e4m3") => Precision::Fp8,
            _ => Precision::Bf16,
        })
    }
}

/// The error of an input of which nothing is left at a layer.
fn short() -> Error {
    Error::input("the input is too short for this layer: nothing of it is left")
        .hint("lengthen it: --seq-len, --audio or --image-size")
}

/// The function of a name, or an error with the nearest names.
fn function(name: &str) -> Result<Function> {
    Function::activation(name).ok_or_else(|| {
        Error::input(format!("`{name}` is not an activation"))
            .suggest(name, ["relu", "gelu", "silu", "sigmoid", "tanh"])
    })
}
