//! Rents: the prices that a provider charges for devices, and how a price becomes a rent that can
//! be charged.
//!
//! A row becomes a rent by its basis, per instance or per device:
//!
//! - instance: the price as it is, for all devices of the instance;
//! - accelerator-only: price + devices x price of the host row, or no rent if that price is
//!   unknown;
//! - per-device and index: price / devices;
//! - host-only: no rent of its own.

use std::sync::Arc;

use super::source::{Citation, Sourced, Span};
use super::table::{Cells, Layer, Row};
use crate::diagnostic::Result;
use crate::quantity::{Data, DevicePrice, InstancePrice, Measure};

/// One price of a provider: a row of `pricing/prices.csv`. Its cells are USD per hour for all the
/// devices of the row.
#[derive(Clone, Debug)]
pub struct Price {
    /// The provider that rents it out.
    pub provider: String,
    /// The provider's region; `*` if the provider quotes none.
    pub region: String,
    /// The provider's name of the product.
    pub sku: String,
    /// The device's id in the hardware table; empty for devices that are not in it, and for hosts.
    pub accelerator: String,
    /// The device as the source names it.
    pub product: String,
    /// The number of devices that the price is for; none for a host.
    pub devices: Option<u64>,
    /// Virtual cores of the instance.
    pub vcpus: Option<u64>,
    /// Main memory of the instance; the cell is in GiB.
    pub memory: Option<Data>,
    /// The thing that the price is for.
    pub basis: PriceBasis,
    /// The host product that goes with an accelerator-only price, one per device.
    pub host_sku: String,
    /// The way in which the price was obtained.
    pub quality: Quality,
    /// The archived price page, where one is known.
    pub reference: String,
    /// A warning to read before relying on the price.
    pub note: String,
    /// The publications and date that it comes from.
    pub citation: Arc<Citation>,
    /// USD per hour by way of buying, in the order of [`Purchase::ALL`]; `None` where the row has
    /// no such price.
    usd_per_hour: [Option<f64>; Purchase::ALL.len()],
    /// The layer that the row stands in: a price of the user's own comes before any other.
    pub(super) layer: Layer,
}

/// The thing that a price is for, in the order of preference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PriceBasis {
    /// A whole instance with its devices, host, electricity and cooling.
    Instance,
    /// The devices of an instance without its host, which is billed apart.
    AcceleratorOnly,
    /// One device with its share of the instance.
    PerDevice,
    /// An indicative figure of a price index.
    Index,
    /// A host without devices.
    HostOnly,
}

/// The terms on which a device is rented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purchase {
    /// By the hour, without commitment.
    OnDemand,
    /// Interruptible.
    Spot,
    /// Committed for a year.
    Reserved1y,
    /// Committed for three years.
    Reserved3y,
    /// Committed to a spend by the hour for a year, without a claim to devices.
    SavingsPlan1y,
    /// The same for three years.
    SavingsPlan3y,
    /// A block of days that is booked ahead and paid at once.
    CapacityBlock,
    /// Queued until devices are free, for a few days at most.
    FlexStart,
}

/// The way in which a price was obtained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quality {
    /// Read in the source as it is.
    Read,
    /// Computed from rows of the source.
    Derived,
    /// Read, but the source does not name the region.
    RegionAssumed,
    /// Indicative only.
    Indicative,
    /// From the user's own price book.
    Own,
}

/// The rent of a device on given terms, ready to be charged.
#[derive(Clone, Debug)]
pub struct Rental {
    /// The provider that rents it out.
    pub provider: String,
    /// The region whose price this is: the one asked for, or `*` if it serves any region.
    pub region: String,
    /// The provider's name of the product.
    pub sku: String,
    /// The id of the device.
    pub accelerator: String,
    /// The terms of the rent.
    pub purchase: Purchase,
    /// The kind of price that this rent is made from.
    pub basis: PriceBasis,
    /// The price, host included.
    pub charge: Charge,
    /// The two prices that it is the sum of, if the host is billed apart: devices and host.
    pub apart: Option<[Charge; 2]>,
    /// The way in which the price was obtained.
    pub quality: Quality,
    /// A warning to read before relying on the price.
    pub note: String,
}

/// A rent per instance or per device.
#[derive(Clone, Debug, PartialEq)]
pub enum Charge {
    /// Whole instances are sold.
    Instance {
        /// Rent of one instance.
        price: Sourced<InstancePrice>,
        /// Devices in one instance.
        devices: u64,
    },
    /// Any number of devices is sold.
    Device(Sourced<DevicePrice>),
}

impl Rental {
    /// The publications and date that the price comes from.
    pub fn citation(&self) -> &Arc<Citation> {
        match &self.charge {
            Charge::Instance { price, .. } => &price.citation,
            Charge::Device(price) => &price.citation,
        }
    }

    /// True if the price is one for any region.
    pub fn is_for_any_region(&self) -> bool {
        self.region == "*"
    }

    /// True if `devices` that must share an instance fit in one.
    pub fn holds(&self, devices: u64) -> bool {
        match self.charge {
            Charge::Instance { devices: held, .. } => devices <= held,
            Charge::Device(_) => true,
        }
    }

    /// Rent of one device in a full instance: price / devices.
    pub fn per_device(&self) -> DevicePrice {
        match &self.charge {
            Charge::Instance { price, devices } => {
                DevicePrice::from_stored(price.value.stored() / *devices as f64)
            }
            Charge::Device(price) => price.value,
        }
    }

    /// The same rent of the slices that so many of fill a device.
    #[must_use]
    pub fn sliced(self, slices: u64) -> Self {
        let of = |charge: Charge| match charge {
            Charge::Instance { price, devices } => {
                Charge::Instance { price, devices: devices * slices }
            }
            Charge::Device(price) => Charge::Device(
                price.map(|it| DevicePrice::from_stored(it.stored() / slices as f64)),
            ),
        };
        Self { apart: self.apart.map(|both| both.map(of)), charge: of(self.charge), ..self }
    }

    /// Rent in USD/s for one group of `devices` that must share an instance, unused devices
    /// included: price x ceil(devices / devices of an instance).
    pub(super) fn rent_of_group(&self, devices: u64) -> f64 {
        match &self.charge {
            Charge::Instance { price, devices: held } => {
                price.value.stored() * devices.div_ceil(*held) as f64
            }
            Charge::Device(price) => price.value.stored() * devices as f64,
        }
    }
}

impl Price {
    /// True if the row has a price on these terms.
    pub fn sells(&self, purchase: Purchase) -> bool {
        self.usd_per_hour[purchase as usize].is_some()
    }

    /// The rent as the row states it, of an instance with all its devices (or of a host), in
    /// USD/instance-h.
    pub fn per_instance(&self, purchase: Purchase) -> Option<Sourced<InstancePrice>> {
        let value = InstancePrice::from_stored(self.usd_per_hour[purchase as usize]? / HOUR);
        Some(Sourced { value, citation: Arc::clone(&self.citation) })
    }

    /// The rent per device as the row states it: price / devices, without a host that is billed
    /// apart. None for a host.
    pub fn per_device(&self, purchase: Purchase) -> Option<Sourced<DevicePrice>> {
        let devices = self.devices? as f64;
        let per_instance = self.per_instance(purchase)?;
        Some(per_instance.map(|price| DevicePrice::from_stored(price.stored() / devices)))
    }

    /// The rent with host, ready to be charged; `host` is the row of [`Price::host_sku`]. An
    /// accelerator-only price adds one host per device: price + devices x host. `None` if the
    /// host's price is unknown.
    pub(super) fn rental(&self, purchase: Purchase, host: Option<&Self>) -> Option<Rental> {
        let devices = self.devices?;
        let own = self.per_instance(purchase)?;
        let instance = |price| Charge::Instance { price, devices };
        let per_device = |price: Sourced<InstancePrice>| {
            Charge::Device(price.map(|p| DevicePrice::from_stored(p.stored() / devices as f64)))
        };
        let mut apart = None;
        let charge = match self.basis {
            PriceBasis::HostOnly => return None,
            PriceBasis::Instance => instance(own),
            PriceBasis::PerDevice | PriceBasis::Index => per_device(own),
            PriceBasis::AcceleratorOnly => {
                let host = host?.per_instance(purchase)?;
                let hosts =
                    host.map(|each| InstancePrice::from_stored(devices as f64 * each.stored()));
                let value = InstancePrice::from_stored(own.value.stored() + hosts.value.stored());
                let citation = Arc::new(own.citation.and(&hosts.citation));
                let sum = Sourced { value, citation };
                let charge = |price| if devices == 1 { per_device(price) } else { instance(price) };
                apart = Some([own, hosts].map(charge));
                charge(sum)
            }
        };
        Some(Rental {
            provider: self.provider.clone(),
            region: self.region.clone(),
            sku: self.sku.clone(),
            accelerator: self.accelerator.clone(),
            purchase,
            basis: self.basis,
            charge,
            apart,
            quality: self.quality,
            note: self.note.clone(),
        })
    }
}

/// Seconds of an hour: rents are stored per second.
const HOUR: f64 = 3600.0;

impl PriceBasis {
    /// Names in the table.
    pub const NAMES: &'static [(&'static str, Self)] = &[
        ("instance", Self::Instance),
        ("accelerator-only", Self::AcceleratorOnly),
        ("per-device", Self::PerDevice),
        ("index", Self::Index),
        ("host-only", Self::HostOnly),
    ];

    /// Its name in the table.
    pub fn name(self) -> &'static str {
        super::name_of(Self::NAMES, self)
    }

    /// The costs that a rent made from such a price contains.
    pub fn contains(self) -> &'static str {
        match self {
            Self::Instance => "devices, host, electricity, cooling and building",
            Self::AcceleratorOnly => "devices and their host row, electricity, cooling, building",
            Self::PerDevice => "one device with its share of host, electricity and building",
            Self::Index => "one device, normalised to a common form: indicative",
            Self::HostOnly => "a host without devices",
        }
    }
}

impl Purchase {
    /// True if the terms decide what devices cost and nothing else: they are there when they are asked
    /// for, and stay.
    pub fn is_price_alone(self) -> bool {
        match self {
            Self::OnDemand
            | Self::Reserved1y
            | Self::Reserved3y
            | Self::SavingsPlan1y
            | Self::SavingsPlan3y => true,
            Self::Spot | Self::CapacityBlock | Self::FlexStart => false,
        }
    }

    /// Every way of renting.
    pub const ALL: [Self; 8] = [
        Self::OnDemand,
        Self::Spot,
        Self::Reserved1y,
        Self::Reserved3y,
        Self::SavingsPlan1y,
        Self::SavingsPlan3y,
        Self::CapacityBlock,
        Self::FlexStart,
    ];

    /// Names in scenarios.
    pub const NAMES: &'static [(&'static str, Self)] = &[
        ("on-demand", Self::OnDemand),
        ("spot", Self::Spot),
        ("reserved-1y", Self::Reserved1y),
        ("reserved-3y", Self::Reserved3y),
        ("savings-plan-1y", Self::SavingsPlan1y),
        ("savings-plan-3y", Self::SavingsPlan3y),
        ("capacity-block", Self::CapacityBlock),
        ("flex-start", Self::FlexStart),
    ];

    /// Columns of the prices, in the order of [`Purchase::ALL`].
    pub const COLUMNS: [&str; Self::ALL.len()] = [
        "on_demand_usd_per_h",
        "spot_usd_per_h",
        "reserved_1y_usd_per_h",
        "reserved_3y_usd_per_h",
        "savings_plan_1y_usd_per_h",
        "savings_plan_3y_usd_per_h",
        "capacity_block_usd_per_h",
        "flex_start_usd_per_h",
    ];

    /// Its name in scenarios.
    pub fn name(self) -> &'static str {
        super::name_of(Self::NAMES, self)
    }

    /// Its kind, whatever the length of its term: `reserved` of `reserved-1y`.
    pub fn kind(self) -> &'static str {
        let name = self.name();
        name.strip_suffix("-1y").or(name.strip_suffix("-3y")).unwrap_or(name)
    }

    /// Years for which it is committed; none where it is paid while used, or by the block.
    pub fn years(self) -> Option<u32> {
        match self {
            Self::Reserved1y | Self::SavingsPlan1y => Some(1),
            Self::Reserved3y | Self::SavingsPlan3y => Some(3),
            Self::OnDemand | Self::Spot | Self::CapacityBlock | Self::FlexStart => None,
        }
    }
}

impl Quality {
    /// Names in the table.
    pub const NAMES: &'static [(&'static str, Self)] = &[
        ("read", Self::Read),
        ("derived", Self::Derived),
        ("region-assumed", Self::RegionAssumed),
        ("indicative", Self::Indicative),
        ("own", Self::Own),
    ];

    /// Its name in the table.
    pub fn name(self) -> &'static str {
        super::name_of(Self::NAMES, self)
    }
}

impl Row for Price {
    const TABLE: &'static flopcast_data::Csv = &flopcast_data::pricing::PRICES;

    /// Reads a row. It needs a date, a basis and at least one price, and a number of devices unless
    /// it is that of a host.
    fn read(cells: &Cells<'_>) -> Result<Self> {
        let provider = cells.required("provider")?.to_owned();
        let region = cells.required("region")?.to_owned();
        let sku = cells.required("sku")?.to_owned();
        let accelerator = cells.text("accelerator").to_owned();
        let product = cells.text("product").to_owned();
        let devices = cells.count("devices")?.filter(|n| *n > 0);
        let vcpus = cells.count("vcpus")?;
        let memory = cells.quantity("memory_gib", 1_073_741_824.0)?;
        let basis =
            cells.one_of("basis", PriceBasis::NAMES)?.ok_or_else(|| cells.empty("basis"))?;
        if devices.is_none() && basis != PriceBasis::HostOnly {
            return Err(cells.empty("devices"));
        }
        let host_sku = cells.text("host_sku").to_owned();
        let mut usd_per_hour = [None; Purchase::ALL.len()];
        for (amount, column) in usd_per_hour.iter_mut().zip(Purchase::COLUMNS) {
            *amount = cells.quantity(column, 1.0)?;
        }
        // A spot price equal to the on-demand price is a list's way of saying "no spot market".
        let [on_demand, spot, ..] = &mut usd_per_hour;
        if spot.is_some() && spot == on_demand {
            *spot = None;
        }
        if usd_per_hour.iter().all(Option::is_none) {
            return Err(cells.error("the row has no price"));
        }
        let mut as_of = cells.as_of("as_of")?.ok_or_else(|| cells.empty("as_of"))?;
        if let Some(span) = cells.one_of("precision", Span::NAMES)? {
            as_of.span = span;
        }
        let quality = cells.one_of("quality", Quality::NAMES)?;
        let key = format!("{provider}/{region}/{sku}/{}", as_of.start);
        Ok(Self {
            citation: cells.citation(&key, "source", Some(as_of))?,
            provider,
            region,
            sku,
            accelerator,
            product,
            devices,
            vcpus,
            memory,
            basis,
            host_sku,
            quality: quality
                .or((cells.layer() == Layer::Own).then_some(Quality::Own))
                .ok_or_else(|| cells.empty("quality"))?,
            reference: cells.text("reference").to_owned(),
            note: cells.text("note").to_owned(),
            usd_per_hour,
            layer: cells.layer(),
        })
    }

    /// Provider, region, product, basis and date: an overlay replaces a price of the same day, and
    /// adds one of another day.
    fn key(&self) -> String {
        let date = self.citation.as_of.map(|as_of| as_of.start.to_string()).unwrap_or_default();
        let basis = self.basis.name();
        format!("{}/{}/{}/{basis}/{date}", self.provider, self.region, self.sku)
    }
}
