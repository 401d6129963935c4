//! The mean request of a load: the moments of its lengths that a closed form needs.
//!
//! Long answers stay longer, so the context that decoding attends to is that of a token, not of a
//! request: E[output (input + output / 2)] / E[output]. Attention over a prompt grows with the square
//! of its length. Lengths are lognormal with the mean and the 95th percentile of the plan, cut at the
//! model's longest sequence, as the simulator draws them.

use statrs::function::erf::erfc;

use super::plan::{Demand, Length, RequestKind};
use super::traffic::normal_quantile;
use crate::provenance::Traced;
use crate::quantity::{Measure, Share, Times, TokensPerRequest};

type Squared = Times<TokensPerRequest, TokensPerRequest>;

/// Means over the requests of a load.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Prompt tokens.
    pub input: Traced<TokensPerRequest>,
    /// Of them, those that are computed: not found in the prefix cache.
    pub computed: Traced<TokensPerRequest>,
    /// Tokens of the answer; one of a class that is over with its prompt.
    pub output: Traced<TokensPerRequest>,
    /// Context of a decoding token.
    pub context: Traced<TokensPerRequest>,
    /// The part of it that layers with a window see.
    pub windowed: Traced<TokensPerRequest>,
    /// Tokens that a computed token of a prompt attends to.
    pub keys: Traced<TokensPerRequest>,
    /// The same in layers with a window.
    pub windowed_keys: Traced<TokensPerRequest>,
    /// Squared coefficient of variation of the prompts' lengths.
    pub prompts: Traced<f64>,
    /// The same of the answers'.
    pub answers: Traced<f64>,
}

/// The same in plain numbers of tokens, for what is searched in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MeanRequest {
    /// See [`Asked`].
    pub computed: f64,
    /// See [`Asked`].
    pub output: f64,
    /// See [`Asked`].
    pub context: f64,
    /// See [`Asked`].
    pub windowed: f64,
    /// See [`Asked`].
    pub keys: f64,
    /// See [`Asked`].
    pub windowed_keys: f64,
}

/// First and second moment of a number of tokens.
#[derive(Clone)]
struct Moments(Traced<TokensPerRequest>, Traced<Squared>);

/// What a class adds to the sums.
struct Class {
    input: Moments,
    output: Moments,
    computed: Traced<TokensPerRequest>,
    context: Traced<Squared>,
    windowed: Traced<Squared>,
    keys: Traced<Squared>,
    windowed_keys: Traced<Squared>,
}

impl Asked {
    /// That of a service, for layers that see a window of so many tokens.
    pub fn of(demand: &Demand, window: Option<u32>) -> Self {
        let most = demand.model.extents.max_sequence.map(|most| most as f64);
        let classes: Vec<(Traced<Share>, Class)> = demand
            .kinds
            .iter()
            .map(|kind| (kind.share.trace(), Class::of(kind, most, window)))
            .collect();
        let tokens = |of: fn(&Class) -> &Traced<TokensPerRequest>| mean(&classes, of);
        let squares = |of: fn(&Class) -> &Traced<Squared>| mean(&classes, of);
        let (input, output) = (tokens(|it| &it.input.0), tokens(|it| &it.output.0));
        let computed = tokens(|it| &it.computed);
        let variation = |square: &Traced<Squared>, mean: &Traced<TokensPerRequest>| {
            if mean.value().value <= 0.0 {
                return Traced::constant(0.0);
            }
            ((square / (mean * mean)).number() - 1.0).or_nothing()
        };
        let each = |of: Traced<Squared>, among: &Traced<TokensPerRequest>| {
            if among.value().value > 0.0 { of / among } else { input.silent() }
        };
        Self {
            context: each(squares(|it| &it.context), &output).named("context of a decoding token"),
            windowed: each(squares(|it| &it.windowed), &output).named("context within the window"),
            keys: each(squares(|it| &it.keys), &computed).named("keys of a prompt's token"),
            windowed_keys: each(squares(|it| &it.windowed_keys), &computed)
                .named("keys within the window"),
            prompts: variation(&squares(|it| &it.input.1), &input)
                .named("squared variation of the prompts' lengths"),
            answers: variation(&squares(|it| &it.output.1), &output)
                .named("squared variation of the answers' lengths"),
            input,
            computed,
            output,
        }
    }
}

impl Asked {
    /// Decode steps of a request: its first token comes with the prompt.
    pub fn steps(&self) -> Traced<TokensPerRequest> {
        &self.output - Traced::constant(TokensPerRequest::from_stored(1.0))
    }

    /// In plain numbers.
    pub fn numbers(&self) -> MeanRequest {
        let number = |tokens: &Traced<TokensPerRequest>| tokens.value().value;
        MeanRequest {
            computed: number(&self.computed),
            output: number(&self.output),
            context: number(&self.context),
            windowed: number(&self.windowed),
            keys: number(&self.keys),
            windowed_keys: number(&self.windowed_keys),
        }
    }
}

/// The mean over classes.
fn mean<Q>(classes: &[(Traced<Share>, Class)], of: fn(&Class) -> &Traced<Q>) -> Traced<Q>
where
    Q: Measure + std::ops::Mul<Share, Output = Q> + std::ops::Add<Output = Q>,
{
    match classes {
        [(_, only)] => of(only).clone(),
        _ => Traced::total(classes.iter().map(|(share, class)| of(class) * share)),
    }
}

impl Class {
    fn of(kind: &RequestKind, most: Option<f64>, window: Option<u32>) -> Self {
        let one = || Traced::constant(TokensPerRequest::from_stored(1.0));
        let none = || Traced::constant(TokensPerRequest::from_stored(0.0));
        let moments = |length: &Option<Length>, without: Traced<TokensPerRequest>| {
            length.as_ref().map_or_else(
                || Moments(without.clone(), &without * &without),
                |length| Moments::of(length, most),
            )
        };
        // A class without answers among others is over with its prompt.
        let (input, output) = (moments(&kind.input, none()), moments(&kind.output, one()));
        let found = kind.cached.trace().number();
        let new = 1.0 - &found;
        let computed =
            if kind.cached.value.get() > 0.0 { &input.0 * &new } else { input.0.clone() };
        let context = &input.0 * &output.0 + &output.1 / 2.0;
        // Every token that is computed attends to those found and to those before it.
        let keys = if kind.cached.value.get() > 0.0 {
            &input.1 * &(&new * &(&found + &(&new / 2.0)))
        } else {
            &input.1 / 2.0
        };
        let within = |squares: &Traced<Squared>, rows: &Traced<TokensPerRequest>| match window {
            None => squares.clone(),
            Some(window) => {
                let window = TokensPerRequest::from_stored(f64::from(window));
                squares.min(&(rows * &Traced::constant(window)))
            }
        };
        Self {
            windowed: within(&context, &output.0),
            windowed_keys: within(&keys, &computed),
            computed,
            context,
            keys,
            input,
            output,
        }
    }
}

impl Moments {
    /// Those of a lognormal: with z the normal quantile of 0.95, its logarithm has the standard
    /// deviation s = z - sqrt(z^2 - 2 ln(p95 / mean)), and E[X^2] = mean^2 e^(s^2). Cut at m, E[min(X,
    /// m)^k] = E[X^k] F(w - k s) + m^k F(-w) with w = (ln m - mu) / s and F the normal distribution.
    fn of(length: &Length, most: Option<f64>) -> Self {
        let (mean, p95) = (length.mean.trace(), length.p95.trace());
        let z = normal_quantile(0.95);
        let constant = |value: f64| Traced::<f64>::constant(value);
        let ratio = (&p95 / &mean).ln().or_nothing();
        let root = (z * z - 2.0 * &ratio).or_nothing().pow(&constant(0.5));
        let spread = (z - &root).named("standard deviation of the logarithm of the length");
        let square = &mean * &mean * &spread.pow(&constant(2.0)).exp();
        let (first, second) = (mean.value().value, square.value().value);
        let sigma = spread.value();
        let Some(most) = most.filter(|_| sigma > 1e-6 && first > 0.0) else {
            return Self(mean, square);
        };
        let mu = first.ln() - sigma * sigma / 2.0;
        let below = |z: f64| 0.5 * erfc(-z / std::f64::consts::SQRT_2);
        let cut = (most.ln() - mu) / sigma;
        let part = |k: f64, whole: f64| below(cut - k * sigma) + most.powf(k) * below(-cut) / whole;
        let (of_first, of_second) = (part(1.0, first), part(2.0, second));
        if of_second > 0.999 {
            return Self(mean, square);
        }
        let within = |part: f64, what: &str| {
            mean.beside::<f64>(part, || {
                let name = format!("part of the {what} within the longest sequence");
                (name, format!("of a lognormal that is cut at {most} tokens"))
            })
        };
        Self(&mean * &within(of_first, "tokens"), &square * &within(of_second, "squares"))
    }
}
