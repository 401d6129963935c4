//! The mean request of a load: the moments of its lengths that a closed form needs.
//!
//! Long answers stay longer, so the context that decoding attends to is that of a token, not of a
//! request: E(output (input + output / 2)) / E(output). Attention over a prompt grows with the square
//! of its length. Lengths are lognormal with the mean and the 95th percentile of the plan, cut at the
//! model's longest sequence, as the simulator draws them.

use statrs::function::erf::erfc;

use super::plan::{Demand, Length, RequestKind};
use crate::provenance::Traced;
use crate::quantity::{Measure as _, Share, TokensPerRequest};
use crate::random::normal_quantile;

/// Means over the requests of a load.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Prompt tokens.
    pub(crate) input: Traced<TokensPerRequest>,
    /// The tokens of them that are computed: not found in the prefix cache.
    pub(crate) computed: Traced<TokensPerRequest>,
    /// Tokens of the answer; one of a class that is over with its prompt.
    pub(crate) output: Traced<TokensPerRequest>,
    /// Context of a decoding token.
    pub(crate) context: Traced<TokensPerRequest>,
    /// The part of it that layers with a window see.
    pub(crate) windowed: Traced<TokensPerRequest>,
    /// Tokens that a computed token of a prompt attends to.
    pub(crate) keys: Traced<TokensPerRequest>,
    /// The same in layers with a window.
    pub(crate) windowed_keys: Traced<TokensPerRequest>,
    /// Squared coefficient of variation of the prompts' lengths.
    pub(crate) prompts: Traced<f64>,
    /// The same of the answers'.
    pub(crate) answers: Traced<f64>,
}

/// The same in plain numbers of tokens, for what is searched in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct MeanRequest {
    /// See [`Asked`].
    pub(crate) computed: f64,
    /// See [`Asked`].
    pub(crate) output: f64,
    /// See [`Asked`].
    pub(crate) context: f64,
    /// See [`Asked`].
    pub(crate) windowed: f64,
    /// See [`Asked`].
    pub(crate) keys: f64,
    /// See [`Asked`].
    pub(crate) windowed_keys: f64,
}

/// A number of tokens: its mean over requests, and its mean over tokens, E[X^2] / E[X].
struct Moments {
    mean: Traced<TokensPerRequest>,
    of_token: Traced<TokensPerRequest>,
}

/// The same figures of a class.
struct Class {
    share: Traced<Share>,
    input: Moments,
    output: Moments,
    computed: Traced<TokensPerRequest>,
    context: Traced<TokensPerRequest>,
    windowed: Traced<TokensPerRequest>,
    keys: Traced<TokensPerRequest>,
    windowed_keys: Traced<TokensPerRequest>,
}

/// A figure of a class.
type Of = fn(&Class) -> &Traced<TokensPerRequest>;

impl Asked {
    /// That of a service, for layers that see a window of so many tokens, where this share of what
    /// a kind of requests could find in the prefix cache is there.
    pub(crate) fn of(
        demand: &Demand,
        window: Option<u32>,
        there: &dyn Fn(&RequestKind) -> f64,
    ) -> Self {
        let most = demand.model.extents.max_sequence.map(|most| most as f64);
        let class = |kind| Class::of(kind, most, window, there(kind));
        let classes: Vec<_> = demand.kinds.iter().map(class).collect();
        let requests = |of: Of| match &classes[..] {
            [only] => of(only).clone(),
            _ => Traced::total(classes.iter().map(|class| of(class) * &class.share)),
        };
        let tokens = |of: Of, among: Of| {
            if let [only] = &classes[..] {
                return of(only).clone();
            }
            let parts = |class: &Class| among(class) * &class.share;
            let all = Traced::total(classes.iter().map(parts));
            if all.value().value <= 0.0 {
                return all;
            }
            Traced::total(classes.iter().map(|class| parts(class) * of(class))) / all
        };
        let (input, output): (Of, Of) = (|it| &it.input.mean, |it| &it.output.mean);
        let computed: Of = |it| &it.computed;
        let variation = |of_token: Traced<TokensPerRequest>, mean: &Traced<TokensPerRequest>| {
            if mean.value().value <= 0.0 {
                return Traced::constant(0.0);
            }
            ((of_token / mean).number() - 1.0).or_nothing()
        };
        let (input, computed_mean, output_mean) =
            (requests(input), requests(computed), requests(output));
        Self {
            context: tokens(|it| &it.context, output).named("context of a decoding token"),
            windowed: tokens(|it| &it.windowed, output).named("context within the window"),
            keys: tokens(|it| &it.keys, computed).named("keys of a prompt's token"),
            windowed_keys: tokens(|it| &it.windowed_keys, computed).named("keys in the window"),
            prompts: variation(tokens(|it| &it.input.of_token, |it| &it.input.mean), &input)
                .named("squared variation of the prompts"),
            answers: variation(tokens(|it| &it.output.of_token, output), &output_mean)
                .named("squared variation of the answers"),
            input,
            computed: computed_mean,
            output: output_mean,
        }
    }

    /// Decode steps of a request: its first token comes with the prompt.
    pub(crate) fn steps(&self) -> Traced<TokensPerRequest> {
        &self.output - Traced::constant(TokensPerRequest::from_stored(1.0))
    }

    /// In plain numbers.
    pub(crate) fn numbers(&self) -> MeanRequest {
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

impl Class {
    /// The moments of a kind's prompts and answers, cut at the model's longest sequence and at its
    /// window.
    fn of(kind: &RequestKind, most: Option<f64>, window: Option<u32>, there: f64) -> Self {
        let moments = |length: &Option<Length>, what: &str, without: f64| {
            let without = || Traced::constant(TokensPerRequest::from_stored(without));
            length.as_ref().map_or_else(
                || Moments { mean: without(), of_token: without() },
                |length| Moments::of(length, what, most),
            )
        };
        // A class without answers among others is over with its prompt.
        let input = moments(&kind.input, "prompt", 0.0);
        let output = moments(&kind.output, "answer", 1.0);
        let context = &input.mean + &output.of_token / 2.0;
        // Every token that is computed attends to those found and to those before it.
        let found = kind.cached.trace().number();
        let found = if there < 1.0 {
            let how = || {
                let how = "conversations whose cache is not dropped before their next turn";
                ("part of it that is still there".to_owned(), how.to_owned())
            };
            &found * input.mean.beside::<f64>(there, how)
        } else {
            found
        };
        let (computed, keys) = if kind.cached.value.get() > 0.0 {
            (&input.mean * (1.0 - &found), &input.of_token * ((1.0 + &found) / 2.0))
        } else {
            (input.mean.clone(), &input.of_token / 2.0)
        };
        let within = |tokens: &Traced<TokensPerRequest>| match window {
            None => tokens.clone(),
            Some(window) => {
                let window = TokensPerRequest::from_stored(f64::from(window));
                tokens.min(&Traced::constant(window))
            }
        };
        Self {
            share: kind.share.trace(),
            windowed: within(&context),
            windowed_keys: within(&keys),
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
    fn of(length: &Length, what: &str, most: Option<f64>) -> Self {
        let (mean, p95) = (length.mean.trace(), length.p95.trace());
        let z = normal_quantile(0.95);
        let constant = |value: f64| Traced::<f64>::constant(value);
        let ratio = (&p95 / &mean).ln().or_nothing();
        let root = (z * z - 2.0 * &ratio).or_nothing().pow(&constant(0.5));
        let spread = z - &root;
        let of_token = &mean * spread.pow(&constant(2.0)).exp();
        let (first, sigma) = (mean.value().value, spread.value());
        let cut = most.filter(|_| sigma > 1e-6 && first > 0.0).map(|most| {
            let mu = first.ln() - sigma * sigma / 2.0;
            let below = |z: f64| 0.5 * erfc(-z / std::f64::consts::SQRT_2);
            let cut = (most.ln() - mu) / sigma;
            let second = first * of_token.value().value;
            let left =
                |k: f64, whole: f64| below(cut - k * sigma) + most.powf(k) * below(-cut) / whole;
            (most, left(1.0, first), left(2.0, second))
        });
        let Some((most, of_first, of_second)) = cut.filter(|(.., left)| *left <= 0.999) else {
            return Self { mean, of_token };
        };
        let left = |part: f64, of: &str| {
            mean.beside::<f64>(part, || {
                (format!("{of} left by the cut"), format!("of a lognormal cut at {most} tokens"))
            })
        };
        Self {
            of_token: (of_token * left(of_second / of_first, "length"))
                .named(format_args!("length of the {what} of a token")),
            mean: (&mean * left(of_first, "tokens")).named(format_args!("tokens of a {what}")),
        }
    }
}
