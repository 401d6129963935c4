//! Exponential, logarithm and power, rounded as exactly as the C library's.
//!
//! The mathematics library that Rust brings to WebAssembly rounds one result in ten otherwise than the C
//! library that the command line uses, and a figure then differs in its last digit. These functions
//! compute with twice the digits and round once, as that library does in all but one of some hundred
//! calls. They take the place of the weaker ones by their name.
//!
//! Arithmetic of pairs: T. J. Dekker 1971, "A floating-point technique for extending the available
//! precision", Numerische Mathematik 18.

/// A sum of two numbers, the second below the last digit of the first.
#[derive(Clone, Copy)]
struct Pair(f64, f64);

/// ln 2 in three parts, the first of few enough digits that its small multiples are exact.
const LN_2: [f64; 3] = [0.6931471803691238, 1.9082149292705877e-10, 1.1612227229362532e-26];

fn sum(a: f64, b: f64) -> Pair {
    let whole = a + b;
    let part = whole - a;
    Pair(whole, (a - (whole - part)) + (b - part))
}

fn product(a: f64, b: f64) -> Pair {
    let halves = |x: f64| {
        let high = x * 134_217_729.0;
        let high = high - (high - x);
        (high, x - high)
    };
    let whole = a * b;
    let ((a1, a2), (b1, b2)) = (halves(a), halves(b));
    Pair(whole, ((a1 * b1 - whole) + a1 * b2 + a2 * b1) + a2 * b2)
}

impl Pair {
    fn plus(self, other: Self) -> Self {
        let Self(high, low) = sum(self.0, other.0);
        let Self(more, rest) = sum(self.1, other.1);
        let Self(high, low) = sum(high, low + more);
        sum(high, low + rest)
    }

    fn times(self, other: Self) -> Self {
        let Self(high, low) = product(self.0, other.0);
        sum(high, low + (self.0 * other.1 + self.1 * other.0))
    }

    fn over(self, number: f64) -> Self {
        let first = self.0 / number;
        let Self(whole, part) = product(first, number);
        sum(first, ((self.0 - whole) - part + self.1) / number)
    }
}

/// e^x as 2^k (1 + p), by the series of e^(r/32) - 1 and five doublings; |x| below 700.
fn exponential(x: Pair) -> (Pair, i32) {
    const TERMS: u8 = 12;
    let k = (x.0 * std::f64::consts::LOG2_E).round();
    let [high, middle, low] = LN_2;
    let r = x.plus(Pair(-k * high, 0.0)).plus(product(-k, middle)).plus(Pair(-k * low, 0.0));
    let s = Pair(r.0 / 32.0, r.1 / 32.0);
    let mut inner = Pair(1.0, 0.0);
    for n in (2..=TERMS).rev() {
        inner = Pair(1.0, 0.0).plus(inner.times(s).over(f64::from(n)));
    }
    let mut p = s.times(inner);
    for _ in 0..5 {
        p = Pair(2.0 * p.0, 2.0 * p.1).plus(p.times(p));
    }
    (p, k as i32)
}

/// 2^k, of an exponent between those of the least and the largest number.
fn power_of_two(k: i32) -> f64 {
    f64::from_bits(((1023 + i64::from(k)) as u64) << 52)
}

/// ln x by one step of Newton's from a nearby value; x between 1e-290 and 1e290.
fn logarithm(x: f64) -> Pair {
    let near = libm::log(x);
    let (p, k) = exponential(Pair(-near, 0.0));
    let scaled = Pair(x * power_of_two(k), 0.0);
    let off = scaled.plus(Pair(-1.0, 0.0)).plus(scaled.times(p));
    let square = 0.5 * off.0 * off.0;
    Pair(near, 0.0).plus(off).plus(Pair(-square, 0.0))
}

/// e^x.
pub(crate) fn exp(x: f64) -> f64 {
    if x.is_nan() || x.abs() >= 700.0 {
        return libm::exp(x);
    }
    let (p, k) = exponential(Pair(x, 0.0));
    Pair(1.0, 0.0).plus(p).0 * power_of_two(k)
}

/// ln x.
pub(crate) fn log(x: f64) -> f64 {
    if (1e-290..1e290).contains(&x) && x != 1.0 { logarithm(x).0 } else { libm::log(x) }
}

/// x^y.
pub(crate) fn pow(x: f64, y: f64) -> f64 {
    if (1e-290..1e290).contains(&x) && x != 1.0 && y.is_finite() && y != 0.0 {
        let exponent = logarithm(x).times(Pair(y, 0.0));
        if exponent.0.abs() < 700.0 {
            let (p, k) = exponential(exponent);
            return Pair(1.0, 0.0).plus(p).0 * power_of_two(k);
        }
    }
    libm::pow(x, y)
}

/// The names by which compiled code calls them.
#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code, reason = "they replace functions of the same names")]
mod named {
    #[unsafe(no_mangle)]
    extern "C" fn exp(x: f64) -> f64 {
        super::exp(x)
    }

    #[unsafe(no_mangle)]
    extern "C" fn log(x: f64) -> f64 {
        super::log(x)
    }

    #[unsafe(no_mangle)]
    extern "C" fn pow(x: f64, y: f64) -> f64 {
        super::pow(x, y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The least distance that two numbers of this size can have.
    fn digit(x: f64) -> f64 {
        f64::from_bits(x.abs().to_bits() + 1) - x.abs()
    }

    #[test]
    fn they_are_the_librarys_to_the_last_digit() {
        let mut equal = 0;
        let (mut calls, mut state) = (0, 1_u64);
        for _ in 0..20_000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let share = (state >> 11) as f64 / (1_u64 << 53) as f64;
            let (x, y) = (40.0 * share - 20.0, 1e-3 + 50.0 * share);
            for (own, library) in
                [(exp(x), x.exp()), (log(y), y.ln()), (pow(y, x / 7.0), y.powf(x / 7.0))]
            {
                assert!((own - library).abs() <= digit(library), "{x} {y}: {own} {library}");
                equal += u32::from(own.to_bits() == library.to_bits());
                calls += 1;
            }
        }
        assert!(f64::from(equal) > 0.98 * f64::from(calls), "{equal} of {calls}");
    }

    #[test]
    fn the_ends_are_the_librarys() {
        for x in [
            0.0,
            -0.0,
            1.0,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::NAN,
            1e-310,
            -1.0,
            1e308,
            710.0,
            -746.0,
        ] {
            let same = |own: f64, other: f64| {
                own.to_bits() == other.to_bits() || own.is_nan() && other.is_nan()
            };
            assert!(same(exp(x), x.exp()) && same(log(x), x.ln()), "{x}");
            for y in [0.0, 2.0, -1.0, 0.5, f64::INFINITY] {
                assert!(same(pow(x, y), x.powf(y)), "{x} {y}");
            }
        }
    }
}
