"""Errors say what, where and what next; hostile input gets one."""

import pickle
from pathlib import Path
from typing import Any

import pytest

import flopcast
from conftest import RUN


def test_an_error_has_path_place_and_hint() -> None:
    text = "model: 7B\ndata: {tokens: 1T}\ntraining:\n  hardware: {acelerator: h100-sxm, count: 8}\n"
    with pytest.raises(flopcast.InputError) as caught:
        flopcast.estimate(text)
    error = caught.value
    assert error.path == "training.hardware.acelerator"
    assert error.place is not None
    assert (error.place.line, error.place.text.strip()[:9]) == (4, "hardware:")
    assert "accelerator" in str(error.hint)
    assert isinstance(error, ValueError)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.path, again.place) == (str(error), error.path, error.place)


def test_all_faults_are_told() -> None:
    with pytest.raises(flopcast.InputError) as caught:
        flopcast.estimate({"modle": "7B", "traning": {}})
    paths = [caught.value.path, *(other.path for other in caught.value.others)]
    assert paths[:2] == ["modle", "traning"]


def test_what_is_no_scenario_is_said() -> None:
    with pytest.raises(flopcast.InputError, match="model='llama-3-8b'"):
        flopcast.estimate("llama-3-8b", data__tokens="1T")
    with pytest.raises(flopcast.InputError, match="placement.pue"):
        flopcast.estimate(RUN, placement__pue=float("nan"))


def test_limits_are_errors_of_their_own() -> None:
    service = "scenarios/llama-3-70b-serving.yaml"
    with pytest.raises(flopcast.LimitError):
        flopcast.capacity(service, set={"inference.slo": {"ttft": "1 us"}}, requests=200)


nested: dict[str, Any] = {}
deepest = nested
for _ in range(5000):
    deepest["model"] = {}
    deepest = deepest["model"]
circle: dict[str, Any] = {"model": "7B"}
circle["data"] = circle


@pytest.mark.parametrize(
    "scenario",
    [
        "",
        "[]",
        "model: [",
        "a: &a [1]\nb: &b [*a, *a]\nc: [*b, *b]\nmodel: x",
        "x" * (2 << 20),
        "model: " + "[" * 10_000,
        "model: 7B\nmodel: 8B",
        {"model": float("nan")},
        {"model": b"7B"},
        {"model": object()},
        {"data": {"tokens": -1}, "model": "7B"},
        {"extends": "../../../etc/passwd"},
        {"model": "/etc/passwd"},
        {"model": {"hf_config": "../../etc/hostname"}},
        "no-such-file.yaml",
        Path("no-such-file.sbatch"),
        nested,
        circle,
    ],
)
def test_hostile_scenarios_get_an_error(scenario: Any) -> None:
    errors = (flopcast.FlopcastError, ValueError, TypeError, OSError, RecursionError)
    with pytest.raises(errors) as caught:
        flopcast.estimate(scenario)
    assert "root:" not in str(caught.value)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"training.hardware.cuont": [8]}, "cuont"),
        ({"training.hardware.count": [8, "many"]}, "row 1"),
        ({"training.hardware.count": [8, float("nan")]}, "row 1"),
        ({"training.hardware.count": [8, -8]}, "row 1"),
        ({"training.hardware.count": [8, object()]}, "neither a number"),
        ({"training.hardware.count": [8, 16], "placement.pue": [1.1]}, "one length"),
        ({"a" * 100_000: [1]}, "key"),
        ({"placement.pue": ["[" * 10_000]}, "row 0"),
    ],
)
def test_hostile_tables_get_an_error(columns: dict[str, Any], said: str) -> None:
    with pytest.raises((flopcast.InputError, TypeError, ValueError), match=said):
        flopcast.many(RUN, columns)


def test_unknown_figures_and_columns() -> None:
    with pytest.raises(flopcast.InputError, match="there is no figure"):
        flopcast.many(RUN, {"placement.pue": [1.1]}, figures=["training.dayz"])
    with pytest.raises(flopcast.InputError, match="no figure"):
        flopcast.estimate(RUN).explain("training.dayz")
    with pytest.raises(flopcast.InputError, match="did you mean `batch`"):
        flopcast.model("resnet50", batsh=2)
