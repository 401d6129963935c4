"""Answers have attributes, print, and are written."""

import pickle
from pathlib import Path

import pytest

import flopcast
from conftest import RUN


def test_figures_are_attributes_and_items() -> None:
    r = flopcast.estimate(RUN)
    assert r.training.wall_clock_days == r["training.wall_clock_days"] == r["training"]["wall_clock_days"] > 0
    assert r.figures()["training.wall_clock_days"] == r.training.wall_clock_days
    assert r.warnings == r.to_dict()["warnings"]
    assert "training" in dir(r)
    with pytest.raises(AttributeError, match="did you mean wall_clock_days"):
        _ = r.training.wall_clock_dayz
    with pytest.raises(KeyError):
        _ = r["training.nothing.there"]


def test_unknown_is_none() -> None:
    scenario = {"model": "7B", "data": {"tokens": "1T"}, "training": {"precision": "bf16", "hardware": "64x A100"}}
    r = flopcast.estimate(scenario)
    assert r.tco.total_usd is None
    assert r.training.wall_clock_days > 0
    assert "unknown" in r._repr_html_()


def test_a_copy_is_handed_out() -> None:
    r = flopcast.estimate(RUN)
    r.to_dict()["training"]["wall_clock_days"] = 0
    assert r.training.wall_clock_days > 0


def test_it_prints_as_the_command_line_does() -> None:
    r = flopcast.estimate(RUN)
    assert repr(r) == str(r)
    assert "LoRA fine-tuning of Llama 3 8B" in str(r)
    assert pickle.loads(pickle.dumps(r)).training.wall_clock_days == r.training.wall_clock_days
    again = pickle.loads(pickle.dumps(r))
    assert str(again) == str(r)
    assert repr(again.explain("training.mfu")) == repr(r.explain("training.mfu"))


def test_rows_of_a_sweep_are_a_table() -> None:
    pytest.importorskip("pandas")
    vary = {"training.hardware.count": [8, 16], "placement.region": "us-west-2"}
    frame = flopcast.sweep(RUN, vary=vary, figures=["days"]).to_pandas()
    assert list(frame["training.hardware.count"]) == [8, 16]
    assert set(frame["placement.region"]) == {"us-west-2"}
    assert (frame["days"] > 0).all()


def test_derivations_print_as_trees() -> None:
    tree = repr(flopcast.estimate(RUN).explain("training.wall_clock_days"))
    assert tree.startswith("training.wall_clock_days = ")
    assert "\n  " in tree


def test_html_runs_nothing() -> None:
    r = flopcast.estimate(RUN, name="<script>alert(1)</script>")
    assert "<script" not in r._repr_html_()
    assert "&lt;script" in r._repr_html_()


@pytest.mark.parametrize(
    ("name", "start"),
    [("r.html", b"<!DOCTYPE html"), ("r.xlsx", b"PK"), ("r.md", b"#"), ("r.json", b"{"), ("r.focus.csv", b"")],
)
def test_reports(tmp_path: Path, name: str, start: bytes) -> None:
    r = flopcast.estimate(RUN)
    written = r.report(tmp_path / name)
    content = written.read_bytes()
    assert content.lower().startswith(start.lower())
    with pytest.raises(FileExistsError):
        r.report(written)
    r.report(written, force=True)
    assert written.read_bytes() == content
    with pytest.raises(ValueError, match="which document"):
        r.report(tmp_path / "r.pdf")


def test_data_frames() -> None:
    pytest.importorskip("pandas")
    frame = flopcast.estimate(RUN).to_pandas()
    assert frame.set_index("figure").value["training.devices"] == 8
    rows = flopcast.sweep(RUN, vary={"training.hardware.count": [8, 16]}).to_pandas()
    assert len(rows) == 2
