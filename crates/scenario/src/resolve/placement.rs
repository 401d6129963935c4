//! The place of a stage: its accelerator and its region, looked up.

use std::borrow::Cow;

use flopcast_core::catalog::{Accelerator, Catalog, Region};
use flopcast_core::diagnostic::Result;

use super::super::file::{Hardware, Placement};

/// The accelerator that a scenario names.
///
/// # Errors
/// If the catalog lacks it, with the nearest that are known.
pub(super) fn accelerator<'a>(
    catalog: &'a Catalog,
    hardware: &Hardware,
) -> Result<&'a Accelerator> {
    let name = &hardware.accelerator;
    catalog.accelerator(&name.value).map_err(|error| error.at(Some(&name.place)))
}

/// The device of a service: the accelerator that it names, or a slice of that.
///
/// # Errors
/// As [`accelerator`], and if the accelerator has no such slice.
pub(super) fn device<'a>(
    catalog: &'a Catalog,
    hardware: &Hardware,
) -> Result<Cow<'a, Accelerator>> {
    let whole = accelerator(catalog, hardware)?;
    let Some(slice) = &hardware.slice else { return Ok(Cow::Borrowed(whole)) };
    whole.slice(&slice.value).map(Cow::Owned).map_err(|error| error.at(Some(&slice.place)))
}

/// The region with its grid in a year; `None` where the placement names no region.
///
/// # Errors
/// If the provider or its region is unknown; the error points at the one of the two that is.
pub(super) fn region(
    catalog: &Catalog,
    placement: &Placement,
    year: Option<i32>,
) -> Result<Option<Region>> {
    let Some(code) = &placement.region else { return Ok(None) };
    let provider = placement.provider.as_ref().map_or("owned", |p| p.value.as_str());
    catalog.region_in(provider, &code.value, year).map(Some).map_err(|error| {
        let of_provider = error.message().contains("provider");
        let place =
            placement.provider.as_ref().filter(|_| of_provider).map_or(&code.place, |p| &p.place);
        error.at(Some(place))
    })
}
