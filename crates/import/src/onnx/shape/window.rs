//! Convolutions, pools and resizing: operators whose windows slide over the axes of an image or a
//! signal.

use flopcast_core::model::operator::Axis;

use super::super::call::{Call, Inferred, Stop};
use super::super::value::{DataType, Shape, Value};
use super::{Outputs, shaped, size, sizes, total};

/// The windows of a convolution or pool: one [`Axis`] per spatial dimension.
#[derive(Clone, Debug)]
pub(in super::super) struct Windows {
    /// Input, kernel, stride, padding and dilation of each axis.
    pub(in super::super) axes: Vec<Axis>,
    /// Positions of the output along each axis.
    pub(in super::super) output: Vec<u64>,
}

/// Strides, dilations and the like: one positive number per axis, 1 if left out.
fn per_axis(call: &Call, name: &str, rank: usize) -> Inferred<Vec<u64>> {
    match call.ints(name).filter(|list| !list.is_empty()) {
        None => Ok(vec![1; rank]),
        Some(list) if list.len() == rank && list.iter().all(|&x| x > 0) => sizes(call, list),
        Some(list) => Err(call.invalid(format!("`{name}` is {list:?} for {rank} axes"))),
    }
}

/// Padding before and after each axis together, as written; negative padding crops.
fn paddings(call: &Call, rank: usize) -> Inferred<Vec<i64>> {
    match call.ints("pads").filter(|list| !list.is_empty()) {
        None => Ok(vec![0; rank]),
        Some(list) if list.len() == 2 * rank => {
            Ok((0..rank).map(|axis| list[axis].saturating_add(list[axis + rank])).collect())
        }
        Some(list) => Err(call.invalid(format!("`pads` is {list:?} for {rank} axes"))),
    }
}

/// The windows of a convolution or pool over `space` with taps `kernel`. With `auto_pad` `SAME` the
/// output has ceil(input / stride) positions, otherwise floor((input + pads - span) / stride) + 1,
/// or the ceiling of it for `ceil`.
fn slide(call: &Call, space: &[u64], kernel: &[u64], ceil: bool) -> Inferred<Windows> {
    let rank = space.len();
    let (strides, dilations) =
        (per_axis(call, "strides", rank)?, per_axis(call, "dilations", rank)?);
    let auto = call.text("auto_pad").unwrap_or_default();
    let pads = paddings(call, rank)?;
    let mut windows = Windows { axes: Vec::new(), output: Vec::new() };
    for index in 0..rank {
        let mut axis = Axis::new(space[index], kernel[index], strides[index], 0);
        axis.dilation = dilations[index];
        match auto.as_str() {
            "SAME_UPPER" | "SAME_LOWER" => {
                // The output has ceil(input / stride) positions: pad as much as the last window
                // lacks.
                let span = reach(call, &axis)?;
                let last = axis.input.div_ceil(axis.stride).saturating_sub(1);
                axis.padding = total(call, &[last, axis.stride])?
                    .saturating_add(span)
                    .saturating_sub(axis.input);
            }
            "VALID" => {}
            _ if pads[index] >= 0 => axis.padding = pads[index] as u64,
            _ => axis.input = axis.input.saturating_sub(pads[index].unsigned_abs()),
        }
        reach(call, &axis)?;
        windows.output.push(if ceil { axis.output_ceil() } else { axis.output() });
        windows.axes.push(axis);
    }
    Ok(windows)
}

/// Positions that a window spans: dilation (kernel - 1) + 1.
fn reach(call: &Call, axis: &Axis) -> Inferred<u64> {
    if axis.kernel == 0 {
        return Err(call.invalid("a window of 0 taps"));
    }
    axis.dilation
        .checked_mul(axis.kernel - 1)
        .and_then(|span| span.checked_add(1))
        .ok_or_else(|| call.invalid("a window that is too large"))
}

/// The extents of a convolution: `[batch, in_channels, ...]` to `[batch, out_channels, ...]`.
#[derive(Clone, Debug)]
pub(in super::super) struct Convolved {
    /// Samples.
    pub(in super::super) batch: u64,
    /// Channels of the input.
    pub(in super::super) in_channels: u64,
    /// Channels of the output.
    pub(in super::super) out_channels: u64,
    /// Groups of channels that do not see each other.
    pub(in super::super) groups: u64,
    /// The windows along the spatial axes.
    pub(in super::super) windows: Windows,
}

impl Convolved {
    /// The shape of the output, channels first.
    fn shape(&self) -> Shape {
        [&[self.batch, self.out_channels], self.windows.output.as_slice()].concat()
    }
}

/// True if a node of ONNX Runtime has its channels last.
fn channels_last(call: &Call) -> bool {
    call.flag("channels_last") || call.operator.contains(".Nhwc")
}

/// Shape of an image at input `index`, its channels first.
pub(in super::super) fn image(call: &Call, index: usize) -> Inferred<Shape> {
    let mut shape = call.ranked(index, 3)?.clone();
    if channels_last(call) {
        shape[1..].rotate_right(1);
    }
    Ok(shape)
}

/// The shape as the node stores it, of an image with its channels first.
fn as_stored(call: &Call, mut shape: Shape) -> Shape {
    if channels_last(call) {
        shape[1..].rotate_left(1);
    }
    shape
}

/// Reads a `Conv`-like node: x `[N, C, ...]` with w `[M, C / groups, kernel...]` to `[N, M, ...]`.
pub(in super::super) fn convolution(
    call: &Call,
    data: usize,
    weight: usize,
) -> Inferred<Convolved> {
    let (x, w) = (image(call, data)?, call.ranked(weight, 3)?);
    let groups = call.count("group")?.unwrap_or(1);
    if w.len() != x.len() || groups == 0 || w[1].checked_mul(groups) != Some(x[1]) {
        return Err(call.invalid(format!("weights {w:?} in {groups} groups over input {x:?}")));
    }
    let windows = slide(call, &x[2..], &w[2..], false)?;
    Ok(Convolved { batch: x[0], in_channels: x[1], out_channels: w[0], groups, windows })
}

/// Reads `ConvTranspose(x, w)`: x `[N, C, ...]` with w `[C, M / groups, kernel...]` to
/// `[N, M, ...]`. A wanted `output_shape`, or input x stride for `auto_pad` `SAME`, sets the
/// padding instead of `pads`.
pub(in super::super) fn transposed_convolution(call: &Call) -> Inferred<Convolved> {
    let (x, w) = (call.ranked(0, 3)?, call.ranked(1, 3)?);
    let rank = x.len() - 2;
    let groups = call.count("group")?.unwrap_or(1);
    if w.len() != x.len() || groups == 0 || w[0] != x[1] {
        return Err(call.invalid(format!("weights {w:?} in {groups} groups over input {x:?}")));
    }
    let (strides, dilations) =
        (per_axis(call, "strides", rank)?, per_axis(call, "dilations", rank)?);
    let pads = paddings(call, rank)?;
    let extra = call.ints("output_padding").filter(|list| list.len() == rank);
    let wanted = call.ints("output_shape").filter(|list| list.len() >= rank);
    let auto = call.text("auto_pad").unwrap_or_default();
    let mut windows = Windows { axes: Vec::new(), output: Vec::new() };
    for index in 0..rank {
        let mut axis = Axis::new(x[index + 2], w[index + 2], strides[index], 0);
        axis.dilation = dilations[index];
        reach(call, &axis)?;
        total(call, &[axis.input, axis.stride])?;
        axis.extra = extra.map_or(Ok(0), |list| size(call, list[index]))?;
        let target = match wanted {
            Some(list) => Some(size(call, list[list.len() - rank + index])?),
            None if auto.starts_with("SAME") => Some(total(call, &[axis.input, axis.stride])?),
            None => None,
        };
        let bare = axis.output_transposed();
        match target {
            Some(target) if target <= bare => axis.padding = bare - target,
            Some(target) => axis.extra += target - bare,
            None if pads[index] >= 0 => axis.padding = pads[index] as u64,
            None => axis.extra = axis.extra.saturating_add(pads[index].unsigned_abs()),
        }
        windows.output.push(axis.output_transposed());
        windows.axes.push(axis);
    }
    let out_channels = total(call, &[w[1], groups])?;
    Ok(Convolved { batch: x[0], in_channels: x[1], out_channels, groups, windows })
}

/// `Conv`, `FusedConv` and their kin: `[N, M, positions...]`.
pub(in super::super) fn conv(call: &Call) -> Outputs {
    shaped(call, as_stored(call, convolution(call, 0, 1)?.shape()))
}

/// `ConvInteger`: as `Conv`, with 32-bit sums.
pub(in super::super) fn conv_integer(call: &Call) -> Outputs {
    Ok(vec![Value::new(DataType(6), convolution(call, 0, 1)?.shape())])
}

/// `QLinearConv(x, scale, zero, w, ...)`: as `Conv` of inputs 0 and 3.
pub(in super::super) fn quantized_conv(call: &Call) -> Outputs {
    shaped(call, as_stored(call, convolution(call, 0, 3)?.shape()))
}

/// `ConvTranspose`: `[N, M, positions...]`.
pub(in super::super) fn conv_transpose(call: &Call) -> Outputs {
    shaped(call, transposed_convolution(call)?.shape())
}

/// The windows of a pool over input 0, `[N, C, ...]`.
pub(in super::super) fn pool_windows(call: &Call) -> Inferred<Windows> {
    let x = image(call, 0)?;
    let kernel = per_axis(call, "kernel_shape", x.len() - 2)?;
    slide(call, &x[2..], &kernel, call.flag("ceil_mode"))
}

/// `MaxPool`, `AveragePool`, `LpPool`: `[N, C, positions...]`; the second output of `MaxPool` is
/// the indices.
pub(in super::super) fn pool(call: &Call) -> Outputs {
    let shape = [&image(call, 0)?[..2], &pool_windows(call)?.output].concat();
    let shape = as_stored(call, shape);
    Ok(vec![Value::new(call.data_type(0), shape.clone()), Value::new(DataType::INT64, shape)])
}

/// `GlobalAveragePool` and its kin: `[N, C, 1...]`.
pub(in super::super) fn global_pool(call: &Call) -> Outputs {
    let mut shape = image(call, 0)?;
    shape[2..].fill(1);
    shaped(call, as_stored(call, shape))
}

/// `MaxUnpool(x, indices, shape)`: the shape that is given, or that of the pool's inverse, in which
/// each extent is `(input - 1) stride + kernel - pads`.
pub(in super::super) fn unpool(call: &Call) -> Outputs {
    if call.optional(2).is_some() {
        return shaped(call, sizes(call, &call.integers(2)?)?);
    }
    let x = call.ranked(0, 3)?;
    let rank = x.len() - 2;
    let (kernel, strides) =
        (per_axis(call, "kernel_shape", rank)?, per_axis(call, "strides", rank)?);
    let pads = paddings(call, rank)?;
    let mut shape = x[..2].to_vec();
    for index in 0..rank {
        let axis = Axis {
            padding: pads[index].max(0) as u64,
            ..Axis::new(x[index + 2], kernel[index], strides[index], 0)
        };
        shape.push(axis.output_transposed());
    }
    shaped(call, shape)
}

/// `Resize(x, roi, scales, sizes)`; `Upsample(x, scales)` and `Resize` of version 10. An extent
/// becomes its size, or floor(extent x scale).
pub(in super::super) fn resize(call: &Call) -> Outputs {
    let x = call.shape(0)?;
    let axes: Vec<usize> = match call.ints("axes") {
        Some(axes) => axes.iter().map(|&axis| call.axis(axis, x.len())).collect::<Inferred<_>>()?,
        None => (0..x.len()).collect(),
    };
    let given = |index: usize| {
        call.optional(index).is_some_and(|value| value.shape.as_deref() != Some(&[0]))
    };
    let mut shape = x.clone();
    if given(3) {
        let wanted = sizes(call, &call.integers(3)?)?;
        if wanted.len() != axes.len() {
            return Err(call.invalid(format!("sizes {wanted:?} for {} axes", axes.len())));
        }
        fit(call, &mut shape, &axes, &wanted);
        return shaped(call, shape);
    }
    let scales: Vec<f64> = match call.attributes.get("scales") {
        Some(attribute) => attribute.floats.iter().map(|&x| f64::from(x)).collect(),
        None => call.contents(if call.inputs.len() > 2 { 2 } else { 1 })?.to_vec(),
    };
    if scales.len() != axes.len() || scales.iter().any(|scale| scale.is_nan() || *scale <= 0.0) {
        return Err(call.invalid(format!("scales {scales:?} for {} axes", axes.len())));
    }
    for (&axis, scale) in axes.iter().zip(scales) {
        shape[axis] = (shape[axis] as f64 * scale).floor() as u64;
    }
    shaped(call, shape)
}

/// Stretches `axes` of `shape` to `wanted`, keeping the aspect ratio if the node says so.
fn fit(call: &Call, shape: &mut Shape, axes: &[usize], wanted: &[u64]) {
    let ratios = axes.iter().zip(wanted).map(|(&axis, &to)| to as f64 / shape[axis] as f64);
    let scale = match call.text("keep_aspect_ratio_policy").as_deref() {
        Some("not_larger") => Some(ratios.fold(f64::INFINITY, f64::min)),
        Some("not_smaller") => Some(ratios.fold(0.0, f64::max)),
        _ => None,
    };
    for (&axis, &to) in axes.iter().zip(wanted) {
        shape[axis] = scale.map_or(to, |scale| (shape[axis] as f64 * scale).round() as u64);
    }
}

/// `GridSample(x, grid)`: `[N, C]`, then the grid's extents without batch and coordinates.
pub(in super::super) fn grid_sample(call: &Call) -> Outputs {
    let (x, grid) = (call.ranked(0, 3)?, call.ranked(1, 3)?);
    shaped(call, [&x[..2], &grid[1..grid.len() - 1]].concat())
}

/// `AffineGrid(theta, size)`: for a size `[N, C, space...]`, coordinates `[N, space..., axes]`.
pub(in super::super) fn affine_grid(call: &Call) -> Outputs {
    let to = sizes(call, &call.integers(1)?)?;
    if to.len() < 3 {
        return Err(call.invalid(format!("a grid for {to:?}")));
    }
    let axes = to.len() as u64 - 2;
    shaped(call, [&to[..1], &to[2..], &[axes]].concat())
}

/// `RoiAlign(x, rois, ...)`: `[regions, C, output_height, output_width]`.
pub(in super::super) fn roi_align(call: &Call) -> Outputs {
    let (x, rois) = (call.ranked(0, 4)?, call.ranked(1, 1)?);
    let height = call.count("output_height")?.unwrap_or(1);
    let width = call.count("output_width")?.unwrap_or(1);
    shaped(call, vec![rois[0], x[1], height, width])
}

/// `MaxRoiPool(x, rois)`: `[regions, C]`, then `pooled_shape`.
pub(in super::super) fn roi_pool(call: &Call) -> Outputs {
    let (x, rois) = (call.ranked(0, 4)?, call.ranked(1, 1)?);
    let pooled = sizes(call, call.ints("pooled_shape").unwrap_or_default())?;
    shaped(call, [&[rois[0], x[1]], pooled.as_slice()].concat())
}

/// `Col2Im(x, image, block)`: `[N, C x block, L]` to `[N, C, image...]`.
pub(in super::super) fn col2im(call: &Call) -> Outputs {
    let x = call.ranked(0, 2)?;
    let image = sizes(call, &call.integers(1)?)?;
    let block = total(call, &sizes(call, &call.integers(2)?)?)?;
    if block == 0 {
        return Err(call.invalid("a block of 0"));
    }
    shaped(call, [&[x[0], x[1] / block], image.as_slice()].concat())
}

/// `MelWeightMatrix(bins, dft_length, ...)`: `[dft_length / 2 + 1, bins]`.
pub(in super::super) fn mel_weights(call: &Call) -> Outputs {
    let first = |index| call.integers(index)?.first().copied().ok_or(Stop::Unknown);
    let (bins, length) = (size(call, first(0)?)?, size(call, first(1)?)?);
    Ok(vec![Value::new(DataType::FLOAT, vec![length / 2 + 1, bins])])
}
