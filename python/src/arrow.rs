//! Tables by the Arrow `PyCapsule` interface: in from anything that has `__arrow_c_stream__`, out to
//! anything that reads it, without a copy.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::ffi_stream::{FFI_ArrowArrayStream, RecordBatchStreamReader};
use arrow_array::types::{
    ArrowDictionaryKeyType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, RecordBatchIterator,
    StringArray,
};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, ffi::FFI_ArrowSchema};
use flopcast_core::diagnostic::Error;
use flopcast_study::aim::Aim;
use flopcast_study::rows::{Cell, Column, Forecasts};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyCapsule, PyFloat, PyInt, PyList, PyString};

/// Columns of one length, in batches of rows.
#[pyclass(frozen, module = "flopcast._core")]
pub(crate) struct Table {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
}

#[pymethods]
impl Table {
    /// Columns by name: lists of numbers, texts, truth values and None.
    #[staticmethod]
    fn of(columns: Vec<(String, Bound<'_, PyList>)>) -> PyResult<Self> {
        let arrays = columns.iter().map(|(name, list)| {
            let array = array(list)
                .map_err(|error| PyTypeError::new_err(format!("column `{name}`: {error}")))?;
            Ok((name.clone(), array))
        });
        let arrays = arrays.collect::<PyResult<Vec<_>>>()?;
        let field =
            |(name, array): &(String, ArrayRef)| Field::new(name, array.data_type().clone(), true);
        let schema = Arc::new(Schema::new(arrays.iter().map(field).collect::<Vec<_>>()));
        let columns = arrays.into_iter().map(|(_, array)| array).collect();
        let batch =
            RecordBatch::try_new(Arc::clone(&schema), columns).map_err(|error| wrong(&error))?;
        Ok(Self { schema, batches: vec![batch] })
    }

    /// The table of an `arrow_array_stream` capsule, which is used up.
    #[staticmethod]
    fn read(py: Python<'_>, stream: &Bound<'_, PyCapsule>) -> PyResult<Self> {
        let pointer = stream.pointer_checked(Some(STREAM))?.cast::<FFI_ArrowArrayStream>();
        // SAFETY: a capsule of this name points to such a struct, which its reader moves out: the Arrow
        // PyCapsule interface. The capsule lives until the end of this function.
        #[expect(unsafe_code, reason = "the struct comes from another library")]
        let stream = unsafe { FFI_ArrowArrayStream::from_raw(pointer.as_ptr()) };
        // The producer may need the interpreter.
        let read: Result<Self, ArrowError> = py.detach(|| {
            let reader = RecordBatchStreamReader::try_new(stream)?;
            let schema = arrow_array::RecordBatchReader::schema(&reader);
            Ok(Self { schema, batches: reader.collect::<Result<Vec<_>, ArrowError>>()? })
        });
        read.map_err(|error| wrong(&error))
    }

    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        // A reader that wants other types casts by itself: so the interface allows.
        let _ = requested_schema;
        let batches = self.batches.clone().into_iter().map(Ok);
        let reader = RecordBatchIterator::new(batches, Arc::clone(&self.schema));
        PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(Box::new(reader)), STREAM)
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        let schema = FFI_ArrowSchema::try_from(&*self.schema).map_err(|error| wrong(&error))?;
        PyCapsule::new_with_value(py, schema, c"arrow_schema")
    }

    fn __len__(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// The names of the columns.
    #[getter]
    fn column_names(&self) -> Vec<String> {
        self.names().collect()
    }

    /// The values of a column.
    fn column<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for batch in &self.batches {
            let cells =
                Cells::of(batch, name).map_err(|error| PyValueError::new_err(error.to_string()))?;
            for row in 0..batch.num_rows() {
                match cells.cell(row) {
                    Cell::Empty => list.append(py.None())?,
                    Cell::Flag(flag) => list.append(flag)?,
                    Cell::Number(number) if cells.whole => list.append(number as i64)?,
                    Cell::Number(number) => list.append(number)?,
                    Cell::Text(text) => list.append(text)?,
                }
            }
        }
        Ok(list)
    }
}

/// The name of a capsule with a stream.
const STREAM: &std::ffi::CStr = c"arrow_array_stream";

fn wrong(error: &ArrowError) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// A list as an array: all truth values, all whole numbers, all numbers, or texts of all.
fn array(list: &Bound<'_, PyList>) -> PyResult<ArrayRef> {
    let all = |is: fn(&Bound<'_, PyAny>) -> bool| list.iter().all(|it| it.is_none() || is(&it));
    let flag = |it: &Bound<'_, PyAny>| it.is_instance_of::<PyBool>();
    if all(flag) && !all(|_| false) {
        return Ok(Arc::new(list.extract::<Vec<Option<bool>>>().map(BooleanArray::from)?));
    }
    if all(|it| it.is_exact_instance_of::<PyInt>())
        && let Ok(whole) = list.extract::<Vec<Option<i64>>>()
    {
        return Ok(Arc::new(Int64Array::from(whole)));
    }
    if all(|it| it.is_instance_of::<PyFloat>() || it.is_exact_instance_of::<PyInt>()) {
        return Ok(Arc::new(list.extract::<Vec<Option<f64>>>().map(Float64Array::from)?));
    }
    let text = |it: Bound<'_, PyAny>| -> PyResult<Option<String>> {
        if it.is_none() {
            return Ok(None);
        }
        if it.is_instance_of::<PyBool>() {
            return Ok(Some(it.extract::<bool>()?.to_string()));
        }
        if it.is_instance_of::<PyString>()
            || it.is_instance_of::<PyFloat>()
            || it.is_instance_of::<PyInt>()
        {
            return Ok(Some(it.str()?.extract()?));
        }
        let kind = it.get_type().name()?;
        Err(PyTypeError::new_err(format!("a {kind} is neither a number, a text nor a bool")))
    };
    let texts = list.iter().map(text).collect::<PyResult<Vec<_>>>()?;
    Ok(Arc::new(StringArray::from(texts)))
}

impl Table {
    /// The names of the columns.
    pub(crate) fn names(&self) -> impl Iterator<Item = String> {
        self.schema.fields().iter().map(|field| field.name().clone())
    }

    /// Its rows, batch by batch.
    pub(crate) fn batches(&self) -> &[RecordBatch] {
        &self.batches
    }

    /// A table of these columns in pieces, with the figures of their rows.
    pub(crate) fn with(
        &self,
        figures: &[Aim],
        pieces: Vec<(RecordBatch, Forecasts)>,
    ) -> Result<Self, Error> {
        let mut fields: Vec<Arc<Field>> = self.schema.fields().iter().cloned().collect();
        let figure = |aim: &Aim| Arc::new(Field::new(&aim.key, DataType::Float64, true));
        fields.extend(figures.iter().map(figure));
        fields.push(Arc::new(Field::new("obstacle", DataType::Utf8, true)));
        let schema = Arc::new(Schema::new(fields));
        let joined = pieces.into_iter().map(|(batch, forecasts)| {
            let mut columns = batch.columns().to_vec();
            let figures = forecasts.figures.into_iter();
            columns.extend(figures.map(|it| Arc::new(Float64Array::from(it)) as ArrayRef));
            columns.push(Arc::new(StringArray::from(forecasts.obstacles)));
            RecordBatch::try_new(Arc::clone(&schema), columns)
        });
        let batches = joined.collect::<Result<Vec<_>, _>>();
        let batches = batches.map_err(|error| Error::input(error.to_string()))?;
        Ok(Self { schema, batches })
    }
}

/// The cells of a column of a batch.
pub(crate) struct Cells<'a> {
    array: &'a dyn Array,
    read: fn(&dyn Array, usize) -> Cell<'_>,
    /// True if its numbers are whole.
    whole: bool,
}

impl<'a> Cells<'a> {
    /// The column of a name.
    ///
    /// # Errors
    /// There is none, or its type is neither number, text nor truth value.
    pub(crate) fn of(batch: &'a RecordBatch, name: &str) -> Result<Self, Error> {
        let Some(array) = batch.column_by_name(name) else {
            return Err(Error::input(format!("there is no column `{name}`")));
        };
        let read = reader(array.data_type()).ok_or_else(|| {
            let kind = array.data_type();
            Error::input(format!("column `{name}` is of the type {kind}"))
                .hint("numbers, texts and booleans are read: cast it to one of them")
        })?;
        Ok(Self { array: &**array, read, whole: array.data_type().is_integer() })
    }
}

impl Column for Cells<'_> {
    fn len(&self) -> usize {
        self.array.len()
    }

    fn cell(&self, row: usize) -> Cell<'_> {
        if self.array.is_null(row) { Cell::Empty } else { (self.read)(self.array, row) }
    }
}

/// How a cell of a type is read; none for types that are no values of a scenario.
fn reader(kind: &DataType) -> Option<fn(&dyn Array, usize) -> Cell<'_>> {
    macro_rules! number {
        ($type:ty) => {
            |array, row| Cell::Number(array.as_primitive::<$type>().value(row) as f64)
        };
    }
    Some(match kind {
        DataType::Boolean => |array, row| Cell::Flag(array.as_boolean().value(row)),
        DataType::Int8 => number!(Int8Type),
        DataType::Int16 => number!(Int16Type),
        DataType::Int32 => number!(Int32Type),
        DataType::Int64 => number!(Int64Type),
        DataType::UInt8 => number!(UInt8Type),
        DataType::UInt16 => number!(UInt16Type),
        DataType::UInt32 => number!(UInt32Type),
        DataType::UInt64 => number!(UInt64Type),
        DataType::Float32 => number!(Float32Type),
        DataType::Float64 => number!(Float64Type),
        DataType::Utf8 => |array, row| Cell::Text(array.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => |array, row| Cell::Text(array.as_string::<i64>().value(row)),
        DataType::Utf8View => |array, row| Cell::Text(array.as_string_view().value(row)),
        DataType::Null => |_, _| Cell::Empty,
        DataType::Dictionary(key, values) if reader(values).is_some() => match **key {
            DataType::Int8 => coded::<Int8Type>,
            DataType::Int16 => coded::<Int16Type>,
            DataType::Int32 => coded::<Int32Type>,
            DataType::Int64 => coded::<Int64Type>,
            DataType::UInt8 => coded::<UInt8Type>,
            DataType::UInt16 => coded::<UInt16Type>,
            DataType::UInt32 => coded::<UInt32Type>,
            DataType::UInt64 => coded::<UInt64Type>,
            _ => return None,
        },
        _ => return None,
    })
}

/// A cell of a column that names its values by number.
fn coded<K: ArrowDictionaryKeyType>(array: &dyn Array, row: usize) -> Cell<'_> {
    let coded = array.as_dictionary::<K>();
    let values = coded.values();
    match (coded.key(row), reader(values.data_type())) {
        (Some(at), Some(read)) if values.is_valid(at) => read(&**values, at),
        _ => Cell::Empty,
    }
}
