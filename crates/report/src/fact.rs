//! Results that are no number with a unit (a layout, a date, a sentence), each declared once: its
//! path in the JSON, its label and its section.

use flopcast_core::estimate::Section;
use serde_json::Value;

/// The declaration of a fact, wherever it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Its path in the JSON.
    pub path: &'static str,
    /// Its label in a table.
    pub label: &'static str,
    /// The section that it stands below; `None` for a fact of the JSON alone.
    pub section: Option<Section>,
}

/// A result that is no number with a unit.
#[derive(Clone, Debug)]
pub struct Fact {
    /// The declaration.
    pub declared: Declared,
    /// Its value.
    pub value: Value,
}

impl Fact {
    /// The value as people read it: lists with semicolons, `yes` and `no`.
    pub fn shown(&self) -> String {
        match &self.value {
            Value::Array(items) => {
                items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; ")
            }
            Value::String(text) => text.clone(),
            Value::Bool(true) => "yes".to_owned(),
            Value::Bool(false) => "no".to_owned(),
            other => other.to_string(),
        }
    }
}

macro_rules! facts {
    ($($name:ident $path:literal $label:literal $section:expr;)*) => {
        $(#[allow(missing_docs)]
        pub const $name: Declared =
            Declared { path: $path, label: $label, section: $section };)*
    };
}

const TRAINING: Option<Section> = Some(Section::Training);
const FOOTPRINT: Option<Section> = Some(Section::Footprint);
const SERVING: Option<Section> = Some(Section::Serving);
const SIMULATED: Option<Section> = Some(Section::Simulated);

facts! {
    LAYOUT "training.parallelism" "layout" TRAINING;
    NETWORK "training.network" "network between nodes" TRAINING;
    SEQUENCES "training.sequences_per_step" "sequences per step" TRAINING;
    FITS "training.fits" "fits the memory" TRAINING;
    RUNNERS_UP "training.runners_up" "runners-up, by step time" TRAINING;
    PREDICTION_ERROR "training.prediction_error" "error of the predicted speed" TRAINING;
    RUN_ERROR "training.run_error" "error of days, cost and carbon" TRAINING;
    FIRST_DAY "training.calendar.start" "first day" TRAINING;
    LAST_DAY "training.calendar.end" "last day" TRAINING;
    MARGIN "training.calendar.margin_days" "days left to the deadline" TRAINING;
    CO2E_BASIS "training.co2e_basis" "basis of CO2e" FOOTPRINT;
    GRID_YEAR "training.grid_year" "year of the grid" FOOTPRINT;
    CO2E_SCOPE "training.co2e_scope" "GHG Protocol" FOOTPRINT;
    PLANNED_START "training.start_window.planned" "planned start" FOOTPRINT;
    BEST_START "training.start_window.best" "cleanest start" FOOTPRINT;
    PROFILE_YEAR "training.start_window.profile_year" "year of the hourly profile" FOOTPRINT;
    SERVING_BASIS "inference.co2e_basis" "basis of CO2e" None;
    SERVING_GRID_YEAR "inference.grid_year" "year of the grid" None;
    SERVING_SCOPE "inference.co2e_scope" "GHG Protocol" None;
    TRAINING_PURCHASE "rent_or_buy.training.answer" "answer" Some(Section::TrainingPurchase);
    SERVICE_PURCHASE "rent_or_buy.inference.answer" "answer" Some(Section::ServicePurchase);
    API "inference.api.answer" "answer" Some(Section::Api);
    RENEWED "inference.refresh.fleet" "renewed" Some(Section::Years);
    ENGINE "inference.engine" "engine" SIMULATED;
    SERVING_ERROR "inference.prediction_error" "error of the predicted speed" SERVING;
    BOTTLENECK "inference.replica.bottleneck" "a higher rate fails because" SIMULATED;
    FLEET "inference.fleet.why" "fleet" SIMULATED;
    LAYOUTS "inference.replica.layouts" "layouts, the cheapest first" SIMULATED;
    OFFERS "inference.replica.offers" "settings left open" SIMULATED;
    AUTOSCALING "inference.fleet.autoscaling" "over a week" SIMULATED;
    REPLICAS_BY_HOUR "inference.fleet.replicas_by_hour" "replicas by hour, Monday 0 h first" None;
}
