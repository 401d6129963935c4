//! What a collective moves over the link of each of its devices, and over which link.
//!
//! ```text
//! ring        (n - 1) / n of the data: a reduce-scatter or an all-gather; an all-reduce is both
//! all-to-all  a token with k experts goes to (n - 1) (1 - (1 - 1/n)^k) other places of n
//! ```
//! A group within a scale-up domain has the domain's bandwidth, a wider one that of the network.

/// Bandwidths of the two levels of links, in B/s and device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fabric {
    /// Within a scale-up domain.
    pub up: f64,
    /// Between domains.
    pub out: f64,
    /// Devices of a domain.
    pub domain: f64,
}

impl Fabric {
    /// The bandwidth that a group of devices has.
    pub(crate) fn of(&self, devices: f64) -> f64 {
        if devices <= self.domain { self.up } else { self.out }
    }
}

/// The part of the data that a ring of `n` devices moves over each link in one pass.
pub(crate) fn ring(n: f64) -> f64 {
    if n > 1.0 { (n - 1.0) / n } else { 0.0 }
}

/// Other places of `n` that a token with `k` experts goes to, on average.
pub(crate) fn others(n: f64, k: f64) -> f64 {
    if n > 1.0 { (n - 1.0) * (1.0 - (1.0 - 1.0 / n).powf(k)) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_alone_sends_nothing() {
        assert!(ring(1.0) <= 0.0 && others(1.0, 8.0) <= 0.0);
        assert!((ring(8.0) - 0.875).abs() < 1e-12);
    }

    #[test]
    fn a_token_reaches_no_more_places_than_it_has_experts_or_there_are() {
        for (n, k) in [(2.0, 8.0), (8.0, 2.0), (64.0, 8.0), (4096.0, 8.0)] {
            let reached = others(n, k);
            assert!(reached > 0.0 && reached < k.min(n), "{n} {k}: {reached}");
        }
        // One expert falls on another device with a chance of (n - 1) / n.
        assert!((others(16.0, 1.0) - ring(16.0)).abs() < 1e-12);
    }

    #[test]
    fn a_group_within_a_domain_keeps_off_the_network() {
        let fabric = Fabric { up: 450e9, out: 50e9, domain: 8.0 };
        assert!(fabric.of(8.0) > fabric.of(9.0));
    }
}
