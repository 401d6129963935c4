//! What a point of a space is worth: figures of its model, of devices, of a scenario, its quality.

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::quantity::text::parse_in;
use serde_json::{Map, Value as Json};

use crate::aim::Aim;

/// A figure of a point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Figure {
    /// FLOPs of one sample's forward pass, matmul class.
    Flops,
    /// All parameters.
    Parameters,
    /// Weights as compressed, and the largest activations of one sample.
    Memory,
    /// Time of a forward pass of a batch on a device: its number among the space's devices, and its
    /// name.
    Latency(usize, String),
    /// The score, predicted from the user's table or by a law.
    Quality,
    /// A figure of the scenario's forecast.
    Forecast(Aim),
}

impl Figure {
    /// Reads `flops`, `parameters`, `memory`, `latency@l4`, `quality`, or a figure of `estimate` by
    /// its path or short name.
    ///
    /// # Errors
    /// Latency without a device where the space has several or none; no such figure.
    pub fn read(text: &str, devices: &[String]) -> Result<Self> {
        let known = ["flops", "parameters", "memory", "latency", "quality"];
        let (name, device) = text.split_once('@').unwrap_or((text, ""));
        Ok(match name {
            "flops" => Self::Flops,
            "parameters" => Self::Parameters,
            "memory" => Self::Memory,
            "quality" => Self::Quality,
            "latency" => {
                let named = devices.iter().position(|it| it == device);
                let only = (devices.len() == 1 && device.is_empty()).then_some(0);
                let at = named.or(only).ok_or_else(|| {
                    Error::input(format!("`{text}` names no device of the space"))
                        .suggest(device, devices.iter().map(String::as_str))
                        .hint("`devices: [l4, jetson-orin-nano-8gb]`, then latency@l4")
                })?;
                Self::Latency(at, devices[at].clone())
            }
            _ => {
                let aim = Aim::read(text);
                if aim.unit().is_none() {
                    return Err(Error::input(format!("there is no figure `{text}`"))
                        .suggest(name, known)
                        .hint(format!("{}, or one of `flopcast explain FILE`", known.join(", "))));
                }
                Self::Forecast(aim)
            }
        })
    }

    /// Its key in JSON and CSV.
    pub fn key(&self) -> String {
        match self {
            Self::Flops => "flops".to_owned(),
            Self::Parameters => "parameters".to_owned(),
            Self::Memory => "memory_gb".to_owned(),
            Self::Latency(_, device) => format!("latency_ms@{device}"),
            Self::Quality => "quality".to_owned(),
            Self::Forecast(aim) => aim.key.clone(),
        }
    }

    /// The unit of its value.
    pub fn unit(&self) -> &'static str {
        match self {
            Self::Flops => "FLOP",
            Self::Parameters | Self::Quality => "",
            Self::Memory => "GB",
            Self::Latency(..) => "ms",
            Self::Forecast(aim) => aim.unit().unwrap_or_default(),
        }
    }

    /// True if it needs the scenario's forecast.
    pub fn is_forecast(&self) -> bool {
        matches!(self, Self::Forecast(_))
    }
}

/// A figure to be as low or as high as possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objective {
    /// The figure.
    pub figure: Figure,
    /// True if more is better.
    pub most: bool,
}

impl Objective {
    /// Reads `flops`, `latency@l4`, `max:training.mfu`. Quality is as high as possible unless it is
    /// a loss.
    ///
    /// # Errors
    /// As [`Figure::read`].
    pub fn read(text: &str, devices: &[String], loss: bool) -> Result<Self> {
        let (most, name) = match text.split_once(':') {
            Some(("max", name)) => (Some(true), name),
            Some(("min", name)) => (Some(false), name),
            _ => (None, text),
        };
        let figure = Figure::read(name.trim(), devices)?;
        let most = most.unwrap_or(figure == Figure::Quality && !loss);
        Ok(Self { figure, most })
    }

    /// The value as a rank, the less the better.
    pub fn rank(&self, value: f64) -> f64 {
        if self.most { -value } else { value }
    }
}

/// A bound of a figure, in its unit.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// The figure.
    pub figure: Figure,
    /// The bound.
    pub bound: f64,
    /// True if the figure must be at least that, not at most.
    pub least: bool,
}

impl Limit {
    /// Reads `5 GFLOP`, `<= 20 ms`, `>= 0.3`; a bare number is in the unit of the figure. Quality
    /// that is no loss is at least its bound.
    fn read(figure: Figure, text: &str, loss: bool) -> Result<Self> {
        let (least, text) = match (text.strip_prefix(">="), text.strip_prefix("<=")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => (figure == Figure::Quality && !loss, text),
        };
        let wrong = |message: String| Error::input(message).within(&figure.key());
        let bound =
            parse_in(text.trim(), figure.unit()).map_err(|error| wrong(error.to_string()))?;
        if !bound.is_finite() || bound < 0.0 {
            return Err(wrong(format!("{text} is no limit that can be kept")));
        }
        Ok(Self { figure, bound, least })
    }

    /// Reads `{flops: 5 GFLOP, latency: {l4: 2 ms, h100-sxm: 1 ms}}`.
    ///
    /// # Errors
    /// An unknown figure or device, a bound that is no quantity of its unit.
    pub fn all(map: &Map<String, Json>, devices: &[String], loss: bool) -> Result<Vec<Self>> {
        let text = |json: &Json| match json {
            Json::String(text) => Ok(text.clone()),
            Json::Number(number) => Ok(number.to_string()),
            other => Err(Error::input(format!("{other} is no limit"))),
        };
        let mut limits = Vec::new();
        for (key, json) in map {
            match json {
                Json::Object(several) if key == "latency" => {
                    for (device, json) in several {
                        let figure = Figure::read(&format!("latency@{device}"), devices)?;
                        limits.push(Self::read(figure, &text(json)?, loss)?);
                    }
                }
                json => {
                    let figure = Figure::read(key, devices)?;
                    limits.push(Self::read(figure, &text(json)?, loss)?);
                }
            }
        }
        Ok(limits)
    }

    /// By what part of it a value is over the limit; negative within it.
    pub fn over(&self, value: f64) -> f64 {
        let over = (value - self.bound) / self.bound.abs().max(1e-300);
        if self.least { -over } else { over }
    }

    /// The value that is over it by a part.
    pub fn value(&self, over: f64) -> f64 {
        self.bound * if self.least { 1.0 - over } else { 1.0 + over }
    }
}
