"""``python -m flopcast sweep SCENARIO --from IN.parquet -o OUT.parquet``: what-ifs from a file to a file.

Rows stream through in order, so that memory does not grow with their number. Parquet and Arrow IPC are read
and written by pyarrow; ``flopcast sweep --from`` of the command line does the same with CSV.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flopcast.errors import FlopcastError, InputError
from flopcast.table import FIGURES, Kernel

#: Rows that are forecast at a time.
TOGETHER = 65_536


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; the exit code is that of the command line."""
    parser = argparse.ArgumentParser("python -m flopcast", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    sweep = commands.add_parser("sweep", help="forecast every row of a table of what-ifs")
    sweep.add_argument("scenario", type=Path, help="the scenario file")
    sweep.add_argument("--from", dest="source", required=True, type=Path, metavar="IN.parquet", help="columns are keys of the scenario")
    sweep.add_argument("-o", "--out", required=True, type=Path, metavar="OUT.parquet", help="the same columns, then the figures")
    sweep.add_argument("--keep", default="", metavar="NAME,...", help="columns that are no keys and pass through")
    sweep.add_argument("--figures", default=",".join(FIGURES), metavar="AIM,...", help="the figures of each row")
    sweep.add_argument("--threads", type=int, help="how many cores work; all when left out")
    sweep.add_argument("--force", action="store_true", help="write over a file that exists")
    try:
        return _sweep(parser.parse_args(arguments))
    except FlopcastError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _sweep(asked: Any) -> int:
    if not asked.scenario.is_file():
        raise InputError(f"there is no file {asked.scenario}")
    if asked.out.exists() and not asked.force:
        raise InputError(f"{asked.out} exists already\n  hint: --force overwrites it")
    words = [text for text in asked.keep.split(",") if text]
    kernel = Kernel(asked.scenario, figures=asked.figures.split(","), keep=words, threads=asked.threads)
    rows = 0
    with _reader(asked.source) as batches, _writer(asked.out) as write:
        for batch in batches:
            write(kernel(batch))
            rows += batch.num_rows
    print(f"{asked.out}: {rows:,} rows", file=sys.stderr)
    return 0


@contextmanager
def _reader(path: Path) -> Iterator[Iterator[Any]]:
    """The rows of a file, batch by batch."""
    import pyarrow
    import pyarrow.parquet

    with _or("read", path):
        if path.suffix == ".parquet":
            with pyarrow.parquet.ParquetFile(path) as file:
                yield (pyarrow.Table.from_batches([it]) for it in file.iter_batches(TOGETHER))
        else:
            with pyarrow.ipc.open_file(path) as file:
                yield (pyarrow.Table.from_batches([file.get_batch(at)]) for at in range(file.num_record_batches))


@contextmanager
def _writer(path: Path) -> Iterator[Any]:
    """Writes tables into a file that is there whole or not at all."""
    import pyarrow
    import pyarrow.parquet

    open_ = pyarrow.parquet.ParquetWriter if path.suffix == ".parquet" else pyarrow.ipc.new_file
    with _or("write", path):
        handle, beside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(handle)
    writer: Any = None

    def write(table: Any) -> None:
        nonlocal writer
        rows = pyarrow.table(table)
        with _or("write", path):
            writer = writer or open_(beside, rows.schema)
            writer.write_table(rows)

    try:
        yield write
        if writer is None:
            raise InputError("the table has no rows")
        with _or("write", path):
            writer.close()
            os.replace(beside, path)
    finally:
        Path(beside).unlink(missing_ok=True)


@contextmanager
def _or(verb: str, path: Path) -> Iterator[None]:
    """Says of which file an error is."""
    import pyarrow

    try:
        yield
    except (OSError, pyarrow.ArrowException) as error:
        raise InputError(f"cannot {verb} {path}: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
