"""Tables of what-ifs: digits of `estimate`, and every library's columns."""

import math
import pickle
import threading
from typing import Any

import pytest

import flopcast
from conftest import RUN

COUNT, PUE, GRID = "training.hardware.count", "placement.pue", "placement.grid"
COLUMNS: dict[str, list[Any]] = {
    COUNT: [8, 16, 24, None, 16],
    PUE: [1.1, 1.25, None, 1.07, 1.3],
    GRID: ["400 gCO2e/kWh", "37.5 gCO2e/kWh", None, "0.4 kgCO2e/kWh", "123.456789 gCO2e/kWh"],
}
FIGURES = ["cost", "days", "co2e", "energy", "devices", "training.mfu"]


def rows(table: flopcast.Table) -> list[tuple[Any, ...]]:
    return list(zip(*table.to_dict().values()))


def test_digits_are_those_of_estimate() -> None:
    table = flopcast.many(RUN, COLUMNS, figures=FIGURES)
    assert len(table) == 5
    for row in range(5):
        keys = {key: column[row] for key, column in COLUMNS.items() if column[row] is not None}
        alone = flopcast.estimate(RUN, set=keys)
        assert table["cost_usd"][row] == alone.training.cost_usd.total
        assert table["days"][row] == alone.training.wall_clock_days
        assert table["co2e_kg"][row] == alone["training.co2e_kg.location"]
        assert table["training.mfu"][row] == alone.training.mfu


def test_what_came_in_goes_out() -> None:
    table = flopcast.many(RUN, COLUMNS | {"id": list("abcde")}, keep=["id"], figures=["cost"])
    assert table.column_names == [*COLUMNS, "id", "cost_usd", "obstacle"]
    assert {key: table[key] for key in COLUMNS} == COLUMNS
    assert table["id"] == list("abcde")
    assert table["obstacle"] == [None] * 5


def test_a_row_that_cannot_be_done_says_why() -> None:
    table = flopcast.many(RUN, {"training.hardware.accelerator": ["a100-sxm-80gb", "abacus"]})
    assert table["cost_usd"][0] and table["cost_usd"][1] is None
    assert table["obstacle"][0] is None and "abacus" in table["obstacle"][1]


def test_one_value_stands_for_all_rows() -> None:
    table = flopcast.many(RUN, {COUNT: [8, 16], PUE: 1.2, GRID: "100 gCO2e/kWh"})
    assert table[PUE] == [1.2, 1.2]
    assert table["days"][0] > table["days"][1]


def test_tables_in_pieces_are_as_whole_ones() -> None:
    kernel = flopcast.Kernel(RUN, figures=FIGURES)
    pieces = [rows(kernel({key: column[at : at + 2] for key, column in COLUMNS.items()})) for at in (0, 2, 4)]
    assert sum(pieces, []) == rows(kernel(COLUMNS))
    again = pickle.loads(pickle.dumps(kernel))
    assert rows(again(COLUMNS)) == rows(kernel(COLUMNS))


def test_names_may_have_underscores_for_dots() -> None:
    table = flopcast.many(RUN, {name.replace(".", "__"): column for name, column in COLUMNS.items()})
    assert table["cost_usd"] == flopcast.many(RUN, COLUMNS)["cost_usd"]
    with pytest.raises(flopcast.InputError, match="two columns"):
        flopcast.many(RUN, {PUE: [1.1], PUE.replace(".", "__"): [1.2]})


def test_threads_do_not_matter() -> None:
    count = list(range(8, 808, 8))
    alone = rows(flopcast.many(RUN, {COUNT: count}, threads=1))
    kernel = flopcast.Kernel(RUN)
    found: list[Any] = []
    askers = [threading.Thread(target=lambda: found.append(rows(kernel({COUNT: count})))) for _ in range(4)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert found == [alone] * 4


def test_empty_tables() -> None:
    alone = flopcast.many(RUN, {"id": [1, 2]}, keep=["id"], figures=["days"])
    assert alone["days"] == [flopcast.estimate(RUN).training.wall_clock_days] * 2
    assert len(flopcast.many(RUN, {COUNT: []})) == 0
    assert flopcast.many(RUN, {COUNT: []}).column_names[0] == COUNT


def test_progress() -> None:
    heard: list[float] = []
    flopcast.many(RUN, COLUMNS, progress=lambda what, share: heard.append(share))
    assert heard[-1] == 1

    def refuse(what: str, share: float) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        flopcast.many(RUN, COLUMNS, progress=refuse)


def frames() -> list[Any]:
    import numpy as np
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    frame = pd.DataFrame({COUNT: [8.0, 16, 24, np.nan, 16], PUE: COLUMNS[PUE], GRID: COLUMNS[GRID]})
    arrow = pa.table(COLUMNS)
    return [
        frame,
        frame.astype({GRID: "category"}),
        pl.DataFrame(COLUMNS),
        pl.DataFrame(COLUMNS).with_columns(pl.col(GRID).cast(pl.Categorical)),
        arrow,
        arrow.cast(pa.schema([(COUNT, pa.int16()), (PUE, pa.float64()), (GRID, pa.large_string())])),
        pa.concat_tables([arrow.slice(0, 2), arrow.slice(2)]),
        {COUNT: COLUMNS[COUNT], PUE: COLUMNS[PUE], GRID: np.array(COLUMNS[GRID], dtype=object)},
    ]


def test_tables_of_other_libraries() -> None:
    pytest.importorskip("pandas"), pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    whole = flopcast.many(RUN, COLUMNS)
    for frame in frames():
        assert flopcast.many(RUN, frame)["cost_usd"] == whole["cost_usd"], type(frame)


def test_other_libraries_read_it() -> None:
    pl, pa, pd = (pytest.importorskip(name) for name in ("polars", "pyarrow", "pandas"))
    duckdb = pytest.importorskip("duckdb")
    forecasts = table = flopcast.many(RUN, COLUMNS)
    cost = table["cost_usd"]
    assert pl.DataFrame(table)["cost_usd"].to_list() == cost
    assert pa.table(table)["cost_usd"].to_pylist() == cost
    assert table.to_pandas()["cost_usd"].tolist() == cost
    assert isinstance(table.to_pandas(), pd.DataFrame)
    told = duckdb.sql('select max("cost_usd"), count(*) from forecasts').fetchall()
    assert told == [(max(cost), 5)]


def test_columns_of_duckdb_come_in() -> None:
    duckdb = pytest.importorskip("duckdb")
    relation = duckdb.sql(f'select 8 * (1 + range % 3) as "{COUNT}" from range(5000)')
    table = flopcast.many(RUN, relation)
    assert len(table) == 5000
    assert len(set(table["days"])) == 3


def test_columns_that_are_no_values() -> None:
    pa = pytest.importorskip("pyarrow")
    with pytest.raises(flopcast.InputError, match="cast"):
        flopcast.many(RUN, pa.table({COUNT: [[8], [16]]}))
    with pytest.raises(flopcast.InputError, match="two columns"):
        flopcast.many(RUN, pa.table([[8], [16]], names=[COUNT, COUNT]))


def test_adapters() -> None:
    pa = pytest.importorskip("pyarrow")
    from flopcast import udf

    kernel = flopcast.Kernel(RUN, threads=1)
    table = pa.table(COLUMNS)
    whole = flopcast.many(RUN, COLUMNS)["cost_usd"]
    assert udf.arrow(kernel)(table)["cost_usd"].to_pylist() == whole
    batches = pickle.loads(pickle.dumps(udf.spark(kernel)))(table.to_batches(2))
    assert pa.Table.from_batches(batches)["cost_usd"].to_pylist() == whole


def test_figures_are_finite() -> None:
    table = flopcast.many(RUN, {COUNT: list(range(8, 264, 8))})
    assert all(math.isfinite(value) for value in table["cost_usd"])
