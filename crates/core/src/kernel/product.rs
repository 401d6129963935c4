//! Matrix products (m x k) (k x n): as they were timed, `hardware/kernels/gemm.csv`, or by a
//! roofline whose limits add up where no one timed any.
//!
//! ```text
//! timed    t = norm_corner(FLOPs / rate, bytes / (bandwidth share)) + latency
//! else     t = FLOPs / rate + passes x bytes / bandwidth
//! FLOPs    = 2 m n k, of extents padded to whole tiles, at most twice
//! bytes    = format (m k + k n) + 2 m n
//! ```
//! Share, corner and latency are those of kernels timed alone, on the fastest engine of every
//! shape. The rate is the caller's: in bursts kernels reach `share_of_peak`, in training that runs
//! at the limit of its power less.

use super::corner::bent;
use super::timed::Row;
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

/// Tile of a product that matrix units work in.
const TILE: f64 = 256.0;

/// The limits that products run into on a device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Limits {
    /// FLOP/s of large products.
    pub rate: f64,
    /// Memory bandwidth in B/s.
    pub bandwidth: f64,
    /// Passes over the operands that arithmetic does not hide, where no one timed products.
    pub passes: f64,
    /// Products as they were timed.
    pub timed: Option<Product>,
}

impl Limits {
    /// Seconds of one product of extents m, n, k, whose operands take `format` bytes a number; the
    /// result takes two.
    pub(crate) fn time(&self, [m, n, k]: [f64; 3], format: f64) -> f64 {
        let padded = |extent: f64| (extent.max(1.0) / TILE).ceil() * TILE / extent.max(1.0);
        let flops = 2.0 * m * n * k * (padded(n) * padded(k)).min(2.0);
        let bytes = format * (m * k + k * n) + 2.0 * m * n;
        match &self.timed {
            Some(product) => product.time(flops, bytes, self.rate, self.bandwidth),
            None => flops / self.rate + self.passes * bytes / self.bandwidth,
        }
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
    fn extents_are_padded_to_tiles_at_most_twice() {
        let limits = Limits { rate: 1e15, bandwidth: 1e30, passes: 1.0, timed: None };
        let whole = limits.time([4096.0, 256.0, 256.0], 2.0);
        assert!((limits.time([4096.0, 200.0, 256.0], 2.0) / whole - 1.0).abs() < 1e-9);
        let sliver = limits.time([4096.0, 8.0, 256.0], 2.0) * 1e15;
        assert!((sliver / (2.0 * 2.0 * 4096.0 * 8.0 * 256.0) - 1.0).abs() < 1e-9);
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
