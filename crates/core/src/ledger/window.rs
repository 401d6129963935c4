//! When to start: the mean intensity of the grid over a run, by the hour of its start.
//! ```text
//! mean(s) = (sum of the intensity of the whole hours from s on + part x the intensity of the last hour) / length
//! saving  = 1 - mean(best) / mean(planned)
//! ```
//! A profile of month x hour tells two things apart: the hour of the day and the season. A run of
//! whole days meets every hour alike, so only the season is left to choose by, and within a few
//! days there is next to none: the saving shrinks to zero as a run grows to a day and beyond. The
//! profile says how much cleaner another start is; how clean the grid is at all, the annual figure
//! says, and the saving is applied to that.
//!
//! Times are UTC, as the profiles in `regions/hourly.csv` are.

use chrono::{Datelike, Duration, NaiveDate, NaiveDateTime, Timelike};

use crate::ledger::plan::StartWindow;
use crate::provenance::{Traced, Unknown, Value};
use crate::quantity::system::time as unit;
use crate::quantity::{GridIntensity, Measure, Share, Time};

/// The best start within a window, beside the planned one.
#[derive(Clone, Debug)]
pub struct BestStart {
    /// The planned start: midnight UTC of the first day.
    pub planned: NaiveDateTime,
    /// The best one, on the hour (UTC).
    pub best: NaiveDateTime,
    /// Mean intensity over the run from the planned start, by the profile.
    pub at_planned: Traced<GridIntensity>,
    /// Mean intensity over the run from the best start, by the profile.
    pub at_best: Traced<GridIntensity>,
    /// The part of the CO2e that the best start saves: 1 - best / planned.
    pub saving: Traced<Share>,
    /// The year that the profile is of.
    pub profile_year: i32,
}

/// The longest run, in days, that has a best start. Longer ones meet every season several times, so
/// there is nothing to choose.
const LONGEST_DAYS: f64 = 5.0 * 366.0;

impl StartWindow {
    /// The earliest of the starts on the hour that see the cleanest grid, the planned one included.
    /// Starts up to [`StartWindow::within`] after midnight UTC of the planned day are compared, in
    /// O(starts + hours of the run).
    ///
    /// # Errors
    /// If the grid has no profile, the profile has a gap among the hours of the run, or the run is
    /// longer than five years: the reason.
    pub fn best_start(
        &self,
        planned: NaiveDate,
        length: &Traced<Time>,
    ) -> Result<BestStart, Unknown> {
        let profile = self.profile.as_ref().map_err(Clone::clone)?;
        let unknown = |why: &str| Unknown { why: why.to_owned() };
        let (run, length) = (length, length.value());
        if length.get::<unit::day>() > LONGEST_DAYS {
            return Err(unknown("a run of more than five years has no best start"));
        }
        let planned = planned.and_time(chrono::NaiveTime::MIN);
        let length = length.get::<unit::hour>();
        let whole = length.floor() as usize;
        let starts = self.within.get::<unit::hour>().floor() as usize + 1;
        let mut intensities = Vec::with_capacity(starts + whole + 1);
        let mut sums = vec![0.0];
        for index in 0..starts + whole {
            let at = later(planned, index);
            let (month, hour) = (at.month0() as usize, at.hour() as usize);
            let intensity = profile.intensity[month][hour]
                .ok_or_else(|| unknown("the grid's intensity by the hour has a gap"))?;
            sums.push(sums[index] + intensity.stored());
            intensities.push(intensity.stored());
        }
        let part = length - whole as f64;
        let mean = |start: usize| {
            let rest = part * intensities.get(start + whole).copied().unwrap_or_default();
            if length > 0.0 {
                (sums[start + whole] - sums[start] + rest) / length
            } else {
                intensities[start]
            }
        };
        let means: Vec<f64> = (0..starts).map(mean).collect();
        // Rounding must not move the start of a run that sees the same hours from anywhere.
        let least = means.iter().copied().fold(f64::INFINITY, f64::min) * (1.0 + 1e-9);
        let best = means.iter().position(|mean| *mean <= least).unwrap_or(0);
        let traced = |name: &str, start: usize| {
            let value = GridIntensity::from_stored(means[start]);
            let formula = || {
                format!(
                    "mean over the hours of the run, {} ({})",
                    profile.citation.row, profile.citation
                )
            };
            run.beside(value, || (name.to_owned(), formula()))
        };
        let at_planned = traced("training.start_window.planned_g_per_kwh", 0);
        let at_best = traced("training.start_window.best_g_per_kwh", best);
        let saving = 1.0 - (&at_best / &at_planned);
        Ok(BestStart {
            planned,
            best: later(planned, best),
            saving: saving.retype().named("training.start_window.saving"),
            at_planned,
            at_best,
            profile_year: profile.year,
        })
    }
}

impl BestStart {
    /// The CO2e that the other start saves of a location-based mass: mass x saving.
    pub fn saved<Q>(&self, mass: &Value<Q>) -> Value<Q>
    where
        Q: Measure + std::ops::Mul<Share, Output = Q>,
    {
        (mass * &self.saving).named("training.start_window.saved_co2e_kg")
    }
}

/// The time a number of hours later; the time itself where the calendar ends.
fn later(start: NaiveDateTime, hours: usize) -> NaiveDateTime {
    let hours = i64::try_from(hours).map(Duration::hours);
    hours.ok().and_then(|hours| start.checked_add_signed(hours)).unwrap_or(start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Catalog, HourlyProfile};

    /// The saving of a run of some hours within a window of some days, and the hour of its start.
    fn check(profile: HourlyProfile, hours: f64, days: f64) -> (f64, u32) {
        let window = StartWindow { within: Time::new::<unit::day>(days), profile: Ok(profile) };
        let planned = NaiveDate::from_ymd_opt(2026, 6, 10).unwrap();
        let best =
            window.best_start(planned, &Traced::constant(Time::new::<unit::hour>(hours))).unwrap();
        (best.saving.value().get(), best.best.hour())
    }

    fn britain() -> HourlyProfile {
        Catalog::embedded().hourly_profile("GBR").unwrap()
    }

    #[test]
    fn one_hour_starts_in_the_cleanest() {
        let profile = britain();
        let june = profile.intensity[5].map(|hour| hour.unwrap().stored());
        let cleanest = (0..24).min_by(|a, b| june[*a].total_cmp(&june[*b])).unwrap();
        let (saving, hour) = check(profile, 1.0, 2.0);
        assert_eq!(hour as usize, cleanest);
        assert!((saving - (1.0 - june[cleanest] / june[0])).abs() < 1e-12);
    }

    #[test]
    fn whole_days_have_nothing_to_choose_within_a_month() {
        for days in [1.0, 3.0, 7.0] {
            let (saving, hour) = check(britain(), 24.0 * days, 7.0);
            assert!(saving.abs() < 1e-9, "{days}: {saving}");
            assert_eq!(hour, 0, "the planned start stays");
        }
    }

    #[test]
    fn the_longer_the_run_the_less_the_hour_matters() {
        let savings = [1.0, 6.0, 12.0, 24.0].map(|hours| check(britain(), hours, 1.0).0);
        assert!(savings.windows(2).all(|pair| pair[0] >= pair[1] - 1e-12), "{savings:?}");
        assert!(savings[0] > 0.01, "{savings:?}");
    }

    #[test]
    fn a_flat_grid_saves_nothing() {
        let mut profile = britain();
        profile.intensity = [[Some(GridIntensity::from_stored(1e-7)); 24]; 12];
        assert_eq!(check(profile, 5.0, 30.0), (0.0, 0));
    }

    #[test]
    fn a_gap_is_unknown() {
        let mut profile = britain();
        profile.intensity[5][3] = None;
        let window = StartWindow { within: Time::new::<unit::day>(1.0), profile: Ok(profile) };
        let planned = NaiveDate::from_ymd_opt(2026, 6, 10).unwrap();
        assert!(
            window.best_start(planned, &Traced::constant(Time::new::<unit::hour>(2.0))).is_err()
        );
    }
}
