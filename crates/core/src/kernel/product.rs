//! Matrix products as they were timed, `hardware/kernels/gemm.csv`.
//!
//! ```text
//! t = ((FLOPs / rate)^corner + (bytes / (bandwidth share))^corner)^(1 / corner) + latency
//! ```
//! Share, corner and latency are those of kernels timed alone, on the fastest engine of every
//! shape. The rate is the caller's: in bursts kernels reach `share_of_peak`, in training that runs
//! at the limit of its power less.

use crate::catalog::Accelerator;
use crate::quantity::Precision;

/// How products of a device in a format bend from one limit to the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Product {
    /// Part of the peak that large products reach in bursts.
    pub share: f64,
    /// Part of the memory bandwidth that their operands reach.
    pub bandwidth: f64,
    /// Least time, in seconds.
    pub latency: f64,
    /// Sharpness of the corner between the limits: 1 is their sum, infinity their maximum.
    pub corner: f64,
    /// Median error that the four numbers leave.
    pub error: f64,
}

impl Product {
    /// The timed products of an accelerator, or of another of its architecture; none where no one
    /// timed any.
    pub fn of(accelerator: &Accelerator, precision: Precision) -> Option<Self> {
        let rows = || flopcast_data::hardware::GEMM.lines().skip(1).filter_map(Row::read);
        let format = match precision {
            Precision::Fp16 | Precision::Bf16 => "bf16",
            narrow => narrow.name(),
        };
        let own = rows().find(|row| row.format == format && row.device == accelerator.id);
        let kin = || {
            rows().find(|row| row.format == format && row.architecture == accelerator.architecture)
        };
        own.or_else(kin).map(|row| row.product)
    }

    /// Seconds of a product at a rate in FLOP/s on a memory in B/s.
    pub fn time(&self, flops: f64, bytes: f64, rate: f64, bandwidth: f64) -> f64 {
        let (fast, wide) = (flops / rate, bytes / (bandwidth * self.bandwidth));
        let bent = if self.corner > 1.0 {
            (fast.powf(self.corner) + wide.powf(self.corner)).powf(1.0 / self.corner)
        } else {
            fast + wide
        };
        bent + self.latency
    }
}

/// A line of the table.
struct Row<'a> {
    device: &'a str,
    architecture: &'a str,
    format: &'a str,
    product: Product,
}

impl<'a> Row<'a> {
    /// A line of the table of timed products; `None` if it has too few cells or a number cannot be
    /// read.
    fn read(line: &'a str) -> Option<Self> {
        let cells: Vec<&str> = line.split(',').collect();
        let [device, architecture, format, _, numbers @ ..] = cells.as_slice() else {
            return None;
        };
        let number = |i: usize| numbers.get(i)?.parse::<f64>().ok();
        Some(Self {
            device,
            architecture,
            format,
            product: Product {
                share: number(0)?,
                bandwidth: number(1)?,
                latency: 1e-6 * number(2)?,
                corner: number(3)?,
                error: number(4)?,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    /// H100 SXM in bf16: 8,192 x 8,192 x 8,192 in bursts takes about 1.4 ms (790 TFLOP/s of
    /// aiconfigurator-core 0.12.0).
    #[test]
    fn a_timed_product_is_found_and_timed() {
        let catalog = Catalog::embedded();
        let device = catalog.accelerator("h100-sxm").unwrap();
        let product = Product::of(device, Precision::Bf16).unwrap();
        let n: f64 = 8192.0;
        let time = product.time(2.0 * n.powi(3), 6.0 * n * n, 989.4e12 * product.share, 3.35e12);
        assert!((1.25e-3..1.55e-3).contains(&time), "{time}");
        let kin = Product::of(catalog.accelerator("h800-sxm").unwrap(), Precision::Bf16);
        assert_eq!(kin, Some(product));
        let none = Product::of(catalog.accelerator("mi300x").unwrap(), Precision::Bf16);
        assert_eq!(none, None);
        // Every line of the table is read.
        let lines = flopcast_data::hardware::GEMM.lines().skip(1);
        assert!(lines.into_iter().all(|line| Row::read(line).is_some()));
    }

    #[test]
    fn a_product_takes_longer_than_either_limit() {
        let catalog = Catalog::embedded();
        let device = catalog.accelerator("gb200").unwrap();
        let product = Product::of(device, Precision::Fp8).unwrap();
        for (flops, bytes) in [(1e9, 1e9), (1e12, 1e6), (1e12, 1e9)] {
            let time = product.time(flops, bytes, 1e15, 1e12);
            assert!(time > flops / 1e15 && time > bytes / (1e12 * product.bandwidth));
        }
    }
}
