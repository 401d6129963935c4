"""Tables of what-ifs: columns in, columns out, by the Arrow PyCapsule interface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, Union, runtime_checkable

from flopcast import _core
from flopcast.questions import Progress, Set
from flopcast.scenario import Scenario, request

if TYPE_CHECKING:
    import pandas


@runtime_checkable
class Stream(Protocol):
    """A table of pandas, Polars, DuckDB, pyarrow or others."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


#: Columns by name, or a table of another library.
Columns = Union[Stream, Mapping[str, Any]]
#: The figures of a row when none are named.
FIGURES = ("cost", "days", "co2e", "energy", "devices")


class Table:
    """Columns of one length. pandas, Polars, DuckDB and pyarrow read it without a copy::

        pandas.DataFrame.from_arrow(t); polars.DataFrame(t); duckdb.sql("from t"); pyarrow.table(t)
    """

    def __init__(self, columns: Columns) -> None:
        """A table of another library, or columns as lists, arrays, or one value for all rows."""
        self._core = columns if isinstance(columns, _core.Table) else _read(columns)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._core.__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> object:
        return self._core.__arrow_c_schema__()

    def __len__(self) -> int:
        return len(self._core)

    @property
    def column_names(self) -> list[str]:
        """The names of its columns."""
        return self._core.column_names

    def __getitem__(self, name: str) -> list[Any]:
        """The values of a column; None is unknown."""
        if name not in self.column_names:
            raise KeyError(name)
        return self._core.column(name)

    def to_dict(self) -> dict[str, list[Any]]:
        """Its columns as lists."""
        return {name: self[name] for name in self.column_names}

    def to_pandas(self) -> pandas.DataFrame:
        """Its rows as a data frame."""
        import pandas

        from_arrow = getattr(pandas.DataFrame, "from_arrow", None)
        frame = from_arrow(self) if from_arrow else pandas.DataFrame(self.to_dict())
        assert isinstance(frame, pandas.DataFrame)
        return frame

    def __reduce__(self) -> tuple[type[Table], tuple[dict[str, list[Any]]]]:
        return Table, (self.to_dict(),)

    def __repr__(self) -> str:
        return f"Table({len(self)} rows: {', '.join(self.column_names)})"


def _read(columns: Columns) -> _core.Table:
    if isinstance(columns, Stream):
        return _core.Table.read(columns.__arrow_c_stream__())
    lists: dict[str, Any] = {name: _listed(column) for name, column in columns.items()}
    lengths = {len(column) for column in lists.values() if isinstance(column, list)}
    length = lengths.pop() if lengths else 1
    if lengths:
        raise ValueError("the columns are not of one length")
    spread = [(n, c if isinstance(c, list) else [c] * length) for n, c in lists.items()]
    return _core.Table.of(spread)


def _listed(column: Any) -> Any:
    """A column as a list of Python's own values; a single value stands for all rows."""
    if callable(getattr(column, "tolist", None)):
        return column.tolist()
    if callable(getattr(column, "to_list", None)):
        return column.to_list()
    single = isinstance(column, str) or not hasattr(column, "__iter__")
    return column if single else list(column)


class Kernel:
    """A pure function from a table of keys to the same table with figures.

    It keeps what rows share from table to table, may be called from several threads, and is pickled by
    its arguments: hand it to Ray, Spark, Dask or DataFusion (see :mod:`flopcast.udf`).
    """

    def __init__(
        self,
        scenario: Scenario | None = None,
        /,
        *,
        figures: Sequence[str] = FIGURES,
        keep: Sequence[str] = (),
        set: Set = None,
        threads: int | None = None,
        **overrides: Any,
    ) -> None:
        self._asked = request(scenario, set, overrides)
        self.figures = list(figures)
        self.keep = list(keep)
        self.threads = threads
        self._rows = self._open()

    def _open(self) -> _core.Rows:
        asked = self._asked
        return _core.Rows(asked.json(), asked.paths, self.figures, self.threads or 0)

    @property
    def columns(self) -> list[str]:
        """The names of the figures' columns, with their units."""
        return self._rows.columns

    def __call__(self, columns: Columns, *, progress: Progress | None = None) -> Table:
        """The table with the figures of each row, then ``obstacle``: why a row cannot be done."""
        table = columns._core if isinstance(columns, Table) else _read(columns)
        watch = None
        if progress is not None:
            heard, rows = progress, max(len(table), 1)

            def watch(done: int) -> object:
                return heard("rows", done / rows)

        return Table(self._rows.forecast(table, self.keep, watch))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_rows"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._rows = self._open()


def many(
    scenario: Scenario | None,
    columns: Columns,
    /,
    *,
    figures: Sequence[str] = FIGURES,
    keep: Sequence[str] = (),
    set: Set = None,
    threads: int | None = None,
    progress: Progress | None = None,
    **overrides: Any,
) -> Table:
    """Forecasts every row of a table whose columns are named as keys of the scenario.

    ::

        flopcast.many("run.yaml", {"training.hardware.count": [64, 128], "placement.pue": 1.1})
        flopcast.many("run.yaml", polars_frame, figures=["cost", "training.mfu"], keep=["id"])

    Names may have two underscores for each dot. An empty cell leaves the scenario's own value. The result has the columns that came in, then the
    figures (short names or paths), then ``obstacle``: why a row cannot be done. Digits are those of
    :func:`estimate`; services that have an SLO are simulated by shorter runs, as ``sweep`` does. All
    cores work, or ``threads`` of them, without the interpreter's lock.
    """
    kernel = Kernel(
        scenario, figures=figures, keep=keep, set=set, threads=threads, **overrides
    )
    return kernel(columns, progress=progress)
