//! The system of quantities: twelve base quantities of [uom](https://docs.rs/uom) and the rates
//! derived from them.
//!
//! Only the base quantities are declared; a derived one is the quotient or product that its name
//! says, so the compiler checks every formula. Values are stored in SI units, US dollars, bytes and
//! counts, so a formula holds no factor of a unit: one device-hour is stored as 3,600
//! device-seconds, one kWh as 3.6e6 J.
//!
//! Counted things (tokens, samples, requests, devices, instances) are base quantities as well: a
//! price per device-hour and one per instance-hour then have different types.

macro_rules! base_quantities {
    ($($(#[$doc:meta])* $module:ident $name:ident $symbol:ident [$($exponent:ident)+]
        $unit:ident = $abbreviation:literal $(, $more:ident = $scale:literal $short:literal)*;)+) => {
        $(
            $(#[$doc])*
            pub mod $module {
                uom::quantity! {
                    $(#[$doc])*
                    quantity: $name; stringify!($module);
                    /// Its dimension: the base quantity itself.
                    dimension: Q<$($exponent),+>;
                    units {
                        @$unit: 1.0; $abbreviation, stringify!($unit), stringify!($unit);
                        $(@$more: $scale; $short, stringify!($more), stringify!($more);)*
                    }
                }
            }
        )+
        uom::system! {
            /// The base quantities of the system.
            quantities: Q { $($module: $unit, $symbol;)+ }
            /// The units that values are stored in.
            units: U { $(mod $module::$name,)+ }
        }
        /// The base quantities, stored as `f64`.
        pub mod base {
            mod quantities { pub(super) use super::super::*; }
            Q!(self::quantities, f64);
        }
        pub use base::{$($name), +};
    };
}

base_quantities! {
    /// Elapsed time, stored in seconds.
    time Time Ti [P1 Z0 Z0 Z0 Z0 Z0 Z0 Z0 Z0 Z0 Z0 Z0]
        second = "s", minute = 60.0 "min", hour = 3600.0 "h", day = 86400.0 "d", year = 31_557_600.0 "a";
    /// Energy, stored in joules.
    energy Energy En [Z0 P1 Z0 Z0 Z0 Z0 Z0 Z0 Z0 Z0 Z0 Z0]
        joule = "J", watt_hour = 3600.0 "Wh", kilowatt_hour = 3.6e6 "kWh", megawatt_hour = 3.6e9 "MWh";
    /// Money, stored in US dollars.
    money Money Mo [Z0 Z0 P1 Z0 Z0 Z0 Z0 Z0 Z0 Z0 Z0 Z0]
        usd = "USD";
    /// Mass of CO2 equivalents, stored in kilograms.
    co2e Co2eMass Co [Z0 Z0 Z0 P1 Z0 Z0 Z0 Z0 Z0 Z0 Z0 Z0]
        kilogram = "kgCO2e", gram = 1.0e-3 "gCO2e", tonne = 1.0e3 "tCO2e";
    /// Floating-point operations; one multiply-accumulate is two.
    compute Flop Fl [Z0 Z0 Z0 Z0 P1 Z0 Z0 Z0 Z0 Z0 Z0 Z0]
        flop = "FLOP", petaflop = 1.0e15 "PFLOP";
    /// Amount of data, stored in bytes.
    data Data By [Z0 Z0 Z0 Z0 Z0 P1 Z0 Z0 Z0 Z0 Z0 Z0]
        byte = "B", gigabyte = 1.0e9 "GB", gibibyte = 1_073_741_824.0 "GiB";
    /// Tokens of text (or of any sequence).
    token Tokens To [Z0 Z0 Z0 Z0 Z0 Z0 P1 Z0 Z0 Z0 Z0 Z0]
        token = "token", billion_tokens = 1.0e9 "Btoken";
    /// Training samples: images, sequences, documents.
    sample Samples Sa [Z0 Z0 Z0 Z0 Z0 Z0 Z0 P1 Z0 Z0 Z0 Z0]
        sample = "sample";
    /// Requests to a served model.
    request Requests Re [Z0 Z0 Z0 Z0 Z0 Z0 Z0 Z0 P1 Z0 Z0 Z0]
        request = "request";
    /// Volume of water, stored in litres.
    water Water Wa [Z0 Z0 Z0 Z0 Z0 Z0 Z0 Z0 Z0 P1 Z0 Z0]
        liter = "L";
    /// Accelerators: the unit that peaks, memory and power are stated for.
    device Devices De [Z0 Z0 Z0 Z0 Z0 Z0 Z0 Z0 Z0 Z0 P1 Z0]
        device = "device";
    /// Rented machines, each with one or more devices.
    instance Instances In [Z0 Z0 Z0 Z0 Z0 Z0 Z0 Z0 Z0 Z0 Z0 P1]
        instance = "instance";
}

/// The quotient of two quantities.
pub type Per<A, B> = <A as std::ops::Div<B>>::Output;
/// The product of two quantities.
pub type Times<A, B> = <A as std::ops::Mul<B>>::Output;

/// Device-hours and their kin: devices x time, whatever the number of devices.
pub type DeviceTime = Times<Devices, Time>;
/// Instance-hours: rented machines x time.
pub type InstanceTime = Times<Instances, Time>;
/// Power of a room, a cluster, a machine: W.
pub type Power = Per<Energy, Time>;
/// Power of one device: W/device.
pub type DevicePower = Per<Power, Devices>;
/// FLOP/s of one device (FLOPS).
pub type DeviceFlopRate = Per<Per<Flop, Time>, Devices>;
/// Bytes per second of one device: memory or link bandwidth.
pub type DeviceBandwidth = Per<Per<Data, Time>, Devices>;
/// Memory of one device: B/device.
pub type DeviceMemory = Per<Data, Devices>;
/// Embodied CO2e of one device: kgCO2e/device.
pub type DeviceCo2e = Per<Co2eMass, Devices>;
/// Devices in one rented instance.
pub type DevicesPerInstance = Per<Devices, Instances>;
/// Rent of one device: USD/device-h.
pub type DevicePrice = Per<Money, DeviceTime>;
/// Rent of one instance: USD/instance-h.
pub type InstancePrice = Per<Money, InstanceTime>;
/// Data that is stored for a time: GB-months and their kin.
pub type DataTime = Times<Data, Time>;
/// Price of storage: USD/GB-month.
pub type StoragePrice = Per<Money, DataTime>;
/// Price of data that leaves a provider: USD/GB.
pub type EgressPrice = Per<Money, Data>;
/// Data of one request: B/request.
pub type DataPerRequest = Per<Data, Requests>;
/// The cost of a person over time: USD/year.
pub type PayRate = Per<Money, Time>;
/// Price of electricity: USD/kWh.
pub type EnergyPrice = Per<Money, Energy>;
/// Carbon intensity of electricity: gCO2e/kWh.
pub type GridIntensity = Per<Co2eMass, Energy>;
/// Water usage effectiveness: L/kWh.
pub type WaterIntensity = Per<Water, Energy>;
/// FLOP per token, forward or forward and backward as the formula says.
pub type FlopPerToken = Per<Flop, Tokens>;
/// FLOP per training sample.
pub type FlopPerSample = Per<Flop, Samples>;
/// Tokens per second of one device.
pub type DeviceTokenRate = Per<Per<Tokens, Time>, Devices>;
/// Requests per second (or per day).
pub type RequestRate = Per<Requests, Time>;
/// Tokens of one request.
pub type TokensPerRequest = Per<Tokens, Requests>;
/// Growth or decline per year; negative for a decline.
pub type YearlyRate = Per<f64, Time>;
/// A plain ratio of two quantities of one dimension.
pub type Ratio = Per<Time, Time>;
