"""A run is measured beside its forecast; a stand-in meters the devices."""

import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest

import flopcast
from conftest import RUN


def nvml(devices: int, broken: bool = False) -> Any:
    """A pynvml whose devices draw 3.6 kJ between two readings."""
    module = types.ModuleType("pynvml")
    readings = iter(range(1000))

    class NVMLError(Exception):
        pass

    def consumption(index: int) -> int:
        if broken and index == 0:
            raise NVMLError
        return next(readings) // devices * 3_600_000

    module.NVMLError = NVMLError  # type: ignore[attr-defined]
    module.nvmlInit = module.nvmlShutdown = lambda: None  # type: ignore[attr-defined]
    module.nvmlDeviceGetCount = lambda: devices  # type: ignore[attr-defined]
    module.nvmlDeviceGetHandleByIndex = lambda index: index  # type: ignore[attr-defined]
    module.nvmlDeviceGetTotalEnergyConsumption = consumption  # type: ignore[attr-defined]
    return module


def test_hours_and_energy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", nvml(8))
    out = tmp_path / "run.json"
    with flopcast.track(RUN, out=out) as run:
        pass
    told = json.loads(out.read_text())
    assert told == run.result
    assert told["finished"] is True
    assert told["actual"]["devices"] == 8
    assert told["actual"]["device_hours"] == pytest.approx(told["actual"]["hours"] * 8)
    assert told["actual"]["energy_kwh"] == pytest.approx(8 * 3.6e3 / 3.6e6)
    assert told["forecast"]["device_hours"] == flopcast.estimate(RUN).training.device_hours
    assert told["ratio"]["energy_kwh"] > 0
    assert [it.name for it in tmp_path.iterdir()] == ["run.json"]


@pytest.mark.parametrize("module", [None, nvml(4), nvml(8, broken=True)], ids=["none", "few", "broken"])
def test_what_is_not_metered_is_unknown(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", module)
    with flopcast.track(RUN) as run:
        pass
    assert run.result["actual"]["energy_kwh"] is None
    assert run.result["ratio"]["energy_kwh"] is None


def test_a_run_that_fails_is_written_too(tmp_path: Path) -> None:
    out = tmp_path / "run.json"
    with pytest.raises(ZeroDivisionError), flopcast.track(RUN, out=out):
        _ = 1 / 0
    assert json.loads(out.read_text())["finished"] is False


def test_nothing_is_written_over_unasked(tmp_path: Path) -> None:
    out = tmp_path / "run.json"
    out.write_text("mine")
    with pytest.raises(FileExistsError):
        flopcast.track(RUN, out=out)
    assert out.read_text() == "mine"


def test_a_wrong_scenario_is_told_before_the_run() -> None:
    with pytest.raises(flopcast.InputError):
        flopcast.track({"modle": "7B"})
