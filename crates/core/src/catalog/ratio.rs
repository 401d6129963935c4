//! The price of a plan against that on demand, by the lists that have both on one day.

use super::Catalog;
use super::price::{Price, Purchase};
use crate::quantity::Measure;

/// The price of a plan / the price on demand, over the rows of prices that have both.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanRatio {
    /// The median.
    pub median: f64,
    /// The lowest and the highest.
    pub range: [f64; 2],
    /// The rows.
    pub rows: usize,
    /// The rows in words: `h100-sxm at aws`, `aws`, `all providers`.
    pub of: String,
}

impl Catalog {
    /// What a plan costs against on demand: over the rows of a device at a provider, else over those
    /// of the provider, else over all; none where no row has both prices.
    ///
    /// ```
    /// use flopcast_core::catalog::{Catalog, Purchase};
    /// let ratio = Catalog::embedded().plan_ratio("aws", "h100-sxm", Purchase::Reserved1y).unwrap();
    /// assert!(ratio.range[0] <= ratio.median && ratio.median <= ratio.range[1]);
    /// assert!(ratio.median < 1.0);
    /// ```
    pub fn plan_ratio(&self, provider: &str, device: &str, plan: Purchase) -> Option<PlanRatio> {
        let of = |price: &Price| {
            let [plan, on_demand] = [plan, Purchase::OnDemand]
                .map(|of| price.per_instance(of).map(|price| price.value.stored()));
            Some(plan? / on_demand?)
        };
        let device_here: Vec<f64> =
            self.prices_of(provider).filter(|it| it.accelerator == device).filter_map(of).collect();
        if !device_here.is_empty() {
            return summed_up(device_here, format!("{device} at {provider}"));
        }
        let here: Vec<f64> = self.prices_of(provider).filter_map(of).collect();
        if !here.is_empty() {
            return summed_up(here, provider.to_owned());
        }
        summed_up(self.prices().filter_map(of).collect(), "all providers".to_owned())
    }
}

/// Median and range of some ratios; none where there are none.
fn summed_up(mut ratios: Vec<f64>, of: String) -> Option<PlanRatio> {
    ratios.sort_by(f64::total_cmp);
    let rows = ratios.len();
    let (low, high) = (*ratios.first()?, *ratios.last()?);
    let median = f64::midpoint(ratios[(rows - 1) / 2], ratios[rows / 2]);
    Some(PlanRatio { median, range: [low, high], rows, of })
}
