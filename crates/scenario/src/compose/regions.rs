//! The regions that share the requests of a service.

use flopcast_core::diagnostic::{Error, Place, Result};
use flopcast_core::quantity::text::number as shown;
use flopcast_core::serving::traffic::Profile;
use flopcast_import::document::{Node, Value};

use super::{number, plain};
use crate::file::Placement;
use crate::given::Given;
use crate::reader::{self, Located};

/// A region.
pub(super) struct Region {
    /// Its name; empty where there is one.
    pub(super) name: String,
    /// Its share of the requests.
    pub(super) share: f64,
    placement: Option<Node>,
    /// The load of all regions by hour, where they answer each other's requests.
    hours: Option<Node>,
}

/// The people of a service.
const STAFF: &str = "inference.costs.staff.fte";

impl Region {
    /// The one place of a file that lists none.
    pub(super) fn whole() -> Self {
        Self { name: String::new(), share: 1.0, placement: None, hours: None }
    }

    /// Puts a service into the region.
    pub(super) fn settle(&self, document: &mut Node) -> Result<()> {
        let Some(placement) = &self.placement else { return Ok(()) };
        document.put("inference.placement", placement.clone())?;
        document.take("inference.traffic.follow_the_sun");
        // People work for all regions: each bears its share of them.
        let staff = document.at(STAFF).cloned();
        match staff {
            Some(Node { value: Value::Number(people), place }) => {
                document.put(STAFF, number(people * self.share, &place))?;
            }
            Some(node) => {
                return Err(Error::input("the staff of several regions is one plain number")
                    .at(Some(&node.place))
                    .hint("write `fte: 5`: each region bears its share of them"));
            }
            None => {}
        }
        if let Some(hours) = &self.hours {
            document.take("inference.traffic.peak_to_mean");
            document.put("inference.traffic.hours", hours.clone())?;
        }
        let title = match document.get("name").map(|it| &it.value) {
            Some(Value::Text(title)) => format!("{title}, {}", self.name),
            _ => return Ok(()),
        };
        let place = placement.place.clone();
        document.put("name", Node { value: Value::Text(title), place })
    }
}

/// The regions of a list of places.
///
/// # Errors
/// A place without a share, shares that are not 100 % in all, a clock that no place on Earth has.
pub(super) fn regions(document: &Node, listed: &Node) -> Result<Vec<Region>> {
    let Value::List(nodes) = &listed.value else { return Ok(Vec::new()) };
    let mut regions: Vec<Region> = Vec::new();
    let mut clocks = Vec::new();
    let mut sum = 0.0;
    for node in nodes {
        let read: Placement = reader::read(node)?;
        let share = read.share.as_ref().ok_or_else(|| {
            Error::input("a place of a list says its share of the requests")
                .at(Some(&node.place))
                .hint("share: 40 %")
        })?;
        let clock = match &read.utc_offset {
            Some(it) if !(-12.0..=14.0).contains(&it.value) => {
                return Err(Error::input(format!("no clock is {} hours ahead of UTC", it.value))
                    .at(Some(&it.place))
                    .hint("utc_offset lies between -12 and 14"));
            }
            given => given.as_ref().map_or(0.0, |it| it.value),
        };
        let share = share.spread.central().get();
        if share <= 0.0 {
            return Err(Error::input("no request comes from here")
                .at(Some(&node.place))
                .hint("leave the place out, or give it a share"));
        }
        let words = [&read.region, &read.provider].map(|it| it.as_ref().map(|it| &*it.value));
        let name = plain(words.into_iter().flatten().next().unwrap_or("region"));
        let same = regions.iter().filter(|it| it.name.starts_with(&name)).count();
        let name = if same > 0 { format!("{name}-{}", same + 1) } else { name };
        let mut placement = node.clone();
        placement.take("share");
        placement.take("utc_offset");
        sum += share;
        clocks.push((share, clock));
        regions.push(Region { name, share, placement: Some(placement), hours: None });
    }
    if (sum - 1.0).abs() > 1e-6 {
        return Err(Error::input(format!(
            "the shares of the places are {} % in all",
            shown(100.0 * sum)
        ))
        .at(Some(&listed.place))
        .hint("they add up to 100 %"));
    }
    if let Some(hours) = together(document, &clocks)? {
        for region in &mut regions {
            region.hours = Some(hours.clone());
        }
    }
    Ok(regions)
}

/// The load of all regions by hour of UTC, where they answer each other's requests.
///
/// # Errors
/// If nothing says how the load varies over a day.
fn together(document: &Node, clocks: &[(f64, f64)]) -> Result<Option<Node>> {
    let traffic = |key: &str| document.at(&format!("inference.traffic.{key}"));
    let Some(node) = traffic("follow_the_sun") else { return Ok(None) };
    if !reader::read::<bool>(node)? {
        return Ok(None);
    }
    let day = |hours: &Node| -> Result<(Vec<f64>, Place)> {
        let Located { value, place } = reader::read::<Located<Vec<f64>>>(hours)?;
        let profile = Profile::new(&value, &[1.0; 7]).map_err(|error| error.at(Some(&place)))?;
        Ok((profile.weights()[..24].to_vec(), place))
    };
    let (weights, place) = match (traffic("hours"), traffic("peak_to_mean")) {
        (Some(hours), _) => day(hours)?,
        (None, Some(peak)) => {
            let given: Given<f64> = reader::read(peak)?;
            let profile = Profile::daily(given.spread.central())
                .map_err(|error| error.at(Some(&given.place)))?;
            (profile.weights()[..24].to_vec(), given.place)
        }
        (None, None) => {
            return Err(Error::input("nothing says how the load varies over a day")
                .at(Some(&node.place))
                .hint("give inference.traffic.hours, local time, or peak_to_mean"));
        }
    };
    let load = |hour: usize| {
        let local = |clock: f64| (hour as f64 + clock).rem_euclid(24.0) as usize % 24;
        clocks.iter().map(|(share, clock)| share * weights[local(*clock)]).sum::<f64>()
    };
    let hours = (0..24).map(|hour| number(load(hour), &place)).collect();
    Ok(Some(Node { value: Value::List(hours), place }))
}
