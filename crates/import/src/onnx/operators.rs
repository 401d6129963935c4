//! Every operator that is understood, with the rule for its shapes and its cost.

use flopcast_core::model::operator::{Function, NormKind};

use super::call::Call;
use super::lower::{self, Drafts};
use super::shape::{Outputs, attention, layout, pointwise, product, same, window};
use super::value::Value;

/// The cost of an operator.
#[derive(Clone, Copy)]
pub(super) enum Cost {
    /// It moves or describes data: no arithmetic.
    Nothing,
    /// A function of every element of its output.
    Each(Function),
    /// A function of every element of its input.
    Given(Function),
    /// A norm with a learned scale and shift.
    Norm(NormKind),
    /// A look-up if the table is learned, otherwise a move: no arithmetic forward.
    LookUp,
    /// A formula of its own.
    Own(fn(&Call, &[Value]) -> Drafts),
}

/// The rule by which an operator is read: its shapes, then its cost.
#[derive(Clone, Copy)]
pub(super) struct Rule {
    /// Types and shapes of the outputs.
    pub(super) infer: fn(&Call) -> Outputs,
    /// The cost, once the shapes are known.
    pub(super) cost: Cost,
}

/// The rule for an operator; `None` for one that is not known.
pub(super) fn rule(operator: &str) -> Option<Rule> {
    use Cost::{Each, Given, LookUp, Norm, Nothing, Own};
    use Function as F;
    // ONNX Runtime's own operators; `nchwc` are those of its blocked layout.
    let domains = ["com.microsoft.nchwc.", "com.microsoft."];
    let name = domains.iter().find_map(|domain| operator.strip_prefix(domain)).unwrap_or(operator);
    let (infer, cost): (fn(&Call) -> Outputs, Cost) = match operator {
        // If both domains have an operator of this name, the other domain's comes first.
        "com.microsoft.Attention" => (attention::projecting_outputs, Own(lower::projecting)),
        _ => match name {
            "Relu" | "LeakyRelu" | "PRelu" | "Clip" | "ThresholdedRelu" | "Shrink"
            | "QLinearLeakyRelu" => (same, Each(F::Relu)),
            "Sigmoid" | "QLinearSigmoid" => (same, Each(F::Sigmoid)),
            "Tanh" => (same, Each(F::Tanh)),
            "Swish" => (same, Each(F::Silu)),
            "Gelu" | "FastGelu" | "QuickGelu" | "BiasGelu" | "Mish" => (same, Each(F::Gelu)),
            "HardSwish" => (same, Each(F::HardSwish)),
            "HardSigmoid" => (same, Each(F::HardSigmoid)),
            "Softplus" => (same, Each(F::Softplus)),
            "Exp" | "Log" | "Elu" | "Selu" | "Celu" => (same, Each(F::Exponential)),
            "Softmax" | "LogSoftmax" | "Hardmax" | "QLinearSoftmax" => (same, Each(F::Softmax)),
            "RotaryEmbedding" => (same, Each(F::Rotary)),
            "Erf" | "Sqrt" | "Reciprocal" | "Abs" | "Neg" | "Sign" | "Floor" | "Ceil" | "Round"
            | "Sin" | "Cos" | "Tan" | "Asin" | "Acos" | "Atan" | "Sinh" | "Cosh" | "Asinh"
            | "Acosh" | "Atanh" | "Softsign" | "BitwiseNot" | "Not" | "CumSum" | "CumProd" => {
                (same, Each(F::Other))
            }
            "IsNaN" | "IsInf" => (pointwise::tested, Each(F::Other)),
            "Add" | "Sum" => (pointwise::stretched, Each(F::Add)),
            "Mul" => (pointwise::stretched, Each(F::Multiply)),
            "Sub" | "Div" | "Pow" | "Mod" | "Min" | "Max" | "Mean" | "BitwiseAnd" | "BitwiseOr"
            | "BitwiseXor" | "BitShift" => (pointwise::stretched, Each(F::Other)),
            "QLinearAdd" => (lower::quantized_pair, Each(F::Add)),
            "QLinearMul" => (lower::quantized_pair, Each(F::Multiply)),
            "And" | "Or" | "Xor" | "Equal" | "Greater" | "Less" | "GreaterOrEqual"
            | "LessOrEqual" => (pointwise::compared, Each(F::Other)),
            "Where" => (pointwise::selected, Each(F::Other)),
            "QuantizeLinear" => (pointwise::quantized, Each(F::Other)),
            "DequantizeLinear" => (pointwise::dequantized, Each(F::Other)),
            "DynamicQuantizeLinear" => (pointwise::dynamically_quantized, Each(F::Other)),
            "RandomNormal" | "RandomUniform" => (pointwise::generated, Nothing),
            "HannWindow" | "HammingWindow" | "BlackmanWindow" => {
                (pointwise::signal_window, Nothing)
            }
            "MelWeightMatrix" => (window::mel_weights, Nothing),

            "BatchNormalization" => (pointwise::batch_norm, Norm(NormKind::Batch)),
            "LayerNormalization" => (pointwise::layer_norm, Norm(NormKind::Layer)),
            "RMSNormalization" | "SimplifiedLayerNormalization" => {
                (pointwise::layer_norm, Norm(NormKind::Rms))
            }
            "InstanceNormalization" | "GroupNormalization" | "GroupNorm" => {
                (same, Norm(NormKind::Group))
            }
            "MeanVarianceNormalization" | "LpNormalization" => (same, Norm(NormKind::Layer)),
            "SkipLayerNormalization" | "SkipSimplifiedLayerNormalization" => {
                (pointwise::skip_layer_norm, Own(lower::skip_layer_norm))
            }
            "EmbedLayerNormalization" => {
                (pointwise::embed_layer_norm, Own(lower::embed_layer_norm))
            }
            "LRN" => (same, Own(lower::local_response)),

            "ReduceSum" | "ReduceMean" | "ReduceMax" | "ReduceMin" | "ReduceProd" | "ReduceL1"
            | "ReduceL2" | "ReduceLogSum" | "ReduceLogSumExp" | "ReduceSumSquare" => {
                (pointwise::reduced, Given(F::Reduce))
            }
            "ArgMax" | "ArgMin" => (pointwise::arg_reduced, Given(F::Reduce)),
            "TopK" => (pointwise::top_k, Given(F::Other)),
            "GlobalAveragePool" | "GlobalMaxPool" | "GlobalLpPool" | "QLinearGlobalAveragePool" => {
                (window::global_pool, Given(F::Reduce))
            }
            "MaxPool" | "NhwcMaxPool" | "AveragePool" | "LpPool" | "QLinearAveragePool" => {
                (window::pool, Own(lower::pool))
            }
            "MaxRoiPool" => (window::roi_pool, Each(F::Reduce)),
            "MaxUnpool" => (window::unpool, Nothing),
            "RoiAlign" => (window::roi_align, Own(lower::roi_align)),
            "Resize" | "Upsample" => (window::resize, Own(lower::resize)),
            "GridSample" => (window::grid_sample, Each(F::Interpolate)),
            "AffineGrid" => (window::affine_grid, Each(F::Other)),

            "Conv" | "FusedConv" | "NhwcConv" | "NhwcFusedConv" => (window::conv, Own(lower::conv)),
            "ConvInteger" => (window::conv_integer, Own(lower::conv)),
            "QLinearConv" => (window::quantized_conv, Own(lower::quantized_conv)),
            "ConvTranspose" => (window::conv_transpose, Own(lower::conv_transpose)),
            "DeformConv" => (window::conv, Own(lower::deformable_conv)),
            "MatMul" | "Gemm" | "FusedMatMul" | "FusedGemm" | "GemmFastGelu" => {
                (product::matmul, Own(lower::matmul))
            }
            "MatMulInteger" => (product::matmul_integer, Own(lower::matmul)),
            "MatMulIntegerToFloat" | "DynamicQuantizeMatMul" => {
                (product::matmul_to_float, Own(lower::matmul))
            }
            "QLinearMatMul" | "QGemm" => (product::quantized_matmul, Own(lower::quantized_matmul)),
            "MatMulNBits" | "MatMulBnb4" | "MatMulFpQ4" => {
                (product::matmul_packed, Own(lower::matmul_packed))
            }
            "Einsum" => (product::einsum_shape, Own(lower::einsum)),
            "LSTM" => (product::recurrent, Own(lower::lstm)),
            "GRU" => (product::recurrent, Own(lower::gru)),
            "RNN" => (product::recurrent, Own(lower::rnn)),
            "Attention" => (attention::standard_outputs, Own(lower::attention)),
            "QAttention" => (attention::projecting_outputs, Own(lower::projecting)),
            "MultiHeadAttention" => (attention::multi_head_outputs, Own(lower::multi_head)),
            "GroupQueryAttention" => (attention::grouped_outputs, Own(lower::grouped)),

            "RandomNormalLike" | "RandomUniformLike" | "Bernoulli" | "Identity"
            | "ReorderInput" | "ReorderOutput" | "Trilu" | "EyeLike" | "ReverseSequence"
            | "TensorScatter" => (same, Nothing),
            "ScatterElements" | "ScatterND" | "Scatter" => (same, Own(lower::scatter)),
            "MoE" => (same, Own(lower::experts)),
            "QMoE" => (same, Own(lower::packed_experts)),
            "Dropout" => (pointwise::dropped, Nothing),
            "Cast" | "CastLike" | "BitCast" => (pointwise::cast, Nothing),
            "Shape" => (pointwise::shape, Nothing),
            "Size" => (pointwise::scalar_count, Nothing),
            "ConstantOfShape" => (pointwise::filled, Nothing),
            "Range" => (pointwise::range, Nothing),
            "OneHot" => (pointwise::one_hot, Nothing),
            "NonZero" => (pointwise::non_zero, Nothing),
            "Reshape" => (layout::reshape, Nothing),
            "Flatten" => (layout::flatten, Nothing),
            "Squeeze" => (layout::squeeze, Nothing),
            "Unsqueeze" => (layout::unsqueeze, Nothing),
            "Transpose" => (layout::transpose, Nothing),
            "Concat" => (layout::concat, Nothing),
            "QLinearConcat" => (lower::quantized_concat, Nothing),
            "Split" => (layout::split, Nothing),
            "Slice" => (layout::slice, Nothing),
            "Gather" => (layout::gather, LookUp),
            "GatherBlockQuantized" => (layout::gather_packed, Own(lower::gather_packed)),
            "GatherElements" => (layout::gather_elements, Nothing),
            "GatherND" => (layout::gather_nd, Nothing),
            "Expand" => (layout::expand, Nothing),
            "Tile" => (layout::tile, Nothing),
            "Pad" => (layout::pad, Nothing),
            "DepthToSpace" => (layout::depth_to_space, Nothing),
            "SpaceToDepth" => (layout::space_to_depth, Nothing),
            "Compress" => (layout::compress, Nothing),
            "CenterCropPad" => (layout::center_crop_pad, Nothing),
            "Col2Im" => (window::col2im, Each(F::Add)),
            // Their number of elements depends on the data, but no arithmetic is done.
            "Unique" | "OptionalGetElement" | "OptionalHasElement" | "Optional" => {
                (pointwise::unknown, Nothing)
            }
            _ => return None,
        },
    };
    Some(Rule { infer, cost })
}
