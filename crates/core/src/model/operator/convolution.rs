//! Convolution and pooling over 1 to 3 axes.
//!
//! The output's extents follow Dumoulin & Visin 2016 (arXiv:1603.07285).

use super::Moved;
use crate::model::cost::{Flops, count, product};

/// One axis that a window slides along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    /// Positions of the input.
    pub input: u64,
    /// Taps of the window.
    pub kernel: u64,
    /// Positions from one window to the next; 0 has no output.
    pub stride: u64,
    /// Positions padded before and after, together.
    pub padding: u64,
    /// Positions from one tap to the next.
    pub dilation: u64,
    /// Positions that a transposed convolution adds at the end of its output (`output_padding`);
    /// other windows ignore it.
    pub extra: u64,
}

impl Axis {
    /// A window that moves `stride` at a time, without dilation.
    pub fn new(input: u64, kernel: u64, stride: u64, padding: u64) -> Self {
        Self { input, kernel, stride, padding, dilation: 1, extra: 0 }
    }

    /// The positions that a window covers: `dilation (kernel - 1) + 1`.
    fn span(&self) -> u64 {
        self.dilation.saturating_mul(self.kernel.saturating_sub(1)).saturating_add(1)
    }

    /// The positions of the output: `(input + padding - dilation (kernel - 1) - 1) / stride + 1`,
    /// rounded down; 0 where the window does not fit.
    pub fn output(&self) -> u64 {
        let room = self.input.saturating_add(self.padding);
        match room.checked_sub(self.span()) {
            Some(rest) if self.stride > 0 => rest / self.stride + 1,
            _ => 0,
        }
    }

    /// The positions of the output of a pool that keeps a last, partly filled window (`ceil_mode`):
    /// as [`Axis::output`], but rounded up. A window that would start in the padding after the
    /// input is left out.
    pub fn output_ceil(&self) -> u64 {
        let room = self.input.saturating_add(self.padding);
        match room.checked_sub(self.span()) {
            Some(rest) if self.stride > 0 => {
                let windows = rest.div_ceil(self.stride) + 1;
                let last = (windows - 1).saturating_mul(self.stride);
                if last >= self.input.saturating_add(self.padding / 2) {
                    windows - 1
                } else {
                    windows
                }
            }
            _ => 0,
        }
    }

    /// The positions of the output of a transposed convolution:
    /// `(input - 1) stride - padding + dilation (kernel - 1) + 1 + extra`.
    pub fn output_transposed(&self) -> u64 {
        self.input
            .saturating_sub(1)
            .saturating_mul(self.stride)
            .saturating_add(self.span())
            .saturating_add(self.extra)
            .saturating_sub(self.padding)
    }
}

/// Convolution of `x [batch, in_channels, ...]` with
/// `W [out_channels, in_channels / groups, kernel...]` to `y [batch, out_channels, ...]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Convolution {
    /// Samples.
    pub batch: u64,
    /// Channels of the input.
    pub in_channels: u64,
    /// Channels of the output.
    pub out_channels: u64,
    /// The axes, 1 to 3.
    pub axes: Vec<Axis>,
    /// Groups of channels that do not see each other; as many as `in_channels` make it depthwise.
    pub groups: u64,
    /// True for a transposed convolution, which spreads instead of gathering.
    pub transposed: bool,
    /// True if a bias is added per output channel.
    pub bias: bool,
}

impl Convolution {
    /// The positions of the output, along each axis.
    pub fn output(&self) -> Vec<u64> {
        let along = |axis: &Axis| {
            if self.transposed { axis.output_transposed() } else { axis.output() }
        };
        self.axes.iter().map(along).collect()
    }

    /// The taps of the window over all axes.
    fn kernel(&self) -> u64 {
        self.axes.iter().fold(1, |taps: u64, axis| taps.saturating_mul(axis.kernel))
    }

    /// Learned parameters: `kernel x in_channels x out_channels / groups`, plus `out_channels` with
    /// a bias.
    pub fn parameters(&self) -> u64 {
        let group = self.in_channels / self.groups.max(1);
        count(&[self.kernel(), group, self.out_channels])
            .saturating_add(u64::from(self.bias) * self.out_channels)
    }

    /// FLOPs: `2 x K_h K_w x C_in C_out / groups x H_out W_out x batch` in matmul. In a transposed
    /// convolution every input position meets every tap, so `H_in` `W_in` stands for `H_out`
    /// `W_out`. The bias is 1 addition per output.
    pub fn forward(&self) -> Flops {
        let group = (self.in_channels / self.groups.max(1)) as f64;
        let out = product(&self.output()) * product(&[self.batch, self.out_channels]);
        let met = if self.transposed {
            self.axes.iter().map(|axis| axis.input as f64).product::<f64>()
                * product(&[self.batch, self.out_channels])
        } else {
            out
        };
        Flops::matmul(2.0 * met * group * self.kernel() as f64)
            + Flops::elementwise(if self.bias { out } else { 0.0 })
    }

    /// Reads each input and writes each output once; windows that overlap are served from the chip.
    pub(super) fn moved(&self) -> Moved {
        let input: f64 = self.axes.iter().map(|axis| axis.input as f64).product();
        Moved {
            read: input * product(&[self.batch, self.in_channels]),
            written: product(&self.output()) * product(&[self.batch, self.out_channels]),
        }
    }
}

/// Maximum or mean over windows of each channel: `[rows, ...]` to `[rows, ...]`, without
/// parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Samples x channels.
    pub rows: u64,
    /// The axes, 1 to 3.
    pub axes: Vec<Axis>,
    /// True if a last, partly filled window counts.
    pub ceil: bool,
}

impl Pool {
    /// The positions of the output, along each axis.
    pub fn output(&self) -> Vec<u64> {
        let along = |axis: &Axis| if self.ceil { axis.output_ceil() } else { axis.output() };
        self.axes.iter().map(along).collect()
    }

    /// True if it is taken for a maximum: windows that step. Means go over all positions, or over
    /// every window.
    pub(in crate::model) fn takes_the_largest(&self) -> bool {
        self.axes.iter().any(|axis| axis.stride > 1 && axis.kernel < axis.input)
    }

    /// FLOPs, all elementwise: `rows x outputs x taps`, one comparison or addition per tap and
    /// output.
    pub fn forward(&self) -> Flops {
        let taps: f64 = self.axes.iter().map(|axis| axis.kernel as f64).product();
        Flops::elementwise(taps * product(&self.output()) * self.rows as f64)
    }

    /// Reads the input and writes the output once.
    pub(super) fn moved(&self) -> Moved {
        let input: f64 = self.axes.iter().map(|axis| axis.input as f64).product();
        Moved {
            read: input * self.rows as f64,
            written: product(&self.output()) * self.rows as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_fit_as_the_formula_says() {
        assert_eq!(Axis::new(224, 7, 2, 6).output(), 112);
        assert_eq!(Axis::new(55, 3, 2, 0).output(), 27);
        assert_eq!(Axis::new(2, 3, 1, 0).output(), 0);
        assert_eq!(Axis::new(5, 3, 0, 0).output(), 0);
        assert_eq!(Axis::new(112, 3, 2, 0).output_ceil(), 56);
        assert_eq!(Axis::new(4, 2, 2, 0).output_ceil(), 2);
        assert_eq!(Axis::new(14, 2, 2, 0).output_transposed(), 28);
        assert_eq!(Axis { extra: 1, ..Axis::new(7, 3, 2, 2) }.output_transposed(), 14);
    }

    #[test]
    fn depthwise_and_transposed() {
        let axes = vec![Axis::new(14, 2, 2, 0); 2];
        let up = Convolution {
            batch: 1,
            in_channels: 512,
            out_channels: 256,
            axes,
            groups: 1,
            transposed: true,
            bias: true,
        };
        assert_eq!(up.output(), [28, 28]);
        assert_eq!(up.parameters(), 4 * 512 * 256 + 256);
        assert_eq!(
            up.forward(),
            Flops::matmul(2.0 * 196.0 * 4.0 * 512.0 * 256.0) + Flops::elementwise(784.0 * 256.0)
        );
        let depthwise = Convolution {
            groups: 32,
            in_channels: 32,
            out_channels: 32,
            transposed: false,
            bias: false,
            axes: vec![Axis::new(112, 3, 1, 2); 2],
            ..up
        };
        assert_eq!(depthwise.parameters(), 288);
        assert_eq!(depthwise.forward(), Flops::matmul(2.0 * 3_612_672.0));
    }
}
