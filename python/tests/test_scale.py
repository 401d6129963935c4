"""A million what-ifs of a Parquet file, on local clusters of Ray and Spark: equal digits.

`pytest --slow -s -k scale` prints rows per second and worker; `ROWS=10000` makes it short, `VALUES=10` lets
rows share what bears upon the run.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import flopcast
from conftest import ROOT, RUN
from flopcast import udf

pytestmark = pytest.mark.slow
ROWS = int(os.environ.get("ROWS", "1000000"))
#: Values of the PUE, and twice as many of the grid; of 10, a million rows are 32 x 10 x 20 combinations.
VALUES = int(os.environ.get("VALUES", "500"))
FIGURES = ["cost", "days", "co2e"]
COLUMNS = ["cost_usd", "days", "co2e_kg"]


@pytest.fixture(scope="session")
def params(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Counts, PUEs and grids in 16 row groups; nearly every row is another combination."""
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    number = range(ROWS)
    table = pa.table(
        {
            "id": list(number),
            "training.hardware.count": [8 * (1 + i % 32) for i in number],
            "placement.pue": [1.05 + (i * 7919 % VALUES) / 1000 for i in number],
            "placement.grid": [f"{20 + (i * 104729 % (2 * VALUES)) / 2} gCO2e/kWh" for i in number],
        }
    )
    path = tmp_path_factory.mktemp("scale") / "params.parquet"
    pq.write_table(table, path, row_group_size=max(ROWS // 16, 1))
    return path


def kernel(threads: int | None = 1) -> flopcast.Kernel:
    return flopcast.Kernel(ROOT / RUN, figures=FIGURES, keep=["id"], threads=threads)


def timed(what: str, workers: int, ask: Callable[[], Any]) -> Any:
    start = time.perf_counter()
    answer = ask()
    rate = ROWS / (time.perf_counter() - start)
    print(f"\n{what}, {workers} workers: {rate:,.0f} rows/s, {rate / workers:,.0f} per worker")
    return answer


@pytest.fixture(scope="session")
def whole(params: Path) -> Any:
    """The answer of one process."""
    pq, pa = pytest.importorskip("pyarrow.parquet"), pytest.importorskip("pyarrow")
    table = pq.read_table(params)
    for threads in (1, 2):
        answer = timed("many()", threads, lambda: pa.table(kernel(threads)(table)))
    alone = flopcast.estimate(
        ROOT / RUN,
        set={name: table[name][ROWS - 1].as_py() for name in table.column_names if name != "id"},
    )
    assert answer["cost_usd"][ROWS - 1].as_py() == alone.training.cost_usd.total
    return answer.select(["id", *COLUMNS])


@pytest.mark.parametrize("workers", [1, 2])
def test_ray(params: Path, whole: Any, workers: int) -> None:
    ray, pa = pytest.importorskip("ray"), pytest.importorskip("pyarrow")
    import ray.data

    ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False)
    try:
        ray.data.DataContext.get_current().enable_progress_bars = False
        run = udf.arrow(kernel())
        read = ray.data.read_parquet(str(params), override_num_blocks=16)

        def ask() -> Any:
            done = read.map_batches(run, batch_format="pyarrow", batch_size=None)
            return pa.concat_tables(ray.get(done.to_arrow_refs()))

        answer = timed("Ray", workers, ask)
    finally:
        ray.shutdown()
    assert answer.select(["id", *COLUMNS]).sort_by("id").equals(whole)


@pytest.mark.parametrize("workers", [1, 2])
def test_spark(params: Path, whole: Any, workers: int) -> None:
    pytest.importorskip("pyspark")
    from pyspark.sql import SparkSession

    session = (
        SparkSession.builder.master(f"local[{workers}]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.memory", "4g")
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", "65536")
        .config("spark.sql.files.maxPartitionBytes", "1m")
        .getOrCreate()
    )
    try:
        frame = session.read.parquet(str(params))
        # Spark takes no dots in the names of columns.
        frame = frame.toDF(*[name.replace(".", "__") for name in frame.columns])
        run, schema = udf.spark(kernel()), udf.spark_schema(frame, kernel())
        done = frame.mapInArrow(run, schema).select("id", *COLUMNS)
        answer = timed("Spark", workers, lambda: done.toArrow())
    finally:
        session.stop()
    assert answer.sort_by("id").cast(whole.schema).equals(whole)


def test_datafusion(params: Path, whole: Any) -> None:
    datafusion = pytest.importorskip("datafusion")
    keys = ["training.hardware.count", "placement.pue"]
    context = datafusion.SessionContext()
    context.register_parquet("params", str(params))
    context.register_udf(udf.datafusion(flopcast.Kernel(ROOT / RUN, threads=1), keys, "days", "run_days"))
    asked = 'select id, run_days(cast("training.hardware.count" as double), "placement.pue") as days'
    answer = timed("DataFusion", 1, lambda: context.sql(f"{asked} from params order by id").to_arrow_table())
    assert answer["days"].to_pylist() == whole["days"].to_pylist()
