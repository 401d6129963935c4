//! Serving one's own fleet against a hosted model that is paid by the token: at which volume the
//! fleet, idle time and all, costs less.
//!
//! The fleet is sized anew at each volume. With k replicas that each take q requests a second on
//! average, r more for redundancy, d devices in a replica and m in an instance, it costs
//! C(k) = c m ceil((k + r) d / m) a second and serves up to k q. The hosted model charges a per
//! request. The break-even is C(k) / a for the least k with C(k) <= a k q. There is none where the
//! price of a replica's devices is above what the hosted model would charge for all it can serve.

use crate::provenance::{Traced, Value, function};
use crate::quantity::{
    DevicePrice, Devices, DevicesPerInstance, Money, Per, RequestRate, Requests, show,
};

/// Price of one request.
pub type RequestPrice = Per<Money, Requests>;

/// A fleet that is sized by the load.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// What one device costs, whether it works or not.
    pub device: Traced<DevicePrice>,
    /// Requests that a replica is planned to take on average.
    pub replica_rate: Traced<RequestRate>,
    /// Devices of one replica.
    pub replica_devices: Traced<Devices>,
    /// Devices of one instance; one where devices are had singly.
    pub instance_devices: Traced<DevicesPerInstance>,
    /// Replicas beside those that the load needs.
    pub redundancy: Traced<f64>,
}

impl Fleet {
    /// The least volume at which the fleet costs no more than a hosted model does at `price` a
    /// request; never, with the reason, where there is no such volume.
    pub fn break_even(&self, price: &Traced<RequestPrice>) -> Value<RequestRate> {
        let rate: Traced<RequestRate> = function(
            "least C(k) / a with C(k) <= a k q, C(k) = c m ceil((k + r) d / m), k replicas",
            &[
                price.part(),
                self.device.part(),
                self.replica_rate.part(),
                self.replica_devices.part(),
                self.instance_devices.part(),
                self.redundancy.part(),
            ],
            least_rate,
        );
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

/// The break-even of [`Fleet::break_even`]; infinite where there is none.
fn least_rate(v: &[f64]) -> f64 {
    let &[price, device, rate, size, instance, spare] = v else { return f64::INFINITY };
    let cost = |k: f64| device * instance * ((k + spare) * size / instance - 1e-9).ceil();
    // m replicas more fill d instances more exactly, so what they save is the same every time.
    let saving = (price * rate - device * size) * instance;
    let replicas = (1..=instance as u32).map(f64::from).filter_map(|k| {
        let missing = cost(k) - price * rate * k;
        if missing <= 0.0 {
            Some(k)
        } else if saving > 0.0 {
            Some(k + instance * (missing / saving).ceil())
        } else {
            None
        }
    });
    replicas.reduce(f64::min).map_or(f64::INFINITY, |k| cost(k) / price)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let found = least_rate(&v);
            match by_search(&v, 3000) {
                Some(least) => proptest::prop_assert!((found - least).abs() <= 1e-9 * least),
                None => proptest::prop_assert!(found > 3000.0 * size * device / price),
            }
        }
    }

    #[test]
    fn dear_devices_never_pay() {
        assert!(least_rate(&[1.0, 1.0, 1.0, 2.0, 8.0, 0.0]).is_infinite());
        // One replica of one device at 0.5 a second serves up to 1: it pays from 0.5 on.
        assert!((least_rate(&[1.0, 0.5, 1.0, 1.0, 1.0, 0.0]) - 0.5).abs() < 1e-12);
        // An instance of 8 at 4 a second is filled by 8 replicas: it pays from 4 on.
        assert!((least_rate(&[1.0, 0.5, 1.0, 1.0, 8.0, 0.0]) - 4.0).abs() < 1e-12);
        // A spare replica costs 0.5 more.
        assert!((least_rate(&[1.0, 0.5, 1.0, 1.0, 1.0, 1.0]) - 1.0).abs() < 1e-12);
    }
}
