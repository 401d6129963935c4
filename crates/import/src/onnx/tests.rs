//! Operators one by one, written as calls: `Conv(1x3x8x8, w4x3x3x3; pads=1 1 1 1) = 1x4x8x8 | 6912`
//! stands for a node, its inputs (`w` a weight, `[..]` known integers, `_` left out, `scalar`),
//! settings (`=` integers, `~` floats, `:` text), output shapes, and MACs.

use std::rc::Rc;

use flopcast_core::model::cost::Flops;
use flopcast_core::model::{AttentionCount, Model};
use flopcast_core::quantity::system::compute::flop;
use flopcast_core::quantity::system::data::byte as byte_unit;
use prost::Message;
use prost::bytes::Bytes;

use super::call::{Attributes, Call, Stop};
use super::operators::{Cost, rule};
use super::proto::{
    AttributeProto, DimensionProto, FunctionProto, GraphProto, ModelProto, NodeProto, ShapeProto,
    TensorProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use super::value::{DataType, Shape, Value};
use super::{Bindings, fold, lower, read};

fn dims(text: &str) -> Shape {
    match text {
        "scalar" => vec![],
        text => text.split('x').map(|dim| dim.parse().expect("a size")).collect(),
    }
}

fn argument(text: &str) -> Option<Rc<Value>> {
    let numbers = |text: &str| -> Vec<f64> {
        text.split_whitespace().map(|n| n.parse().expect("a number")).collect()
    };
    let value = if text == "_" {
        return None;
    } else if let Some(list) = text.strip_prefix('[') {
        let contents = numbers(list.trim_end_matches(']'));
        let mut value = Value::new(DataType::INT64, vec![contents.len() as u64]);
        value.contents = Some(contents.into());
        value
    } else if let Some(number) = text.strip_prefix('#') {
        let mut value = Value::new(DataType::INT64, vec![]);
        value.contents = Some(numbers(number).into());
        value
    } else {
        let shape = text.strip_prefix('w').unwrap_or(text);
        let mut value = Value::new(DataType::FLOAT, dims(shape));
        value.origin.data = shape == text;
        value.origin.parameter = (shape != text).then_some(0);
        value
    };
    Some(Rc::new(value))
}

fn settings(text: &str) -> Attributes {
    let mut attributes = Attributes::new();
    let mut name = String::new();
    for word in text.split_whitespace() {
        let mut rest = word;
        if let Some(at) = word.find(['=', '~', ':']) {
            name = word[..at].to_owned();
            rest = &word[at + 1..];
        }
        let it = attributes.entry(name.clone()).or_default();
        if let Ok(int) = rest.parse() {
            it.i.get_or_insert(int);
            it.ints.push(int);
        }
        if let Ok(float) = rest.parse() {
            it.floats.push(float);
        }
        it.s = Some(rest.to_owned().into());
    }
    attributes
}

fn call(text: &str, outputs: usize) -> Call {
    let (operator, rest) = text.split_once('(').expect("a call");
    let (arguments, attributes) = rest.split_once(';').unwrap_or((rest, ""));
    Call {
        operator: operator.to_owned(),
        name: String::new(),
        attributes: settings(attributes),
        inputs: arguments.split(',').map(|text| argument(text.trim())).collect(),
        outputs,
    }
}

fn check(text: &str) {
    let (node, expected) = text.split_once(") = ").expect("a call and what it yields");
    let (shapes, macs) = expected.split_once(" | ").unwrap_or((expected, "0"));
    let shapes: Vec<Shape> = shapes.split(", ").map(dims).collect();
    let call = call(node, shapes.len());
    let rule = rule(&call.operator).expect("a known operator");
    let outputs = (rule.infer)(&call).unwrap_or_else(|stop| panic!("{text}: {stop:?}"));
    let got: Vec<Shape> =
        outputs.iter().take(shapes.len()).map(|it| it.shape.clone().expect("a shape")).collect();
    assert_eq!(got, shapes, "{text}");
    let drafts = match rule.cost {
        Cost::Own(lower) => lower(&call, &outputs).expect("operators"),
        Cost::LookUp => lower::gather(&call).expect("operators"),
        Cost::Norm(kind) => lower::norm(&call, kind).expect("operators"),
        _ => vec![],
    };
    let flops: Flops = drafts
        .iter()
        .map(|draft| draft.operator.forward(AttentionCount::Full) * draft.count as f64)
        .sum();
    let counted = (flops.matmul.get::<flop>() / 2.0) as u64;
    assert_eq!(counted, macs.trim().parse::<u64>().expect("MACs"), "{text}");
}

#[test]
fn convolutions() {
    check("Conv(1x3x8x8, w4x3x3x3, w4; pads=1 1 1 1) = 1x4x8x8 | 6912");
    check("Conv(1x3x8x8, w4x3x3x3; strides=2 2 pads=1 1 1 1) = 1x4x4x4 | 1728");
    check("Conv(1x3x9x9, w4x3x3x3; strides=2 2 auto_pad:SAME_UPPER) = 1x4x5x5 | 2700");
    check("Conv(1x3x9x9, w4x3x3x3; strides=2 2 auto_pad:VALID) = 1x4x4x4 | 1728");
    check("Conv(2x8x16, w8x1x5; group=8 dilations=2) = 2x8x8 | 640");
    check("Conv(1x1x4x4x4, w2x1x3x3x3; pads=1 1 1 1 1 1) = 1x2x4x4x4 | 3456");
    check("ConvInteger(1x3x8x8, w4x3x1x1, scalar) = 1x4x8x8 | 768");
    check(
        "QLinearConv(1x3x8x8, scalar, scalar, w4x3x1x1, scalar, scalar, scalar, scalar) = 1x4x8x8 | 768",
    );
    check("ConvTranspose(1x4x7x7, w4x2x2x2; strides=2 2) = 1x2x14x14 | 1568");
    check(
        "ConvTranspose(1x4x7x7, w4x2x3x3; strides=2 2 pads=1 1 1 1 output_padding=1 1) = 1x2x14x14 | 3528",
    );
    check("ConvTranspose(1x4x7x7, w4x2x3x3; strides=2 2 auto_pad:SAME_UPPER) = 1x2x14x14 | 3528");
    check(
        "ConvTranspose(1x4x3x3, w4x1x3x3; strides=3 3 output_shape=10 8 group=2) = 1x2x10x8 | 324",
    );
    check(
        "com.microsoft.QLinearConv(1x9x9x3, scalar, scalar, w4x3x3x3, scalar, scalar, scalar, scalar; channels_last=1) = 1x7x7x4 | 5292",
    );
    check("com.microsoft.NhwcMaxPool(1x7x9x8; kernel_shape=2 3) = 1x6x7x8");
    check(
        "com.microsoft.QLinearConcat(scalar, scalar, 1x3, scalar, scalar, 1x5, scalar, scalar; axis=1) = 1x8",
    );
    check("DeformConv(1x2x6x6, w4x2x3x3, 1x18x4x4) = 1x4x4x4 | 1152");
}

#[test]
fn products() {
    check("MatMul(2x5x8, w8x3) = 2x5x3 | 240");
    check("MatMul(2x4x5x8, 2x4x8x5) = 2x4x5x5 | 1600");
    check("MatMul(8, w8x3) = 3 | 24");
    check("MatMul(2x8, 8) = 2 | 16");
    check("MatMul(4x5x8, w4x8x3) = 4x5x3 | 480");
    check("MatMul(w6x8, 2x8x3) = 2x6x3 | 288");
    check("Gemm(5x8, w3x8, w3; transB=1) = 5x3 | 120");
    check("Gemm(8x5, w8x3; transA=1) = 5x3 | 120");
    check("com.microsoft.FusedMatMul(2x5x8, 2x3x8; transB=1) = 2x5x3 | 240");
    check("MatMulInteger(5x8, w8x3) = 5x3 | 120");
    check("QLinearMatMul(5x8, scalar, scalar, w8x3, scalar, scalar, scalar, scalar) = 5x3 | 120");
    check(
        "com.microsoft.MatMulNBits(2x5x64, w48x2x16, w96; K=64 N=48 bits=4 block_size=32) = 2x5x48 | 30720",
    );
    check("Einsum(2x5x8, 8x3; equation:bij,jk->bik) = 2x5x3 | 240");
    check("Einsum(2x5x4x8, 2x7x4x8; equation:bqhd,bkhd->bhqk) = 2x4x5x7 | 2240");
    check("Einsum(2x3x5x8, w8x6; equation:...d,de->...e) = 2x3x5x6 | 1440");
    check("Einsum(2x5, 2x5; equation:ij,ij->ij) = 2x5 | 0");
    check("Einsum(5x5; equation:ii->i) = 5 | 0");
    check("Einsum(2x5x8, 2x5x6; equation:bij,bik) = 8x6 | 480");
}

#[test]
fn recurrent_layers() {
    check(
        "LSTM(20x2x32, w1x256x32, w1x256x64, w1x512; hidden_size=64) = 20x1x2x64, 1x2x64, 1x2x64 | 983040",
    );
    check("GRU(20x2x32, w2x192x32, w2x192x64; hidden_size=64) = 20x2x2x64, 2x2x64 | 1474560");
    check("RNN(2x20x32, w1x64x32, w1x64x64; hidden_size=64 layout=1) = 2x20x1x64, 2x1x64 | 245760");
}

#[test]
fn attention() {
    check("Attention(2x8x10x16, 2x4x12x16, 2x4x12x24; is_causal=1) = 2x8x10x24, 2x4x12x16 | 76800");
    check("Attention(2x10x128, 2x12x64, 2x12x64; q_num_heads=8 kv_num_heads=4) = 2x10x128 | 61440");
    check(
        "Attention(1x8x1x16, 1x4x1x16, 1x4x1x16, _, 1x4x9x16, 1x4x9x16) = 1x8x1x16, 1x4x10x16 | 2560",
    );
    // Projections 2 x 10 x 32 x 96, products 2 x 2 x 10 x 10 x 32.
    check("com.microsoft.Attention(2x10x32, w32x96, w96; num_heads=4) = 2x10x32 | 74240");
    check(
        "com.microsoft.MultiHeadAttention(2x10x32, 2x12x32, 2x12x32; num_heads=4) = 2x10x32 | 15360",
    );
    check(
        "com.microsoft.GroupQueryAttention(1x6x64, 1x6x32, 1x6x32; num_heads=8 kv_num_heads=4) = 1x6x64, 1x4x6x8 | 4608",
    );
    check("com.microsoft.GroupQueryAttention(1x6x128; num_heads=8 kv_num_heads=4) = 1x6x64 | 4608");
}

#[test]
fn norms_and_pools() {
    check("BatchNormalization(2x8x4x4, w8, w8, w8, w8) = 2x8x4x4");
    check("LayerNormalization(2x5x8, w8, w8; axis=-1) = 2x5x8, 2x5x1");
    check("com.microsoft.SkipLayerNormalization(2x5x8, 2x5x8, w8, w8) = 2x5x8");
    check("com.microsoft.SkipSimplifiedLayerNormalization(2x5x8, 2x5x8, w8) = 2x5x8");
    check("com.microsoft.EmbedLayerNormalization(2x5, _, w100x8, w64x8, _, w8, w8) = 2x5x8, 2");
    check("LRN(1x8x4x4; size=5) = 1x8x4x4");
    check("MaxPool(1x8x7x7; kernel_shape=2 2 strides=2 2) = 1x8x3x3, 1x8x3x3");
    check("MaxPool(1x8x7x7; kernel_shape=2 2 strides=2 2 ceil_mode=1) = 1x8x4x4");
    check("AveragePool(1x8x7x7; kernel_shape=3 3 pads=1 1 1 1) = 1x8x7x7");
    check("GlobalAveragePool(1x8x7x7) = 1x8x1x1");
    check("ReduceMean(2x5x8; axes=-1 keepdims=0) = 2x5");
    check("ReduceMean(2x5x8, [0 1]) = 1x1x8");
    check("ReduceSum(2x5x8; keepdims=0) = scalar");
    check("ReduceSum(2x5x8; noop_with_empty_axes=1) = 2x5x8");
    check("ArgMax(2x5x8; axis=1) = 2x1x8");
    check("RoiAlign(1x8x50x50, 7x4, 7; output_height=7 output_width=7) = 7x8x7x7");
    check("Resize(1x3x8x8, _, _, [1 3 16 24]; mode:linear) = 1x3x16x24");
    check("Resize(1x3x8x8, _, [1 1 2 2]) = 1x3x16x16");
    check("Upsample(1x3x8x8; scales~1 1 1.5 2) = 1x3x12x16");
    check("GridSample(1x3x8x8, 1x5x6x2) = 1x3x5x6");
}

#[test]
fn layouts() {
    check("Reshape(2x5x8, [0 -1 4]) = 2x10x4");
    check("Reshape(2x5x8, [80]) = 80");
    check("Flatten(2x5x8) = 2x40");
    check("Flatten(2x5x8; axis=3) = 80x1");
    check("Squeeze(1x5x1, [0]) = 5x1");
    check("Squeeze(1x5x1) = 5");
    check("Unsqueeze(5, [0 -1]) = 1x5x1");
    check("Transpose(2x5x8) = 8x5x2");
    check("Transpose(2x5x8; perm=0 2 1) = 2x8x5");
    check("Concat(2x5, 2x3; axis=-1) = 2x8");
    check("Split(2x9; axis=1) = 2x3, 2x3, 2x3");
    check("Split(2x9, [4 5]; axis=1) = 2x4, 2x5");
    check("Split(7x2; num_outputs=3) = 3x2, 3x2, 1x2");
    check("Slice(10x10, [1 0], [9223372036854775807 -1], [0 1], [2 1]) = 5x9");
    check("Slice(10, [-1], [-9223372036854775807], [0], [-1]) = 10");
    check("Slice(10, [-1], [-11], [0], [-3]) = 4");
    check("Slice(0x4, [-1], [5], [0], [-1]) = 0x4");
    check("Slice(10; starts=2 ends=4) = 2");
    check("Gather(w100x8, 2x5) = 2x5x8");
    check("Gather(2x5x8, [0]; axis=1) = 2x1x8");
    check("GatherElements(2x5, 2x3; axis=1) = 2x3");
    check("GatherND(2x5x8, 2x3x1; batch_dims=1) = 2x3x8");
    check("Expand(1x5, [2 3 1]) = 2x3x5");
    check("Tile(2x5, [1 3]) = 2x15");
    check("Pad(2x5, [0 1 0 2]) = 2x8");
    check("Pad(2x5, [1 1], _, [-1]) = 2x7");
    check("DepthToSpace(1x12x4x4; blocksize=2) = 1x3x8x8");
    check("SpaceToDepth(1x3x8x8; blocksize=2) = 1x12x4x4");
    check("OneHot(2x5, #9, [0 1]) = 2x5x9");
    check("TopK(2x9, [3]) = 2x3, 2x3");
    check("Range(#1, #10, #3) = 3");
    check("ConstantOfShape([2 3]) = 2x3");
    check("NonZero([0 1 1 0 1]) = 1x3");
    check("Where(2x1, 1x5, scalar) = 2x5");
    check("Shape(2x5x8; start=-2) = 2");
    check("Add(8x1x6x1, 7x1x5) = 8x7x6x5");
}

#[test]
fn contradictions_are_errors() {
    let check = |text: &str| {
        let call = call(text.trim_end_matches(')'), 1);
        let rule = rule(&call.operator).expect("a known operator");
        match (rule.infer)(&call) {
            Err(Stop::Invalid(_)) => {}
            other => panic!("{text}: {other:?}"),
        }
    };
    check("Conv(1x3x8x8, w4x2x3x3)");
    check("Conv(1x3x8x8, w4x3x3x3; group=0)");
    check("Conv(1x3x8x8, w4x3x3x3; strides=0 1)");
    check("Conv(1x3x8x8, w4x3x3x3; pads=1)");
    check("Conv(1x3x8x8, w4x3x0x0)");
    check("Conv(3x8, w4x3)");
    check("MatMul(2x5, 4x3)");
    check("MatMul(scalar, 4x3)");
    check("Add(2x5, 2x4)");
    check("Reshape(2x5, [3 -1])");
    check("Reshape(2x5, [-1 -1])");
    check("Reshape(2x5, [4294967296 4294967296 -1])");
    check("Transpose(2x5; perm=0 0)");
    check("Concat(2x5, 3x4; axis=1)");
    check("Split(2x9, [4 4]; axis=1)");
    check("Slice(10, [0], [1], [5])");
    check("Slice(10, [0], [1], [0], [0])");
    check("Unsqueeze(5, [0 0])");
    check("Squeeze(2x5, [0])");
    check("Expand(2x5, [-1 5])");
    check("Pad(2x5, [0 -9 0 0])");
    check("Attention(2x10x30, 2x12x64, 2x12x64; q_num_heads=8 kv_num_heads=4)");
    check("LSTM(20x2x32, w1x256x31, w1x256x64)");
    check("Einsum(2x5, 2x4; equation:ij,ij->ij)");
    check("Einsum(2x5; equation:ijk->ij)");
    check("DepthToSpace(1x12x4x4; blocksize=5)");
    check("ReduceSum(2x5; axes=7)");
    check("Range(#1, #10, #0)");
}

#[test]
fn arithmetic_on_shapes() {
    let check = |text: &str, expected: &[f64]| {
        let call = call(text.trim_end_matches(')'), 1);
        let outputs = (rule(&call.operator).expect("known").infer)(&call).expect("shapes");
        let contents = fold::contents(&call, &outputs[0], 0).expect("contents");
        assert_eq!(contents.to_vec(), expected, "{text}");
    };
    check("Shape(2x5x8)", &[2.0, 5.0, 8.0]);
    check("Size(2x5x8)", &[80.0]);
    check("Gather([2 5 8], [-1 0])", &[8.0, 2.0]);
    check("Concat([1 2], [3]; axis=0)", &[1.0, 2.0, 3.0]);
    check("Slice([1 2 3 4 5], [3], [0], [0], [-1])", &[4.0, 3.0, 2.0]);
    check("Div([7 -7], [2])", &[3.0, -3.0]);
    check("Mod([7 -7], [4])", &[3.0, 1.0]);
    check("Mod([7 -7], [4]; fmod=1)", &[3.0, -3.0]);
    check("Where([1 0], [5 5], [6 6])", &[5.0, 6.0]);
    check("Equal([-1 4], [-1])", &[1.0, 0.0]);
    check("ReduceProd([2 5 8]; keepdims=0)", &[80.0]);
    check("Range(#0, #6, #2)", &[0.0, 2.0, 4.0]);
    check("Expand([7], [3])", &[7.0, 7.0, 7.0]);
    check("Tile([1 2], [2])", &[1.0, 2.0, 1.0, 2.0]);
    check("NonZero([0 3 0 4])", &[1.0, 3.0]);
    check("CumSum([1 2 3], #0)", &[1.0, 3.0, 6.0]);
    check("ScatterND([9 9 9], [1], [7])", &[9.0, 7.0, 9.0]);
}

fn bytes(message: &impl Message) -> Bytes {
    message.encode_to_vec().into()
}

fn node(operator: &str, inputs: &[&str], outputs: &[&str], attributes: &[AttributeProto]) -> Bytes {
    let (domain, op_type) = operator.rsplit_once('.').unwrap_or(("", operator));
    let texts = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect();
    bytes(&NodeProto {
        input: texts(inputs),
        output: texts(outputs),
        op_type: op_type.into(),
        domain: domain.into(),
        attribute: attributes.iter().map(bytes).collect(),
        ..NodeProto::default()
    })
}

fn value(name: &str, shape: &[i64]) -> Bytes {
    let dim = |&size| DimensionProto { value: Some(size), param: None };
    let shape = Some(ShapeProto { dim: shape.iter().map(dim).collect() });
    let tensor = Some(TensorTypeProto { elem_type: 1, shape });
    bytes(&ValueInfoProto { name: name.into(), r#type: Some(TypeProto { tensor }) })
}

fn weight(name: &str, dims: &[i64]) -> Bytes {
    bytes(&TensorProto { dims: dims.to_vec(), data_type: 1, name: name.into() })
}

fn body(inputs: &[&str], nodes: Vec<Bytes>, outputs: &[&str]) -> Bytes {
    let named = |list: &[&str]| list.iter().map(|name| value(name, &[])).collect();
    bytes(&GraphProto {
        node: nodes,
        input: named(inputs),
        output: named(outputs),
        ..GraphProto::default()
    })
}

fn with_body(name: &str, graph: Bytes) -> AttributeProto {
    AttributeProto { name: name.into(), g: Some(graph), ..AttributeProto::default() }
}

fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: name.into(), i: Some(i), ..AttributeProto::default() }
}

/// A graph over input `x` `[2, 8]` and weight `w` `[8, 8]`.
fn model(
    nodes: Vec<Bytes>,
    functions: &[FunctionProto],
) -> flopcast_core::diagnostic::Result<Model> {
    let graph = GraphProto {
        node: nodes,
        initializer: vec![weight("w", &[8, 8])],
        input: vec![value("x", &[2, 8])],
        ..GraphProto::default()
    };
    let functions = functions.iter().map(bytes).collect();
    let file = ModelProto { graph: Some(bytes(&graph)), functions };
    read(file.encode_to_vec(), &Bindings::default())
}

fn macs(model: &Model) -> u64 {
    (model.forward(AttentionCount::Full).matmul.get::<flop>() / 2.0) as u64
}

#[test]
fn loops_run_as_often_as_they_say() {
    let step = || {
        let multiply = node("MatMul", &["h", "w"], &["next"], &[]);
        let keep = node("Identity", &["going"], &["still"], &[]);
        with_body(
            "body",
            body(&["i", "going", "h"], vec![multiply, keep], &["still", "next", "next"]),
        )
    };
    let trips = node("Constant", &[], &["trips"], &[int("value_int", 5)]);
    let repeat = node("Loop", &["trips", "", "x"], &["last", "all"], &[step()]);
    let after = node("ReduceSum", &["all"], &["sum"], &[]);
    let it = model(vec![trips, repeat, after.clone()], &[]).unwrap();
    assert_eq!(macs(&it), 5 * 2 * 8 * 8);
    assert_eq!(it.unresolved, []);
    assert_eq!(it.parameters().total, 64);

    let count = node("Cast", &["x"], &["trips"], &[int("to", 7)]);
    let repeat = node("Loop", &["trips", "", "x"], &["last", "all"], &[step()]);
    let it = model(vec![count, repeat, after], &[]).unwrap();
    assert_eq!(macs(&it), 2 * 8 * 8);
    assert_eq!(it.unresolved[0].kind, "Loop");
    assert_eq!(it.unresolved[1].kind, "ReduceSum");
}

#[test]
fn a_scan_runs_once_per_step() {
    let multiply = node("MatMul", &["row", "w"], &["y"], &[]);
    let sum = node("Add", &["y", "h"], &["next"], &[]);
    let inner = with_body("body", body(&["h", "row"], vec![multiply, sum], &["next", "y"]));
    let state = node("ReduceSum", &["x"], &["h0"], &[int("keepdims", 0)]);
    let scan = node("Scan", &["h0", "x"], &["h", "ys"], &[inner, int("num_scan_inputs", 1)]);
    let head = node("MatMul", &["ys", "w"], &["z"], &[]);
    let it = model(vec![state, scan, head], &[]).unwrap();
    assert_eq!(macs(&it), 2 * 8 * 8 + 2 * 8 * 8);
    assert_eq!(it.parameters().total, 64);
}

#[test]
fn a_branch_is_taken_where_its_condition_is_known() {
    let branch = |name: &str, nodes| with_body(name, body(&[], nodes, &["y"]));
    let dense = || node("MatMul", &["x", "w"], &["y"], &[]);
    let none = || node("Identity", &["x"], &["y"], &[]);
    let choose = |condition: Bytes| {
        let arms = [branch("then_branch", vec![dense()]), branch("else_branch", vec![none()])];
        model(vec![condition, node("If", &["c"], &["z"], &arms)], &[]).unwrap()
    };
    assert_eq!(macs(&choose(node("Constant", &[], &["c"], &[int("value_int", 1)]))), 128);
    assert_eq!(macs(&choose(node("Constant", &[], &["c"], &[int("value_int", 0)]))), 0);
}

/// If only the data can tell, the costlier branch counts, wherever it stands; weights that both use
/// belong to the one that counts, and those of the other stay parameters of the file.
#[test]
fn the_costlier_branch_counts_where_only_data_can_tell() {
    let branch = |name: &str, nodes| with_body(name, body(&[], nodes, &["y"]));
    let condition = || node("Cast", &["x"], &["c"], &[int("to", 9)]);
    let dense = || vec![node("MatMul", &["x", "w"], &["y"], &[])];
    let twice =
        || vec![node("MatMul", &["x", "w"], &["h"], &[]), node("MatMul", &["h", "w"], &["y"], &[])];
    for arms in [
        [branch("then_branch", dense()), branch("else_branch", twice())],
        [branch("then_branch", twice()), branch("else_branch", dense())],
    ] {
        let it = model(vec![condition(), node("If", &["c"], &["z"], &arms)], &[]).unwrap();
        assert_eq!((macs(&it), it.parameters().total), (256, 64));
        assert_eq!(it.unresolved, []);
        assert!(it.assumptions.iter().any(|it| it.what == "1 If"), "{:?}", it.assumptions);
    }
}

/// A graph of one node over input `x` `[2, 8]` and stored tensors.
fn over(tensors: &[(&str, i32, &[i64])], nodes: Vec<Bytes>) -> Model {
    let stored = |(name, data_type, dims): &(&str, i32, &[i64])| {
        bytes(&TensorProto { dims: dims.to_vec(), data_type: *data_type, name: (*name).into() })
    };
    let graph = GraphProto {
        node: nodes,
        initializer: tensors.iter().map(stored).collect(),
        input: vec![value("x", &[2, 8])],
        ..GraphProto::default()
    };
    let file = ModelProto { graph: Some(bytes(&graph)), functions: vec![] };
    read(file.encode_to_vec(), &Bindings::default()).unwrap()
}

/// Parameters, MACs and bytes of quantised operators: scales and zeros are bytes alone.
#[test]
fn quantised_weights_count_without_their_scales() {
    type Case<'a> = (&'a [(&'a str, i32, &'a [i64])], Vec<Bytes>, f64);
    let float = 1;
    let byte = 2;
    let packed = node(
        "com.microsoft.MatMulNBits",
        &["x", "w", "s"],
        &["y"],
        &[int("K", 8), int("N", 16), int("bits", 4), int("block_size", 8)],
    );
    let dequantized = [
        node("DequantizeLinear", &["w", "s"], &["d"], &[]),
        node("MatMul", &["x", "d"], &["y"], &[]),
    ];
    let integers = [
        node("DynamicQuantizeLinear", &["x"], &["q", "qs", "qz"], &[]),
        node("MatMulInteger", &["q", "w", "qz", "z"], &["y"], &[]),
    ];
    let behind = [
        node("DynamicQuantizeLinear", &["x"], &["q", "qs", "qz"], &[]),
        node("MatMulInteger", &["q", "w_quantized", "qz"], &["p"], &[]),
        node("Cast", &["p"], &["f"], &[int("to", 1)]),
        node("Mul", &["qs", "w_scale"], &["s"], &[]),
        node("Mul", &["f", "s"], &["y"], &[]),
    ];
    let cases: [Case<'_>; 4] = [
        (&[("w_quantized", 3, &[8, 16]), ("w_scale", float, &[16])], behind.to_vec(), 128.0 + 64.0),
        (&[("w", byte, &[16, 1, 4]), ("s", float, &[16])], vec![packed], 64.0 + 64.0),
        (&[("w", 3, &[8, 16]), ("s", float, &[16])], dequantized.to_vec(), 128.0 + 64.0),
        (&[("w", 3, &[8, 16]), ("z", 3, &[16])], integers.to_vec(), 128.0 + 16.0),
    ];
    for (tensors, nodes, expected) in cases {
        let it = over(tensors, nodes);
        assert_eq!((it.parameters().total, macs(&it)), (128, 2 * 8 * 16), "{tensors:?}");
        let stored = it.stored_data(flopcast_core::model::stored::bits(16.0)).get::<byte_unit>();
        assert!((stored - expected).abs() < 1e-9, "{tensors:?}: {stored}");
    }
}

/// Two of four experts, each 8 -> 16 -> 8, for two rows.
#[test]
fn routed_experts_count_as_often_as_they_are_chosen() {
    let tensors: [(&str, i32, &[i64]); 3] =
        [("r", 1, &[8, 4]), ("a", 1, &[4, 16, 8]), ("b", 1, &[4, 8, 16])];
    let router = node("MatMul", &["x", "r"], &["p"], &[]);
    let experts = node("com.microsoft.MoE", &["x", "p", "a", "", "b"], &["y"], &[int("k", 2)]);
    let it = over(&tensors, vec![router, experts]);
    assert_eq!(it.parameters().total, 8 * 4 + 4 * 2 * 128);
    assert_eq!(it.parameters().active, 8 * 4 + 2 * 2 * 128);
    assert_eq!(macs(&it), 2 * (8 * 4 + 2 * 2 * 128));
    assert_eq!(it.unresolved, []);
}

/// The messages of a graph network are added where they arrive.
#[test]
fn a_scatter_that_reduces_adds() {
    let text = |name: &str, text: &str| AttributeProto {
        name: name.into(),
        s: Some(text.to_owned().into_bytes().into()),
        ..AttributeProto::default()
    };
    let count = |reduction: &str| {
        let node =
            node("ScatterElements", &["x", "i", "x"], &["y"], &[text("reduction", reduction)]);
        let it = over(&[("i", 7, &[2, 8])], vec![node]);
        it.forward(AttentionCount::Full).elementwise.get::<flop>() as u64
    };
    assert_eq!((count("add"), count("none")), (16, 0));
}

#[test]
fn functions_of_the_file_are_called() {
    let passed = AttributeProto {
        name: "transB".into(),
        ref_attr_name: "flip".into(),
        ..AttributeProto::default()
    };
    let function = FunctionProto {
        name: "Twice".into(),
        domain: "custom".into(),
        input: vec!["a".into(), "b".into()],
        output: vec!["d".into()],
        node: vec![
            node("Gemm", &["a", "b"], &["c"], &[passed]),
            node("Gemm", &["c", "b"], &["d"], &[]),
        ],
        attribute_proto: vec![],
    };
    let call = node("custom.Twice", &["x", "w"], &["y"], &[int("flip", 1)]);
    let it = model(vec![call], std::slice::from_ref(&function)).unwrap();
    assert_eq!(macs(&it), 2 * 128);

    let endless =
        FunctionProto { node: vec![node("custom.Twice", &["a", "b"], &["d"], &[])], ..function };
    let call = node("custom.Twice", &["x", "w"], &["y"], &[]);
    let error = model(vec![call], &[endless]).unwrap_err();
    assert!(error.message().contains("nested"), "{error}");
}

#[test]
fn unknown_operators_and_cycles_are_told() {
    let it =
        model(vec![node("acme.Warp", &["x"], &["y"], &[]), node("Relu", &["y"], &["z"], &[])], &[])
            .unwrap();
    let listed: Vec<_> = it.unresolved.iter().map(|it| (it.kind.as_str(), it.count)).collect();
    assert_eq!(listed, [("Relu", 1), ("acme.Warp", 1)]);

    let cycle = vec![node("Relu", &["b"], &["a"], &[]), node("Relu", &["a"], &["b"], &[])];
    let error = model(cycle, &[]).unwrap_err();
    assert!(error.to_string().contains("cycle"), "{error}");
}

#[test]
fn hostile_work_is_refused() {
    let forever = with_body("body", body(&["i", "c"], vec![], &["c"]));
    let trips = node("Constant", &[], &["n"], &[int("value_int", i64::MAX)]);
    let error = model(vec![trips, node("Loop", &["n", ""], &[], &[forever])], &[]).unwrap_err();
    assert!(error.message().contains("unrolled"), "{error}");

    let mut nested = node("Relu", &["x"], &["y"], &[]);
    for _ in 0..40 {
        let arms = with_body("then_branch", body(&[], vec![nested], &["y"]));
        nested = node("If", &["c"], &["y"], &[arms]);
    }
    let condition = node("Constant", &[], &["c"], &[int("value_int", 1)]);
    let error = model(vec![condition, nested], &[]).unwrap_err();
    assert!(error.message().contains("nested"), "{error}");

    let mut deep = vec![node("Unsqueeze", &["x", "a"], &["y0"], &[])];
    for index in 0..70 {
        let names = (format!("y{index}"), format!("y{}", index + 1));
        deep.push(node("Unsqueeze", &[&names.0, "a"], &[&names.1], &[]));
    }
    deep.insert(
        0,
        node(
            "Constant",
            &[],
            &["a"],
            &[AttributeProto {
                name: "value_ints".into(),
                ints: vec![0],
                ..AttributeProto::default()
            }],
        ),
    );
    let error = model(deep, &[]).unwrap_err();
    assert!(error.message().contains("dimensions"), "{error}");

    let huge = weight("v", &[1 << 40, 1 << 40]);
    let graph = GraphProto { initializer: vec![huge], ..GraphProto::default() };
    let file = ModelProto { graph: Some(bytes(&graph)), functions: vec![] };
    let error = read(file.encode_to_vec(), &Bindings::default()).unwrap_err();
    assert!(error.message().contains("too many elements"), "{error}");

    let many = weight("v", &[1; 1000]);
    let graph = GraphProto { initializer: vec![many], ..GraphProto::default() };
    let file = ModelProto { graph: Some(bytes(&graph)), functions: vec![] };
    let error = read(file.encode_to_vec(), &Bindings::default()).unwrap_err();
    assert!(error.message().contains("1000 dimensions"), "{error}");
}
