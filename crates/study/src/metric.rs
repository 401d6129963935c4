//! Scores of models by name, as a table brings them.

use flopcast_core::diagnostic::{Error, Result};
use serde::Deserialize;

/// The image networks of `models/` and their ImageNet-1K accuracy.
const TORCHVISION: &str = flopcast_data::models::TORCHVISION;

/// A table of scores.
#[derive(Clone, Debug)]
pub struct Metric {
    /// The score: the name of its column.
    pub name: String,
    /// The scores, in the order of the table; one per model.
    pub scores: Vec<Score>,
}

/// The score of one model.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// The model, as the command line names it.
    pub model: String,
    /// Its score.
    pub score: f64,
    /// Height and width of the images that it was measured on, where the table says.
    pub image_size: Option<u64>,
}

/// A row of the table: a model and its score.
#[derive(Deserialize)]
struct Row {
    model: String,
    #[serde(alias = "top1")]
    score: f64,
    image_size: Option<u64>,
    weights: Option<String>,
}

impl Metric {
    /// Top-1 accuracy of torchvision's published weights: of a model's several the best that were
    /// trained on ImageNet-1K alone, where there are such.
    ///
    /// # Errors
    /// None for the embedded table.
    pub fn torchvision() -> Result<Self> {
        Self::read("torchvision", TORCHVISION)
    }

    /// Reads a table with the columns `model` and `score` (or `top1`), perhaps `image_size` and
    /// `weights`.
    ///
    /// # Errors
    /// A missing column, a score that is no number, no scores.
    pub fn read(name: &str, text: &str) -> Result<Self> {
        let mut reader =
            csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
        let wrong = |error: &csv::Error| {
            Error::input(error.to_string())
                .within(name)
                .hint("a header `model,score`, then one row per model")
        };
        let header = reader.headers().map_err(|error| wrong(&error))?;
        let column = header.iter().find(|column| matches!(*column, "score" | "top1"));
        let column = column.unwrap_or("score").to_owned();
        let mut scores: Vec<(Score, bool)> = Vec::new();
        for row in reader.deserialize::<Row>() {
            let row = row.map_err(|error| wrong(&error))?;
            if !row.score.is_finite() {
                // Listed without a score, as torchvision's weights without a classifier are.
                continue;
            }
            let plain = row.weights.is_none_or(|weights| !weights.contains("SWAG"));
            let score = Score { model: row.model, score: row.score, image_size: row.image_size };
            match scores.iter_mut().find(|(known, _)| known.model == score.model) {
                Some(known) if (plain, score.score) > (known.1, known.0.score) => {
                    *known = (score, plain);
                }
                Some(_) => {}
                None => scores.push((score, plain)),
            }
        }
        if scores.is_empty() {
            return Err(Error::input(format!("{name} holds no scores")));
        }
        Ok(Self { name: column, scores: scores.into_iter().map(|(score, _)| score).collect() })
    }

    /// The score of a model.
    ///
    /// # Errors
    /// A model that the table does not have, with the nearest ones.
    pub fn of(&self, model: &str) -> Result<&Score> {
        self.scores.iter().find(|score| score.model == model).ok_or_else(|| {
            Error::input(format!("there is no score of `{model}`"))
                .suggest(model, self.scores.iter().map(|score| score.model.as_str()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn torchvision_has_its_best_plain_weights() {
        let metric = Metric::torchvision().unwrap();
        let cases = [
            ("vit_b_16", 81.072, 224),
            ("convnext_tiny", 82.52, 224),
            ("efficientnet_b1", 79.838, 240),
            ("regnet_y_16gf", 82.886, 224),
            ("vit_h_14", 88.552, 518),
        ];
        for (model, score, size) in cases {
            let known = metric.of(model).unwrap();
            assert!((known.score - score).abs() < 1e-9, "{model}");
            assert_eq!(known.image_size, Some(size), "{model}");
        }
    }

    #[test]
    fn tables_that_make_no_sense() {
        let cases = [
            ("model,points\na,1\n", "score"),
            ("model,score\na,many\n", "model,score"),
            ("model,score\na,nan\n", "no scores"),
            ("model,score\n", "no scores"),
            ("", "no scores"),
        ];
        for (text, expected) in cases {
            let error = Metric::read("m.csv", text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }
}
