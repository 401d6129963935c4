"""The kernel on other people's clusters: each adapter is a few lines, the cluster work is theirs.

::

    kernel = flopcast.Kernel("run.yaml", figures=["cost", "days"], threads=1)
    ray.data.read_parquet("params.parquet").map_batches(udf.arrow(kernel), batch_format="pyarrow")
    frame.mapInArrow(udf.spark(kernel), udf.spark_schema(frame, kernel))
    context.register_udf(udf.datafusion(kernel, ["placement.pue"], "cost"))
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from flopcast.table import Kernel


def arrow(kernel: Kernel) -> Callable[[Any], Any]:
    """From a pyarrow table to a pyarrow table: ``map_batches`` of Ray Data, and others."""
    return _Arrow(kernel)


def spark(kernel: Kernel) -> Callable[[Iterable[Any]], Iterator[Any]]:
    """From batches to batches: ``mapInArrow`` of Spark, whose columns have ``__`` for dots."""
    return _Spark(kernel)


class _Arrow:
    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def __call__(self, table: Any) -> Any:
        import pyarrow

        return pyarrow.table(self.kernel(table))


class _Spark:
    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def __call__(self, batches: Iterable[Any]) -> Iterator[Any]:
        import pyarrow

        for batch in batches:
            yield from pyarrow.table(self.kernel(pyarrow.Table.from_batches([batch]))).to_batches()


def spark_schema(frame: Any, kernel: Kernel) -> str:
    """The schema of ``mapInArrow``: the frame's columns, the figures, the obstacle."""
    own = [f"`{field.name}` {field.dataType.simpleString()}" for field in frame.schema.fields]
    figures = [f"`{name}` double" for name in kernel.columns]
    return ", ".join([*own, *figures, "`obstacle` string"])


def datafusion(kernel: Kernel, keys: Sequence[str], figure: str, name: str = "flopcast") -> Any:
    """A scalar function of DataFusion: values of ``keys`` to one figure.

    Keys are given as numbers; a figure is a short name or a path of the kernel's.
    """
    import pyarrow
    from datafusion import udf

    heading = kernel.columns[kernel.figures.index(figure)]

    def column(*values: Any) -> Any:
        table = pyarrow.table(list(values), names=list(keys))
        return pyarrow.table(kernel(table))[heading].combine_chunks()

    types = [pyarrow.float64()] * len(keys)
    return udf(column, types, pyarrow.float64(), "immutable", name)
