//! Quantities with their units, so that a FLOP is not taken for a FLOP/s, nor a device-hour for an
//! hour.
//!
//! [`mod@system`] declares them, [`text`] reads and writes them as people do
//! (`"2.10 USD/device-h"`), [`role`] names the dimensionless ones (MFU, PUE, shares).
//!
//! A sum of unlike quantities does not compile. A count and a rate:
//!
//! ```compile_fail,E0308
//! use flopcast_core::quantity::{Flop, Per, Time};
//! fn sum(count: Flop, rate: Per<Flop, Time>) -> Flop {
//!     count + rate
//! }
//! ```
//!
//! Nor does a price per hour where the price of a device-hour is meant:
//!
//! ```compile_fail,E0308
//! use flopcast_core::quantity::{DevicePrice, DeviceTime, Money, Per, Time};
//! fn bill(price: DevicePrice, time: DeviceTime) -> Money {
//!     price * time
//! }
//! fn misread(per_hour: Per<Money, Time>, time: DeviceTime) -> Money {
//!     bill(per_hour, time)
//! }
//! ```
//!
//! [`text`] chooses the unit in which a quantity is shown; in a formula there are no units:
//! ```
//! use flopcast_core::quantity::{DeviceTime, Money, Per, parse, show};
//! let time: DeviceTime = parse("2.79 million device-h").unwrap();
//! let price: Per<Money, DeviceTime> = parse("2 USD/device-h").unwrap();
//! assert_eq!(show(price * time), "5,580,000 USD");
//! ```

pub mod dimension;
mod precision;
pub mod role;
pub mod spread;
pub mod system;
pub mod text;

pub use dimension::{Dimension, Measure};
pub use precision::Precision;
pub use role::{Mfu, Pue, Share};
pub use spread::{Distribution, Scale};
pub use system::{
    Co2eMass, Data, DataPerRequest, DataTime, DeviceBandwidth, DeviceCo2e, DeviceFlopRate,
    DeviceMemory, DevicePower, DevicePrice, DeviceTime, DeviceTokenRate, Devices,
    DevicesPerInstance, EgressPrice, Energy, EnergyPrice, Flop, FlopPerSample, FlopPerToken,
    GridIntensity, InstancePrice, InstanceTime, Instances, Money, PayRate, Per, Power, Ratio,
    RequestRate, Requests, Samples, StoragePrice, Time, Times, Tokens, TokensPerRequest, Water,
    WaterIntensity, YearlyRate,
};
pub use text::{QuantityError, parse, show};

/// Extents and degrees as numbers of a formula. Searches ask for millions, and an array's own `map` is
/// a call each.
#[inline(always)]
#[expect(clippy::inline_always, reason = "three conversions are shorter than a call")]
pub(crate) fn real<const N: usize>(whole: [u64; N]) -> [f64; N] {
    let mut real = [0.0; N];
    for (real, whole) in real.iter_mut().zip(whole) {
        *real = whole as f64;
    }
    real
}
