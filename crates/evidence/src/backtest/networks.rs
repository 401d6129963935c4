//! Speeds of networks that take a whole sample at once (images, sequences of encoders), in
//! inference and in training, as evidence for the constants of operators.

use flopcast_core::catalog::{Catalog, Links};
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::kernel::Device;
use flopcast_core::kernel::calibration::{Calibration, Documented, Runtime};
use flopcast_core::kernel::network::{Fleet, Known, Setup, Task, Work, half_width};
use flopcast_core::model::{AttentionCount, Input, spec};
use flopcast_core::quantity::{Devices, Measure as _, Precision};

use super::fit::{Evidence, Method, Start};
use super::score::Scored;
use super::table::Row;

/// The figure: samples per second of all devices.
pub const SPEED: &str = "images_per_s";

/// One row of a table of networks, resolved.
#[derive(Clone, Debug)]
pub struct Network {
    id: String,
    /// The preset's name, up to what is no letter: `resnet`.
    family: String,
    /// FLOPs of a sample.
    flops: f64,
    work: Work,
    name: String,
    task: Task,
    device: Device,
    devices: f64,
    fleet: Fleet,
    runtime: Runtime,
    /// Samples that one device takes at once.
    batch: f64,
    measured: f64,
}

impl Network {
    /// Reads a row in the columns of `docs/backtest.md`.
    ///
    /// # Errors
    /// If something is missing or unknown: the row cannot be scored.
    pub fn read(row: Row<'_>, catalog: &Catalog, calibration: &Calibration) -> Result<Self> {
        let text = |column: &str| row.text(column).ok_or_else(|| row.error(column, "empty"));
        let name = row.text("flopcast_model").map_or_else(|| text("model"), Ok)?;
        let whole = |column: &str| -> Result<Option<u64>> {
            row.number(column)?.map(|_| row.count(column)).transpose()
        };
        let input = Input {
            image_size: whole("image_size")?,
            sequence: whole("seq_len")?,
            ..Input::default()
        };
        let words = text("precision")?;
        // `amp (fp16)`: the format is one of the words.
        let precision = words
            .split(|c: char| !c.is_ascii_alphanumeric())
            .find_map(|word| {
                Precision::ALL.into_iter().find(|it| it.name().eq_ignore_ascii_case(word))
            })
            .ok_or_else(|| row.error("precision", &format!("`{words}` names no format")))?;
        let accelerator = row.text("hardware").map_or_else(|| text("accelerator"), Ok)?;
        let devices = row.count_or("n_devices", 1)? as f64;
        let task = match text("task")? {
            "infer" | "inference" => Task::Inference,
            "train" | "training" => Task::Training,
            other => return Err(row.error("task", &format!("`{other}` is neither"))),
        };
        let model = spec::from_preset(name, &input)?;
        let accelerator = catalog.accelerator(accelerator)?;
        let mut flops = model.forward(AttentionCount::Causal).matmul.value;
        if task == Task::Training {
            flops += model.backward(AttentionCount::Causal).matmul.value;
        }
        Ok(Self {
            id: row.id(),
            family: name
                .split(|c: char| !c.is_ascii_alphabetic())
                .next()
                .unwrap_or(name)
                .to_owned(),
            flops,
            work: Work::of(&model, precision.size(), task),
            name: name.to_owned(),
            task,
            device: Device::of(accelerator, precision)?,
            devices,
            fleet: Fleet::new(Devices::from_stored(devices), &Links::of(accelerator)),
            runtime: calibration.runtime(row.text("framework").unwrap_or_default()),
            batch: (row.required("batch")? / devices).max(1.0),
            measured: row.required(SPEED)?,
        })
    }

    /// The device with the constants of its runtime.
    fn setup(&self, calibration: &Calibration) -> Result<Setup> {
        Setup::new(&self.device, self.runtime, calibration)
    }

    /// Samples per second of all devices.
    fn speed(&self, setup: &Setup) -> f64 {
        let time = match self.task {
            Task::Inference => setup.cost(&self.work, &self.device).time(self.batch),
            Task::Training => setup.step(&self.work, &self.device, self.batch, &self.fleet).total,
        };
        self.devices * self.batch / time.value
    }

    /// The speed beside its prediction.
    ///
    /// # Errors
    /// The calibration lacks a constant.
    pub fn scored(&self, calibration: &Calibration) -> Result<Scored> {
        let setup = self.setup(calibration)?;
        let predicted = self.speed(&setup);
        let width = half_width(&calibration.intervals, self.task, setup.known).0.exp();
        Ok(Scored {
            id: self.id.clone(),
            figure: SPEED,
            measured: self.measured,
            predicted,
            interval: (predicted / width, predicted * width),
            groups: vec![
                ("kind", task(self.task).to_owned()),
                ("accelerator", self.device.name.clone()),
                ("engine", setup.runtime().name().to_owned()),
                ("model", self.family.clone()),
                (
                    "constants",
                    if setup.known == Known::Measured { "own" } else { "inherited" }.into(),
                ),
            ],
        })
    }
}

/// The task in a word.
fn task(task: Task) -> &'static str {
    match task {
        Task::Inference => "inference",
        Task::Training => "training",
    }
}

/// Standard deviation of ln(predicted / measured) that a good row is expected to have.
const NOISE: f64 = 0.12;

impl Evidence for Network {
    type Facts = Documented;
    type Setup = Setup;
    const METHOD: Method = Method { step: 1e-4, gain: 1e-5, start: Start::Priors, families: 4 };

    fn usable(&self, _: &Calibration) -> bool {
        true
    }

    fn family(&self) -> String {
        self.family.clone()
    }

    /// Devices are left out one by one, as publishers are of other tables.
    fn publisher(&self) -> Option<&str> {
        Some(&self.device.name)
    }

    fn alike(&self) -> String {
        format!("{} {} {}", self.name, self.device.name, task(self.task))
    }

    fn figures(&self) -> usize {
        1
    }

    fn setups(rows: &[&Self], calibration: &Calibration) -> Result<Vec<Setup>> {
        rows.iter().map(|row| row.setup(calibration)).collect()
    }

    fn errors(&self, setup: &Setup) -> Vec<f64> {
        vec![(self.speed(setup) / self.measured).ln() / NOISE]
    }

    fn score(&self, calibration: &Calibration) -> Result<Vec<Scored>> {
        self.scored(calibration).map(|scored| vec![scored])
    }

    /// 40 % of the peak.
    fn rule_of_thumb(&self) -> Option<Scored> {
        let predicted = self.devices * 0.4 * self.device.peak.value / self.flops;
        Some(Scored {
            id: self.id.clone(),
            figure: SPEED,
            measured: self.measured,
            predicted,
            interval: (predicted, predicted),
            groups: vec![("kind", task(self.task).to_owned())],
        })
    }

    fn tested(row: &Scored, seen: bool) -> Option<&str> {
        // The interval of a network is that of families that the fit has not seen.
        row.group("kind").filter(|_| seen)
    }

    fn half_width(calibration: &Calibration, row: &Scored, seen: bool) -> f64 {
        let task =
            if row.group("kind") == Some("training") { Task::Training } else { Task::Inference };
        let known = if seen { Known::Measured } else { Known::Kin };
        half_width(&calibration.intervals, task, known).0
    }
}

/// The rows of a table that can be predicted, and the reasons of the others.
pub fn networks(
    table: &super::table::Table,
    catalog: &Catalog,
    calibration: &Calibration,
) -> (Vec<Network>, Vec<(String, String)>) {
    let (mut read, mut skipped) = (Vec::new(), Vec::new());
    for row in table.rows() {
        match Network::read(row, catalog, calibration) {
            Ok(network) => read.push(network),
            Err(error) => skipped.push((row.id(), Error::message(&error).to_owned())),
        }
    }
    (read, skipped)
}
