//! The hosted model that a service is compared with: prices that the scenario gives, or those of a
//! row of the catalog, by `provider/model`.

use flopcast_core::catalog::{ApiPrice, Catalog};
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::ledger::plan::Api;

use super::super::file::Api as ApiFile;
use super::super::reader::Located;
use super::Notes;
use super::age::Ages;

/// The prices of the hosted model; `answers` tells whether the service writes tokens.
///
/// # Errors
/// If the catalog has no such model, several providers host it, or it has no price of output
/// tokens.
pub(super) fn plan(
    catalog: &Catalog,
    asked: &Located<ApiFile>,
    answers: bool,
    notes: &mut Notes,
) -> Result<Api> {
    let api = match &asked.value {
        ApiFile::Prices(prices) => Api {
            input: prices.input_price.input("inference.api.input_price"),
            cached: prices
                .cached_input_price
                .as_ref()
                .map(|price| price.input("inference.api.cached_input_price")),
            output: prices
                .output_price
                .as_ref()
                .map(|price| price.input("inference.api.output_price")),
        },
        ApiFile::Model(name) => {
            let row = row(catalog, name).map_err(|error| error.at(Some(&asked.place)))?;
            let hosted = format!("{}/{}", row.provider, row.model);
            Ages { catalog, start: None }.note(&row.input.citation, &hosted, notes);
            let name = |what: &str| format!("{hosted}, {what}");
            Api {
                input: row.input.input(name("input")),
                cached: row.cached_input.as_ref().map(|it| it.input(name("cached input"))),
                output: row.output.as_ref().map(|it| it.input(name("output"))),
            }
        }
    };
    if answers && api.output.is_none() {
        return Err(Error::input("the hosted model has no price of output tokens")
            .at(Some(&asked.place))
            .hint("name one that answers, or give output_price: 15 USD/Mtoken"));
    }
    Ok(api)
}

/// The row of a model, by `provider/model` or by a model that only one provider has.
///
/// # Errors
/// If there is none, or several are.
fn row<'a>(catalog: &'a Catalog, name: &str) -> Result<&'a ApiPrice> {
    let key = |row: &ApiPrice| format!("{}/{}", row.provider, row.model);
    if let Some(row) = catalog.api_prices().find(|row| key(row) == name) {
        return Ok(row);
    }
    let mut same = catalog.api_prices().filter(|row| row.model == name);
    let error = match (same.next(), same.next()) {
        (Some(row), None) => return Ok(row),
        (None, _) => {
            let day = catalog.date().map(|day| format!(" as of {day}")).unwrap_or_default();
            format!("the catalog has no hosted model `{name}`{day}")
        }
        (Some(_), Some(_)) => {
            format!("several providers host `{name}`: say which, as `openai/...`")
        }
    };
    let known: Vec<String> = catalog.api_prices().map(key).collect();
    Err(Error::input(error)
        .suggest(name, known.iter().map(String::as_str))
        .hint("`flopcast catalog list api` shows them all"))
}
