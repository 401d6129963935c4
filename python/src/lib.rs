//! The native half of the Python package: the questions of `flopcast-api` as JSON, and tables of
//! what-ifs as Arrow. The package in `flopcast/` gives both their Python form.

mod arrow;
mod files;
mod rows;

use std::path::PathBuf;
use std::sync::{LazyLock, Mutex, PoisonError};

use flopcast_api::{Answer, Fault, Session};
use flopcast_core::catalog::Catalog;
use flopcast_core::diagnostic::Error;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::files::Project;

/// The built-in devices, prices and regions.
static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::embedded);

/// The exception that a fault becomes.
fn raise(py: Python<'_>, fault: &Fault) -> PyErr {
    let of = || py.import("flopcast.errors")?.getattr("of");
    let made = of().and_then(|of| of.call1((fault.json().to_string(), fault.to_string())));
    made.map_or_else(|error| error, PyErr::from_value)
}

/// A question's answer: its bytes, what there is to tell beside it, and whether the forecast keeps
/// its limits. `paths` are the files that the caller names; `today` the day from which ages count;
/// `watch(what, share)` hears of progress.
#[pyfunction]
#[pyo3(signature = (question, request, paths, today=None, watch=None))]
fn ask<'py>(
    py: Python<'py>,
    question: &str,
    request: &str,
    paths: Vec<PathBuf>,
    today: Option<&str>,
    watch: Option<Py<PyAny>>,
) -> PyResult<(Bound<'py, PyBytes>, Vec<String>, bool)> {
    let today = today.and_then(|day| day.parse().ok());
    let (answer, interrupted) = py.detach(|| {
        let project = Project::of(paths);
        let interrupted = Mutex::new(None);
        let tell = |what: &str, share: f64| {
            let Some(watch) = &watch else { return Ok(()) };
            let told = Python::attach(|py| watch.call1(py, (what, share)).map(drop));
            told.map_err(|error| {
                let mut first = interrupted.lock().unwrap_or_else(PoisonError::into_inner);
                first.get_or_insert(error);
                Error::limit("the question was interrupted")
            })
        };
        let session = Session { catalog: &CATALOG, files: &project, today, watch: &tell };
        let answer = flopcast_api::answer(&session, question, request);
        (answer, interrupted.into_inner().unwrap_or_else(PoisonError::into_inner))
    });
    if let Some(error) = interrupted {
        return Err(error);
    }
    let Answer { bytes, notes, kept, .. } = answer.map_err(|fault| raise(py, &fault))?;
    Ok((PyBytes::new(py, &bytes), notes, kept))
}

#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_function(wrap_pyfunction!(ask, module)?)?;
    module.add_class::<rows::Rows>()?;
    module.add_class::<arrow::Table>()
}
