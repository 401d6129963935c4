//! Hardware of one's own: what it costs to buy, and what a stretch of device-time pays for it.
//! ```text
//! chips        = price of the accelerator                        x (1 + change)^age, where written off by value
//! servers      = chips x (server / chips - 1)
//! interconnect = (chips + servers) x share / (1 - share)         share of the cluster's cost
//! capex        = chips + servers + interconnect                   USD/device
//! device-time  pays  capex x amortisation + colocation + maintenance,  electricity by the kWh
//! ```
//! The ratios and the rule of amortisation are those of Cottier et al. 2024 (arXiv:2405.21015).
//! Time without work is paid as well, in rows of its own, since hardware that waits loses value all
//! the same; its rows are time with work x (1 / utilisation - 1).

use super::cohorts::ROUNDING;
use super::line::{Entry, Kind, Ledger, Line, Period, Resource, Stage};
use super::years;
use crate::catalog::PurchasePrice;
use crate::ledger::plan::{Amortisation, Owned, trace};
use crate::provenance::{Traced, Unknown, Value};
use crate::quantity::system::time;
use crate::quantity::{DevicePrice, DeviceTime, Devices, Energy, Money, Time, YearlyRate};

/// The price of one device with its share of server and interconnect on the first day of use.
#[derive(Clone, Debug)]
pub struct Capex {
    /// The parts, as [`PARTS`] names them, in USD/device.
    pub parts: [Traced<PurchasePrice>; 3],
    /// Their sum, in USD/device.
    pub total: Traced<PurchasePrice>,
}

/// The parts of a cluster: the accelerators, what else is in their servers, and what connects the
/// servers.
pub const PARTS: [&str; 3] = ["chips", "servers", "interconnect"];

/// The detail of what is received for hardware that goes.
pub const SOLD: &str = "sold at book value";

/// The factor (1 + change)^(time / 1 year) of a value that changes by a rate per year.
fn grown(change: &Traced<YearlyRate>, time: &Traced<Time>) -> Traced<f64> {
    (1.0 + change * years::one()).pow(&(time / years::one()))
}

impl Owned {
    /// The price of one device, with its share of server and interconnect.
    ///
    /// # Errors
    /// If the price of the chip is unknown: the reason, for the rows that rest on it.
    pub fn capex(&self) -> Result<Capex, Unknown> {
        let price = self.chip.as_ref().map_err(Clone::clone)?.trace();
        let chips = match &self.amortisation {
            Amortisation::StraightLine { .. } => price,
            Amortisation::Value { change, age } => price * grown(&change.trace(), &age.trace()),
        };
        let ratio = self.server.trace();
        let servers = &chips * (ratio - 1.0);
        let share = self.interconnect.trace();
        let interconnect = (&chips + &servers) * &share / (1.0 - &share);
        let parts = [chips, servers, interconnect];
        let named = |index: usize| {
            parts[index].clone().named(format_args!("price of a device's {}", PARTS[index]))
        };
        let parts = [named(0), named(1), named(2)];
        let total = (&(&parts[0] + &parts[1]) + &parts[2]).named("capex of a device");
        Ok(Capex { parts, total })
    }

    /// The part of the price that a year of use pays, 1/year.
    ///
    /// Written off in equal parts it is (1 - residual) / service life. Written off by value, a run
    /// pays at the rate at which the value falls on its first day, -ln(1 + change), as Cottier et
    /// al. 2024 do; a year of service pays what the value falls by in that year, -change x (1 +
    /// change)^(year - 1).
    pub fn loss(&self, stage: Stage) -> Traced<YearlyRate> {
        let loss = match (&self.amortisation, stage) {
            (Amortisation::StraightLine { residual }, _) => {
                (1.0 - residual.trace()) / self.life.trace()
            }
            (Amortisation::Value { change, .. }, Stage::Training) => {
                -(1.0 + change.trace() * years::one()).ln() / years::one()
            }
            (Amortisation::Value { change, .. }, Stage::Serving(year)) => {
                let change = change.trace();
                -&change * years::growth(&change, year)
            }
        };
        loss.named("amortisation")
    }

    /// The part of the price that is left after the service life, 0 to 1: as given, or (1 +
    /// change)^life.
    pub fn residual(&self) -> Traced<f64> {
        match &self.amortisation {
            Amortisation::StraightLine { residual } => residual.trace().retype(),
            Amortisation::Value { change, .. } => {
                grown(&change.trace(), &self.life.trace()).named("residual value")
            }
        }
    }

    /// The service life in years, a month at least: a range may reach below what is asked for.
    pub fn years(&self) -> f64 {
        self.life.value.get::<time::year>().max(1.0 / 12.0)
    }

    /// Rent of the contracted power of a device in USD/device-h: power of a device x USD/kW-month.
    pub fn colocation_rate(&self) -> Value<DevicePrice> {
        (&self.colocation.trace() * &trace(&self.power)).named("colocation of a device")
    }

    /// Repairs and support of a device in USD/device-h: capex x share per year.
    pub fn maintenance_rate(&self, capex: &Capex) -> Traced<DevicePrice> {
        (&capex.total * &self.maintenance.trace()).named("maintenance of a device")
    }

    /// The time without work that comes with time with work in a run: time x (1 / utilisation - 1).
    /// `None` where the hardware always has work.
    pub fn idle_beside(&self, time: &Traced<DeviceTime>) -> Option<Traced<DeviceTime>> {
        (self.utilisation.value.get() < 1.0)
            .then(|| time * (1.0 / self.utilisation.trace().number() - 1.0))
    }

    /// Enters what device-time pays: `time` with work, which took `facility` energy, and `idle`
    /// time without, where there is any.
    ///
    /// Rows: electricity (facility energy x price), amortisation by part, colocation and
    /// maintenance of the time with work, and the latter three once more for the time without, as
    /// [`Resource::Unused`]. A price that is unknown makes the rows that rest on it unknown.
    pub fn enter(
        &self,
        money: &mut Ledger<Money>,
        (stage, period): (Stage, Period),
        (time, idle): (&Traced<DeviceTime>, Option<Traced<DeviceTime>>),
        facility: &Value<Energy>,
    ) {
        let entry = |resource, detail, kind| Entry { stage, resource, detail, kind, period };
        let electricity = trace(&self.electricity);
        let row = entry(Resource::Electricity, "", Kind::Opex);
        money.enter(Line::new(row, facility, &electricity));

        let capex = self.capex();
        let known = |rate: &dyn Fn(&Capex) -> Traced<DevicePrice>| {
            Value::from(capex.as_ref().map(rate).map_err(Clone::clone))
        };
        let loss = self.loss(stage);
        let colocation = self.colocation_rate();
        let maintenance = known(&|capex| self.maintenance_rate(capex));
        let mut row = |resource, detail, kind, time: &Traced<DeviceTime>, rate: &Value<_>| {
            let time = Value::Known(time.clone());
            money.enter(Line::new(entry(resource, detail, kind), &time, rate));
        };
        for (index, part) in PARTS.into_iter().enumerate() {
            let rate = known(&|capex| &capex.parts[index] * &loss);
            row(Resource::Hardware, part, Kind::Capex, time, &rate);
        }
        row(Resource::Colocation, "", Kind::Opex, time, &colocation);
        row(Resource::Maintenance, "", Kind::Opex, time, &maintenance);
        if let Some(idle) = idle {
            let idle = idle.named("time without work");
            let hardware = known(&|capex| &capex.total * &loss);
            row(Resource::Unused, "hardware", Kind::Capex, &idle, &hardware);
            row(Resource::Unused, "colocation", Kind::Opex, &idle, &colocation);
            row(Resource::Unused, "maintenance", Kind::Opex, &idle, &maintenance);
        }
    }

    /// The part of the price that is left after so many years of use: the residual value from the
    /// end of the service life on, until then 1 - (1 - residual) x age / life, or (1 + change)^age.
    fn left(&self, age: f64) -> Traced<f64> {
        if age + ROUNDING >= self.years() {
            return self.residual();
        }
        let used = Traced::constant(years::long(age));
        let left = match &self.amortisation {
            Amortisation::StraightLine { residual } => {
                1.0 - (1.0 - residual.trace().number()) * (&used / &self.life.trace()).number()
            }
            Amortisation::Value { change, .. } => grown(&change.trace(), &used),
        };
        left.named("book value / price")
    }

    /// The price of the moment / that of the first day, where it changes; `years` are those between.
    fn price_then(&self, years: f64) -> Option<Traced<f64>> {
        match &self.amortisation {
            Amortisation::Value { change, .. } if years > 0.0 => {
                let growth = grown(&change.trace(), &Traced::constant(years::long(years)));
                Some(growth.named("price then / on the first day"))
            }
            Amortisation::Value { .. } | Amortisation::StraightLine { .. } => None,
        }
    }

    /// Enters the payment for `devices` that are bought `years` after the first day, part by part:
    /// devices x USD/device. The cash flow has it in place of the amortisation.
    pub fn purchase(
        &self,
        money: &mut Ledger<Money>,
        (stage, period): (Stage, Period),
        devices: &Traced<Devices>,
        years: f64,
    ) {
        let capex = self.capex();
        let then = self.price_then(years);
        for (index, detail) in PARTS.into_iter().enumerate() {
            let price = capex.as_ref().map_err(Clone::clone).map(|it| {
                let part = it.parts[index].clone();
                then.iter().fold(part, |price, then| price * then)
            });
            let (devices, price): (_, Value<PurchasePrice>) =
                (Value::Known(devices.clone()), price.into());
            let (resource, kind) = (Resource::Hardware, Kind::Capex);
            let entry = Entry { stage, resource, detail, kind, period };
            money.enter(Line::new(entry, &devices, &price));
        }
    }
    /// Enters what `devices` that were bought `years` after the first day are sold for at that age:
    /// devices x -(price then x part left). There is no row where nothing is left.
    pub fn sale(
        &self,
        money: &mut Ledger<Money>,
        (stage, period): (Stage, Period),
        devices: &Traced<Devices>,
        (years, age): (f64, f64),
    ) {
        let left = self.left(age);
        if left.value() <= 0.0 {
            return;
        }
        let price = self.capex().map(|capex| {
            let then = self.price_then(years);
            let price = then.iter().fold(capex.total, |price, then| price * then);
            (-(price * left)).named("book value of a device, received")
        });
        let (devices, price): (_, Value<PurchasePrice>) =
            (Value::Known(devices.clone()), price.into());
        let (resource, kind) = (Resource::Hardware, Kind::Capex);
        let entry = Entry { stage, resource, detail: SOLD, kind, period };
        money.enter(Line::new(entry, &devices, &price));
    }
}
