//! One node at the point where it runs: operator, settings, and the values it is given.

use std::collections::BTreeMap;
use std::rc::Rc;

use flopcast_core::diagnostic::Error;

use super::proto::AttributeProto;
use super::value::{DataType, Shape, Value};

/// The settings of a node by name.
pub(super) type Attributes = BTreeMap<String, AttributeProto>;

/// The reason why an operator has no answer.
#[derive(Debug)]
pub(super) enum Stop {
    /// A value that it depends on is known only when the model runs.
    Unknown,
    /// The file contradicts itself.
    Invalid(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Invalid(error)
    }
}

/// An answer, or the reason why there is none.
pub(super) type Inferred<T> = Result<T, Stop>;

/// A node with its inputs.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// The operator; one outside the ONNX standard carries its domain, as
    /// `com.microsoft.Attention`.
    pub(super) operator: String,
    /// The node's own name, which may be empty.
    pub(super) name: String,
    /// Its settings.
    pub(super) attributes: Attributes,
    /// An optional input that is left out is `None`.
    pub(super) inputs: Vec<Option<Rc<Value>>>,
    /// The number of outputs that the node names, left-out ones included.
    pub(super) outputs: usize,
}

impl Call {
    /// The node's name in messages.
    pub(super) fn label(&self) -> String {
        format!("node `{}` ({})", self.name, self.operator)
    }

    /// An error about this node, with its name and operator before the message.
    pub(super) fn invalid(&self, message: impl AsRef<str>) -> Stop {
        Stop::Invalid(Error::input(format!("{}: {}", self.label(), message.as_ref())))
    }

    /// Input `index`, unless it is left out.
    pub(super) fn optional(&self, index: usize) -> Option<&Value> {
        self.inputs.get(index)?.as_deref()
    }

    /// Input `index`, which the operator cannot do without.
    ///
    /// # Errors
    /// If the node leaves it out.
    pub(super) fn input(&self, index: usize) -> Inferred<&Value> {
        self.optional(index).ok_or_else(|| self.invalid(format!("input {index} is missing")))
    }

    /// Shape of input `index`.
    ///
    /// # Errors
    /// If the input is missing, or its shape depends on the data.
    pub(super) fn shape(&self, index: usize) -> Inferred<&Shape> {
        self.input(index)?.shape.as_ref().ok_or(Stop::Unknown)
    }

    /// Shape of input `index`, which must have at least `rank` dimensions.
    ///
    /// # Errors
    /// As [`Call::shape`], and if it has fewer dimensions.
    pub(super) fn ranked(&self, index: usize, rank: usize) -> Inferred<&Shape> {
        let shape = self.shape(index)?;
        if shape.len() < rank {
            return Err(self.invalid(format!(
                "input {index} has shape {shape:?}, fewer than {rank} dimensions"
            )));
        }
        Ok(shape)
    }

    /// Element type of input `index`; float if it is left out.
    pub(super) fn data_type(&self, index: usize) -> DataType {
        self.optional(index).map_or(DataType::FLOAT, |value| value.data_type)
    }

    /// Contents of input `index`; unknown if they depend on the data or are too many.
    ///
    /// # Errors
    /// If the input is missing, or its contents are unknown.
    pub(super) fn contents(&self, index: usize) -> Inferred<&[f64]> {
        self.input(index)?.contents.as_deref().ok_or(Stop::Unknown)
    }

    /// Contents of input `index` as integers; fractions are cut off.
    ///
    /// # Errors
    /// As [`Call::contents`].
    pub(super) fn integers(&self, index: usize) -> Inferred<Vec<i64>> {
        Ok(self.contents(index)?.iter().map(|&x| x as i64).collect())
    }

    /// An integer setting.
    pub(super) fn int(&self, name: &str) -> Option<i64> {
        self.attributes.get(name)?.i
    }

    /// A flag; off if it is left out.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.int(name).is_some_and(|i| i != 0)
    }

    /// A count, which must not be negative.
    ///
    /// # Errors
    /// If it is negative.
    pub(super) fn count(&self, name: &str) -> Inferred<Option<u64>> {
        self.int(name)
            .map(|i| u64::try_from(i).map_err(|_| self.invalid(format!("`{name}` is {i}"))))
            .transpose()
    }

    /// A list of integers.
    pub(super) fn ints(&self, name: &str) -> Option<&[i64]> {
        self.attributes.get(name).map(|attribute| attribute.ints.as_slice())
    }

    /// A text setting.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let bytes = self.attributes.get(name)?.s.as_ref()?;
        Some(String::from_utf8_lossy(bytes).into_owned())
    }

    /// A list that older operator versions have as setting `name` and newer ones as input `index`;
    /// `None` if both are left out.
    ///
    /// # Errors
    /// If the input's contents are unknown.
    pub(super) fn list(&self, name: &str, index: usize) -> Inferred<Option<Vec<i64>>> {
        match (self.ints(name), self.optional(index)) {
            (Some(ints), _) => Ok(Some(ints.to_vec())),
            (None, Some(_)) => self.integers(index).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// The dimension that `axis` means; a negative one counts from the end.
    ///
    /// # Errors
    /// If the shape has no such axis.
    pub(super) fn axis(&self, axis: i64, rank: usize) -> Inferred<usize> {
        let index = if axis < 0 { axis.saturating_add(rank as i64) } else { axis };
        usize::try_from(index)
            .ok()
            .filter(|&index| index < rank)
            .ok_or_else(|| self.invalid(format!("axis {axis} of {rank} dimensions")))
    }
}
