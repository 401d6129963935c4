"""`python -m flopcast sweep`: files of what-ifs, streamed."""

from pathlib import Path
from typing import Any

import pytest

import flopcast
from conftest import RUN
from flopcast import __main__ as command

COLUMNS: dict[str, list[Any]] = {
    "id": list(range(7)),
    "training.hardware.count": [8, 16, 24, None, 16, 8, 32],
    "placement.pue": [1.1, 1.25, None, 1.07, 1.3, 1.1, 1.2],
}


def sweep(source: Path, out: Path, *more: str) -> int:
    return command.main(["sweep", RUN, "--from", str(source), "-o", str(out), "--keep", "id", *more])


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_rows_stream_in_order(ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(command, "TOGETHER", 3)
    source, out = tmp_path / f"params.{ending}", tmp_path / f"out.{ending}"
    table = pa.table(COLUMNS)
    if ending == "parquet":
        pq.write_table(table, source)
    else:
        with pa.ipc.new_file(source, table.schema) as file:
            file.write_table(table, max_chunksize=3)
    assert sweep(source, out) == 0
    told = pq.read_table(out) if ending == "parquet" else pa.ipc.open_file(out).read_all()
    assert told.equals(pa.table(flopcast.many(RUN, COLUMNS, keep=["id"])))
    assert sweep(source, out) == 2 and sweep(source, out, "--force") == 0
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_what_is_wrong_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    source, out = tmp_path / "params.parquet", tmp_path / "out.parquet"
    cases: list[tuple[dict[str, list[Any]] | None, str]] = [
        ({"id": [1], "training.hardware.cuont": [8]}, "did you mean `count`?"),
        ({"id": [1], "training.hardware.count": ["many"]}, "row 0, training.hardware.count"),
        ({"id": [1], "placement.pue": [[1.0]]}, "column `placement.pue` is of the type"),
        (None, "cannot read"),
    ]
    for columns, expected in cases:
        source.write_bytes(b"no Parquet")
        if columns is not None:
            pq.write_table(pa.table(columns), source)
        assert sweep(source, out) == 2, expected
        assert expected in capsys.readouterr().err
        assert not out.exists()
