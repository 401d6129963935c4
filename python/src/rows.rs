//! Tables of what-ifs: a scenario whose keys vary from row to row.

use std::path::PathBuf;

use arrow_array::RecordBatch;
use flopcast_api::{Fault, Given, Opening, Session};
use flopcast_core::diagnostic::Error;
use flopcast_study::aim::Aim;
use flopcast_study::rows;
use flopcast_study::rows::{Column, Forecasts, Piece};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::arrow::{Cells, Table};
use crate::files::Project;
use crate::{CATALOG, raise};

/// Rows that are forecast at a time; between them progress is told, and the user may end the work.
const TOGETHER: usize = 8192;

/// A scenario whose keys vary from row to row. What rows share is remembered from table to table.
#[pyclass(frozen, module = "flopcast._core")]
pub(crate) struct Rows {
    table: rows::Rows,
    opening: Opening,
    project: Project,
    pool: ThreadPool,
}

#[pymethods]
impl Rows {
    /// The scenario of a request, the figures of each row, and how many threads forecast; 0 is one
    /// for each core.
    #[new]
    fn new(
        py: Python<'_>,
        request: &str,
        paths: Vec<PathBuf>,
        figures: Vec<String>,
        threads: usize,
    ) -> PyResult<Self> {
        let project = Project::of(paths);
        let session = Session { files: &project, ..Session::new(&CATALOG) };
        let (document, opening) =
            Opening::read(&session, request).map_err(|fault| raise(py, &fault))?;
        let aims = figures.iter().map(|figure| Aim::read(figure)).collect();
        let pool = ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
        Ok(Self { table: rows::Rows::new(document, aims), opening, project, pool })
    }

    /// What there is to tell about how the scenario was read.
    #[getter]
    fn notes(&self) -> Vec<String> {
        self.opening.notes.clone()
    }

    /// The names of the figures' columns.
    #[getter]
    fn columns(&self) -> Vec<String> {
        self.table.figures().iter().map(|figure| figure.key.clone()).collect()
    }

    /// Forecasts the rows of a table whose columns are keys, but for those of `keep`: the same columns,
    /// then the figures, then why a row cannot be done. In the name of a column, `__` stands for a dot,
    /// too. `watch(rows)` hears of progress.
    #[pyo3(signature = (table, keep, watch=None))]
    fn forecast(
        &self,
        py: Python<'_>,
        table: &Table,
        keep: Vec<String>,
        watch: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Table> {
        let names: Vec<String> = table.names().collect();
        let names: Vec<String> = names.into_iter().filter(|name| !keep.contains(name)).collect();
        let (mut pieces, mut before) = (Vec::new(), 0);
        for batch in table.batches() {
            for start in (0..batch.num_rows()).step_by(TOGETHER) {
                let piece = batch.slice(start, TOGETHER.min(batch.num_rows() - start));
                let forecasts = py
                    .detach(|| self.pool.install(|| self.piece(&piece, &names, before)))
                    .map_err(|error| raise(py, &Fault::from(error)))?;
                before += piece.num_rows();
                pieces.push((piece, forecasts));
                py.check_signals()?;
                if let Some(watch) = &watch {
                    watch.call1((before,))?;
                }
            }
        }
        let table = table.with(self.table.figures(), pieces);
        table.map_err(|error| raise(py, &Fault::from(error)))
    }
}

impl Rows {
    /// The forecasts of some rows; `before` are those of the table before them.
    fn piece(
        &self,
        batch: &RecordBatch,
        names: &[String],
        before: usize,
    ) -> Result<Forecasts, Error> {
        let cells = names.iter().map(|it| Cells::of(batch, it)).collect::<Result<Vec<_>, _>>()?;
        let keys: Vec<String> = names.iter().map(|name| name.replace("__", ".")).collect();
        let columns: Vec<&dyn Column> = cells.iter().map(|it| it as _).collect();
        let Opening { files, folder, .. } = self.opening.clone();
        let files = Given { files, folder, beneath: &self.project };
        let (length, name) = (batch.num_rows(), |row: usize| format!("row {}", before + row));
        let piece = Piece { keys: &keys, columns: &columns, length, name: &name };
        self.table.forecast(piece, &CATALOG, &files)
    }
}
