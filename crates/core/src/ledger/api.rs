//! Serving one's own fleet against a hosted model that is paid by the token: at which volume the
//! fleet, idle time and all, costs less.
//!
//! The fleet is sized anew at each volume. It has k replicas, each of which takes q requests a
//! second on average, and r more for redundancy; a replica has d devices, an instance m, and a
//! device costs c a second. The hosted model charges a per request.
//! ```text
//! cost of the fleet   C(k) = c m ceil((k + r) d / m)      USD/s
//! requests it serves       <= k q                          requests/s
//! break-even               C(k) / a for the least k with C(k) <= a k q
//! ```
//! There is no break-even where the devices of a replica cost more than the hosted model would
//! charge for all that the replica can serve.
//!
//! Assumptions: the mix of requests and the prices stand at every volume, and a replica's rate does
//! not change with the size of the fleet. `estimate::api` compares the first year of a service so.

use crate::provenance::{Traced, Value};
use crate::quantity::{
    DevicePrice, Devices, DevicesPerInstance, Measure, Money, Per, RequestRate, Requests, Time,
    show,
};

/// A flow of money: USD/s.
type MoneyRate = Per<Money, Time>;

/// The price of one request: USD/request.
pub type RequestPrice = Per<Money, Requests>;

/// A fleet that is sized by its load: the costs and capacities from which its break-even follows.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// Cost of one device, at work or idle, in USD/device-s: cost of the first year / devices paid
    /// for.
    pub device: Traced<DevicePrice>,
    /// Requests per second that a replica is planned to take on average: its highest rate x target
    /// utilisation / (peak rate / mean rate).
    pub replica_rate: Traced<RequestRate>,
    /// Devices of one replica, d.
    pub replica_devices: Traced<Devices>,
    /// Devices of one instance, m; one where devices are sold singly.
    pub instance_devices: Traced<DevicesPerInstance>,
    /// Replicas beside those that the load needs, r.
    pub redundancy: Traced<f64>,
}

impl Fleet {
    /// The least volume, in requests per second, at which the fleet costs no more than a hosted
    /// model does at `price` a request.
    ///
    /// It is [`Value::Never`] where no volume is large enough: the reason then names the cost of a
    /// request on a fleet that is as busy as planned beside the price of the hosted model.
    pub fn break_even(&self, price: &Traced<RequestPrice>) -> Value<RequestRate> {
        let rate = self.least_rate(price);
        if rate.value().value.is_finite() {
            return rate.into();
        }
        let busy = &(&self.device * &self.replica_devices) / &self.replica_rate;
        Value::never(format!(
            "never: a request costs {} on a fleet as busy as planned, and {} at the hosted model",
            show(busy.value()),
            show(price.value())
        ))
    }
}

impl Fleet {
    /// The break-even in requests per second; infinite where there is none.
    ///
    /// With n replicas more, n = m / gcd(d, m), the devices fill whole instances as exactly as
    /// before, so that n replicas earn the same beyond the cost of their devices every time, n (a
    /// q - c d). From each of the first n numbers of replicas the fleet grows in such leaps until
    /// it pays, and the least of the n rates is the answer.
    fn least_rate(&self, price: &Traced<RequestPrice>) -> Traced<RequestRate> {
        let [size, instance] =
            [self.replica_devices.value().stored(), self.instance_devices.value().stored()];
        let leap = (instance / greatest_divisor(size, instance)).max(1.0);
        let whole = &self.device * &self.instance_devices;
        let cost = |replicas: &Traced<f64>| {
            let devices = (replicas + &self.redundancy) * &self.replica_devices;
            &whole * (devices / &self.instance_devices).ceil()
        };
        let earned = price * &self.replica_rate;
        let saving = (&earned - &self.device * &self.replica_devices) * leap;
        let saving = saving.named("what replicas that fill instances earn beyond their devices");
        let nothing = Traced::constant(MoneyRate::from_stored(0.0));
        let never = Traced::constant(RequestRate::from_stored(f64::INFINITY));
        let rates = (1..=leap as u32).map(|first| {
            let replicas = Traced::constant(f64::from(first));
            let missing = cost(&replicas) - &earned * &replicas;
            let leaps = (&missing / &saving).number().ceil();
            let grown =
                nothing.below(&saving).choose(&(cost(&(&replicas + leaps * leap)) / price), &never);
            let rate = missing.at_most(&nothing).choose(&(cost(&replicas) / price), &grown);
            rate.named(format_args!("break-even with {first}, {first} + {leap}, ... replicas"))
        });
        Traced::least(&rates.collect::<Vec<_>>())
    }
}

/// The greatest common divisor of two whole numbers (Euclid's algorithm).
fn greatest_divisor(a: f64, b: f64) -> f64 {
    if b < 1.0 { a.max(1.0) } else { greatest_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn least_rate([price, device, rate, size, instance, spare]: [f64; 6]) -> f64 {
        let fleet = Fleet {
            device: Traced::constant(DevicePrice::from_stored(device)),
            replica_rate: Traced::constant(RequestRate::from_stored(rate)),
            replica_devices: Traced::constant(Devices::from_stored(size)),
            instance_devices: Traced::constant(DevicesPerInstance::from_stored(instance)),
            redundancy: Traced::constant(spare),
        };
        fleet.least_rate(&Traced::constant(RequestPrice::from_stored(price))).value().stored()
    }

    /// The same by trying every number of replicas.
    fn by_search(v: &[f64; 6], most: u32) -> Option<f64> {
        let [price, device, rate, size, instance, spare] = v;
        let cost = |k: f64| device * instance * ((k + spare) * size / instance - 1e-9).ceil();
        let pays = (1..=most).map(f64::from).find(|k| cost(*k) <= price * k * rate);
        pays.map(|k| cost(k) / price)
    }

    proptest::proptest! {
        #[test]
        fn the_closed_form_finds_what_a_search_finds(
            price in 0.1..10.0f64, device in 0.1..2.0f64, rate in 0.1..10.0f64,
            size in 1u32..17, instance in 1u32..17, spare in 0u32..5,
        ) {
            let [size, instance, spare] = [size, instance, spare].map(f64::from);
            let v = [price, device, rate, size, instance, spare];
            let found = least_rate(v);
            match by_search(&v, 3000) {
                Some(least) => proptest::prop_assert!((found - least).abs() <= 1e-9 * least),
                None => proptest::prop_assert!(found > 3000.0 * size * device / price),
            }
        }
    }

    #[test]
    fn dear_devices_never_pay() {
        assert!(least_rate([1.0, 1.0, 1.0, 2.0, 8.0, 0.0]).is_infinite());
        // One replica of one device at 0.5 a second serves up to 1: it pays from 0.5 on.
        assert!((least_rate([1.0, 0.5, 1.0, 1.0, 1.0, 0.0]) - 0.5).abs() < 1e-12);
        // An instance of 8 at 4 a second is filled by 8 replicas: it pays from 4 on.
        assert!((least_rate([1.0, 0.5, 1.0, 1.0, 8.0, 0.0]) - 4.0).abs() < 1e-12);
        // A spare replica costs 0.5 more.
        assert!((least_rate([1.0, 0.5, 1.0, 1.0, 1.0, 1.0]) - 1.0).abs() < 1e-12);
    }
}
