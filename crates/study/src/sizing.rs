//! The size of a model and of its data that a compute budget trains best, by published scaling
//! laws.
//!
//! Training computes C = 6ND FLOP for N parameters and D tokens. A law of the form
//! L(N, D) = E + A / N^alpha + B / D^beta (Hoffmann et al. 2022, arXiv:2203.15556, eq. 2) has its
//! least loss for a given C at N = G (C / 6)^a, with a = beta / (alpha + beta) and
//! G = (alpha A / (beta B))^(1 / (alpha + beta)) (eq. 4). Approaches 1 and 2 of that paper fit
//! N = `N_0` (C / `C_0`)^a alone, and predict no loss. A law sees size, not shape.

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::quantity::{Flop, Measure, Tokens};
use serde::Deserialize;

/// The laws that are shipped.
const LAWS: &str = flopcast_data::models::SCALING_LAWS;

/// A published law.
#[derive(Clone, Debug)]
pub struct Law {
    /// Its short name.
    pub id: String,
    /// The authors of the fit.
    pub name: String,
    /// The publication, by its id in `sources.csv`.
    pub source: String,
    /// The place of its constants in it.
    pub reference: String,
    form: Form,
}

#[derive(Clone, Copy, Debug)]
enum Form {
    /// The optimum alone: exponent, and one point of the line.
    Line { exponent: f64, flop: f64, parameters: f64 },
    /// The loss of any size.
    Loss(Loss),
}

#[derive(Clone, Copy, Debug)]
struct Loss {
    e: f64,
    a: f64,
    alpha: f64,
    b: f64,
    beta: f64,
}

/// A size and what it takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Size {
    /// Parameters.
    pub parameters: f64,
    /// Tokens that it is trained on.
    pub tokens: Tokens,
    /// The predicted loss in nats per token; none by a law of the optimum alone.
    pub loss: Option<f64>,
    /// FLOPs of training: 6ND.
    pub training: Flop,
    /// FLOPs of answering: 2N per token.
    pub inference: Flop,
}

#[derive(Deserialize)]
struct Row {
    id: String,
    name: String,
    exponent: Option<f64>,
    flop: Option<f64>,
    parameters: Option<f64>,
    #[serde(rename = "E")]
    e: Option<f64>,
    #[serde(rename = "A")]
    a: Option<f64>,
    alpha: Option<f64>,
    #[serde(rename = "B")]
    b: Option<f64>,
    beta: Option<f64>,
    source: String,
    reference: String,
}

impl Law {
    /// The shipped laws.
    ///
    /// # Errors
    /// None for the embedded table.
    pub fn shipped() -> Result<Vec<Self>> {
        let wrong = |error: &csv::Error| Error::input(format!("scaling-laws.csv: {error}"));
        csv::Reader::from_reader(LAWS.as_bytes())
            .deserialize::<Row>()
            .map(|row| Self::of(row.map_err(|error| wrong(&error))?))
            .collect()
    }

    /// The law of a row of the table.
    ///
    /// # Errors
    /// If the row has the constants of neither form.
    fn of(row: Row) -> Result<Self> {
        let line = || {
            let (exponent, flop, parameters) = (row.exponent?, row.flop?, row.parameters?);
            Some(Form::Line { exponent, flop, parameters })
        };
        let loss = || {
            let (alpha, beta) = (row.alpha?, row.beta?);
            Some(Form::Loss(Loss { e: row.e?, a: row.a?, alpha, b: row.b?, beta }))
        };
        let form = line().or_else(loss);
        let form = form.ok_or_else(|| Error::input(format!("the law {} is not whole", row.id)))?;
        Ok(Self { id: row.id, name: row.name, source: row.source, reference: row.reference, form })
    }

    /// The size of the least loss that a budget trains.
    pub fn optimum(&self, budget: Flop) -> Size {
        let compute = budget.stored();
        let parameters = match self.form {
            Form::Line { exponent, flop, parameters } => {
                parameters * (compute / flop).powf(exponent)
            }
            Form::Loss(Loss { a, alpha, b, beta, .. }) => {
                let scale = (alpha * a / (beta * b)).powf(1.0 / (alpha + beta));
                scale * (compute / 6.0).powf(beta / (alpha + beta))
            }
        };
        self.size(parameters, compute / (6.0 * parameters), 0.0)
    }

    /// The size of the same loss as `optimum` that takes the fewest FLOPs over training and
    /// `served` tokens of use: smaller, and trained on more (Sardana et al. 2023,
    /// arXiv:2401.00448, eq. 2). None by a law that predicts no loss.
    pub fn for_use(&self, optimum: &Size, served: Tokens) -> Option<Size> {
        let Form::Loss(law) = self.form else { return None };
        let target = law.at(optimum.parameters, optimum.tokens.stored());
        // Below this no number of tokens reaches the loss.
        let least = (law.a / (target - law.e)).powf(1.0 / law.alpha);
        let all = |parameters: f64| {
            law.tokens(parameters, target) * 6.0 * parameters + 2.0 * parameters * served.stored()
        };
        // One minimum between the least size and the optimum: golden section over ln N.
        let (mut low, mut high) = ((least * (1.0 + 1e-9)).ln(), optimum.parameters.ln());
        let ratio = (5.0_f64.sqrt() - 1.0) / 2.0;
        for _ in 0..200 {
            let (a, b) = (high - ratio * (high - low), low + ratio * (high - low));
            if all(a.exp()) < all(b.exp()) { high = b } else { low = a }
        }
        let parameters = f64::midpoint(low, high).exp();
        Some(self.size(parameters, law.tokens(parameters, target), served.stored()))
    }

    /// The loss of a model of so many parameters trained on so many tokens, in nats per token; none
    /// by a law of the optimum alone.
    pub fn loss(&self, parameters: f64, tokens: Tokens) -> Option<f64> {
        let Form::Loss(law) = self.form else { return None };
        Some(law.at(parameters, tokens.stored()))
    }

    /// A size with the loss that the law gives it.
    fn size(&self, parameters: f64, tokens: f64, served: f64) -> Size {
        Size {
            parameters,
            tokens: Tokens::from_stored(tokens),
            loss: match self.form {
                Form::Line { .. } => None,
                Form::Loss(law) => Some(law.at(parameters, tokens)),
            },
            training: Flop::from_stored(6.0 * parameters * tokens),
            inference: Flop::from_stored(2.0 * parameters * served),
        }
    }
}

impl Size {
    /// Tokens of training per parameter.
    pub fn tokens_per_parameter(&self) -> f64 {
        self.tokens.stored() / self.parameters
    }
}

impl Loss {
    /// The loss E + A / N^alpha + B / D^beta (Hoffmann et al. 2022, arXiv:2203.15556).
    fn at(&self, parameters: f64, tokens: f64) -> f64 {
        self.e + self.a / parameters.powf(self.alpha) + self.b / tokens.powf(self.beta)
    }

    /// Tokens that bring a size to a loss.
    fn tokens(&self, parameters: f64, loss: f64) -> f64 {
        let rest = loss - self.e - self.a / parameters.powf(self.alpha);
        (self.b / rest.max(0.0)).powf(1.0 / self.beta)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn optimum(id: &str, budget: f64) -> Size {
        let laws = Law::shipped().unwrap();
        let law = laws.iter().find(|law| law.id == id).unwrap();
        law.optimum(Flop::from_stored(budget))
    }

    /// Hoffmann et al. 2022, tables 3 and A3: FLOPs -> parameters, tokens.
    #[test]
    fn the_published_projections() {
        let cases = [
            ("hoffmann-1", 1.92e19, 400e6, 8.0e9),
            ("hoffmann-1", 1.23e22, 10e9, 205.1e9),
            ("hoffmann-1", 3.85e24, 175e9, 3.7e12),
            ("hoffmann-2", 1.32e22, 10e9, 219.5e9),
            ("hoffmann-2", 4.54e24, 175e9, 4.3e12),
            ("hoffmann-3", 2.46e22, 10e9, 410.1e9),
            ("hoffmann-3", 1.71e24, 67e9, 4.1e12),
            ("hoffmann-3", 3.52e25, 280e9, 20.1e12),
        ];
        for (law, budget, parameters, tokens) in cases {
            let size = optimum(law, budget);
            let error = size.parameters / parameters - 1.0;
            assert!(error.abs() < 0.08, "{law} at {budget:e}: {error:+.3}");
            // The rows of the tables themselves miss C = 6ND by up to 4 %.
            let error = size.tokens.stored() / tokens - 1.0;
            assert!(error.abs() < 0.12, "{law} at {budget:e}: {error:+.3}");
        }
    }

    /// GPT-3's budget: between approach 3 (30 B) and the corrected fit (53 B); each spends it all.
    #[test]
    fn gpt3s_budget_would_have_trained_a_smaller_model_on_more() {
        for law in Law::shipped().unwrap() {
            let size = law.optimum(Flop::from_stored(3.14e23));
            assert!((29e9..54e9).contains(&size.parameters), "{}: {size:?}", law.id);
            assert!((0.95e12..1.85e12).contains(&size.tokens.stored()), "{}: {size:?}", law.id);
            assert!((size.training.stored() / 3.14e23 - 1.0).abs() < 1e-9);
        }
        // About 20 tokens per parameter by the corrected fit, as Chinchilla was trained.
        let ratio = optimum("besiroglu", 5.76e23).tokens_per_parameter();
        assert!((15.0..25.0).contains(&ratio), "{ratio}");
    }

    #[test]
    fn no_other_split_of_the_budget_has_a_lower_loss() {
        for law in Law::shipped().unwrap() {
            let Form::Loss(form) = law.form else { continue };
            let best = law.optimum(Flop::from_stored(1e24));
            for factor in [0.5, 0.9, 0.99, 1.01, 1.1, 2.0] {
                let parameters = best.parameters * factor;
                let other = form.at(parameters, 1e24 / (6.0 * parameters));
                assert!(other > best.loss.unwrap(), "{} x {factor}", law.id);
            }
        }
    }

    /// The more it is used, the smaller and the longer trained; the loss stays (Sardana et al.).
    #[test]
    fn use_makes_models_smaller() {
        for law in Law::shipped().unwrap() {
            let best = law.optimum(Flop::from_stored(1e23));
            let mut last = best.parameters;
            for served in [1e10, 1e12, 1e14] {
                let Some(size) = law.for_use(&best, Tokens::from_stored(served)) else { continue };
                assert!(
                    size.parameters < last && size.tokens > best.tokens,
                    "{}: {size:?}",
                    law.id
                );
                assert!((size.loss.unwrap() - best.loss.unwrap()).abs() < 1e-9);
                let all = (size.training + size.inference).stored();
                let plain = best.training.stored() + 2.0 * best.parameters * served;
                assert!(all <= plain * (1.0 + 1e-12));
                last = size.parameters;
            }
        }
    }
}
