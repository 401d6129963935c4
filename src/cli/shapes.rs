//! `flopcast optimize --shapes`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use flopcast_api::Asked;
use flopcast_core::diagnostic::{Kind, Result};
use flopcast_core::model::roofline::Device;
use flopcast_core::quantity::Precision;
use flopcast_report::subject::shapes;
use flopcast_study::shapes::{Limit, Question, Table, Take};

use super::input::document;
use super::{Global, architecture, load};

/// Shapes of the model instead of places for its run.
#[derive(Args, Debug)]
#[command(next_help_heading = "The shapes of a model")]
pub(super) struct Shapes {
    /// Which shapes of the model fit: a table of keys of the model (layers, hidden, heads, ffn,
    /// `image_size`...) and `accuracy`, one row per shape.
    #[arg(long = "shapes", id = "shapes", value_name = "FILE.csv", conflicts_with = "size")]
    scores: Option<PathBuf>,
    /// No more FLOPs of one forward pass, matmul class: `5 GFLOP`.
    #[arg(long, value_name = "FLOP", requires = "shapes")]
    max_flops: Option<String>,
    /// No more parameters: `30M`.
    #[arg(long, value_name = "N", requires = "shapes")]
    max_params: Option<String>,
    /// No more memory for weights and the largest activations: `100 MB`; a bare number is in GB.
    #[arg(long, value_name = "DATA", requires = "shapes")]
    max_memory: Option<String>,
    /// No slower at best than this, on the device of --on: `5 ms`; a bare number is in ms.
    #[arg(long, value_name = "TIME", requires = "on")]
    max_latency: Option<String>,
    /// The device whose roofline bounds the latency.
    #[arg(long, value_name = "ACCELERATOR", requires = "shapes")]
    on: Option<String>,
}

impl Shapes {
    /// The table that is asked about, if one is.
    pub(super) fn asked(&self) -> Option<&Path> {
        self.scores.as_deref()
    }

    /// Counts the shapes of the scenario's model.
    pub(super) fn run(&self, scores: &Path, scenario: &Path, global: &Global) -> Result<ExitCode> {
        let name = scores.display().to_string();
        let scores = Table::read(&name, &architecture::text(scores)?)?;
        let document = document(scenario, global)?;
        let Asked { document, file, .. } = load::typed(document)?;
        let serving = file.inference.as_ref().map(|service| service.precision.value);
        let training = file.training.as_ref().map(|training| training.precision.value);
        let precision = serving.or(training).unwrap_or(Precision::Bf16);
        let catalog = load::catalog(global)?;
        let device = |name: &String| Device::of(catalog.accelerator(name)?, precision);
        let device = self.on.as_ref().map(device).transpose()?;
        let bounds = [&self.max_flops, &self.max_params, &self.max_memory, &self.max_latency];
        let limits = Take::ALL.into_iter().zip(bounds);
        let limits: Vec<Limit> = limits
            .filter_map(|(take, bound)| Some(Limit::read(take, bound.as_deref()?)))
            .collect::<Result<_>>()?;
        let files = load::Beside::new(scenario, global)?;
        let question =
            Question { document: &document, files: &files, precision, device, limits: &limits };
        let shapes = question.answer(&scores).map_err(|error| error.within(&name))?;
        global.print(&shapes::Shapes { table: &scores, limits: &limits, shapes: &shapes })?;
        let none = shapes.iter().all(|shape| !shape.over.is_empty());
        Ok(if none { ExitCode::from(Kind::Limit as u8) } else { ExitCode::SUCCESS })
    }
}
