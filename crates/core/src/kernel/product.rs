//! Matrix products as they were timed, `hardware/kernels/gemm.csv`.
//!
//! ```text
//! t = ((FLOPs / rate)^corner + (bytes / (bandwidth share))^corner)^(1 / corner) + latency
//! ```
//! Share, corner and latency are those of kernels timed alone, on the fastest engine of every
//! shape. The rate is the caller's: in bursts kernels reach `share_of_peak`, in training that runs
//! at the limit of its power less.

use super::timed::{Row, bent};
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
        let row = Row::of(flopcast_data::hardware::GEMM, accelerator, |row| row.runs_in(precision));
        row.and_then(|row| Self::read(&row))
    }

    /// The numbers of a line; `None` if one of them is missing or no number.
    pub(super) fn read(row: &Row) -> Option<Self> {
        Some(Self {
            share: row.number("share_of_peak")?,
            bandwidth: row.number("share_of_bandwidth")?,
            latency: row.micros("latency_us")?,
            corner: row.number("corner")?,
            error: row.number("median")?,
        })
    }

    /// Seconds of a product at a rate in FLOP/s on a memory in B/s.
    pub fn time(&self, flops: f64, bytes: f64, rate: f64, bandwidth: f64) -> f64 {
        bent(flops / rate, bytes / (bandwidth * self.bandwidth), self.corner) + self.latency
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
        let mut rows = Row::all(flopcast_data::hardware::GEMM);
        assert!(rows.all(|row| Product::read(&row).is_some()));
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
