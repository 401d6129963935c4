"""What a run took, beside what was forecast."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from flopcast.questions import Set, estimate
from flopcast.results import Estimate
from flopcast.scenario import Scenario


class Track:
    """A run that is measured from ``with`` to its end; see :func:`track`."""

    def __init__(self, forecast: Estimate, out: Path | None, devices: float | None) -> None:
        self.forecast = forecast
        self._out = out
        training = forecast.to_dict().get("training") or {}
        self.devices: float | None = devices if devices is not None else training.get("devices")
        #: What is written, once the run has ended.
        self.result: dict[str, Any] = {}

    def __enter__(self) -> Track:
        self._day = datetime.datetime.now(datetime.timezone.utc)
        self._meter = _joules()
        self._start = time.monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        hours = (time.monotonic() - self._start) / 3600
        kwh, metered = _metered(self._meter, _joules())
        device_hours = None if self.devices is None else hours * self.devices
        # Meters of some of the devices say nothing of all.
        whole = kwh if metered == self.devices else None
        forecast = self.forecast.figures()
        planned = {
            "device_hours": forecast.get("training.device_hours"),
            "energy_kwh": forecast.get("training.energy_kwh.it"),
            "cost_usd": forecast.get("training.cost_usd"),
        }
        hourly = _ratio(planned["cost_usd"], planned["device_hours"])
        actual = {
            "hours": hours,
            "devices": self.devices,
            "device_hours": device_hours,
            "energy_kwh": whole,
            "cost_usd": None if None in (hourly, device_hours) else hourly * device_hours,  # type: ignore[operator]
        }
        self.result = {
            "schema": "flopcast.track/1",
            "scenario": self.forecast["scenario"],
            "start": self._day.isoformat(timespec="seconds"),
            "finished": kind is None,
            "forecast": planned,
            "actual": actual,
            "ratio": {key: _ratio(actual[key], planned[key]) for key in planned},
            "metered": {"devices": metered, "energy_kwh": kwh},
            "notes": [
                "energy is that of the devices by NVML; the forecast's is of the machines",
                "cost is device-hours at the forecast's price",
            ],
        }
        if self._out is not None:
            text = json.dumps(self.result, indent=2) + "\n"
            part = self._out.with_name(f".{self._out.name}.{os.getpid()}.part")
            part.write_text(text, encoding="utf-8")
            os.replace(part, self._out)


def track(
    scenario: Scenario | None = None,
    /,
    *,
    out: str | os.PathLike[str] | None = None,
    devices: float | None = None,
    force: bool = False,
    set: Set = None,
    **overrides: Any,
) -> Track:
    """Measures a run, and writes what it took beside its forecast at the end::

        with flopcast.track("run.yaml", out="run.actual.json"):
            train()

    Device-hours are the time of the block x ``devices`` (those of the forecast when left out). Energy is
    read from NVML where ``pynvml`` (nvidia-ml-py) is installed and meters as many devices; else it is
    None. The scenario is forecast before the run, so that a mistake in it costs nothing.
    """
    target = None if out is None else Path(out)
    if target is not None and target.exists() and not force:
        raise FileExistsError(f"{target} exists already; force=True writes over it")
    return Track(estimate(scenario, set=set, **overrides), target, devices)


def _joules() -> list[float | None]:
    """What each device of this machine has drawn since its driver was loaded; empty without NVML."""
    try:
        import pynvml
    except ImportError:
        return []
    # NVML's errors are of one class, which a machine without a GPU raises first.
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    meters: list[float | None] = []
    for index in range(pynvml.nvmlDeviceGetCount()):
        meter: float | None = None
        with contextlib.suppress(pynvml.NVMLError):
            device = pynvml.nvmlDeviceGetHandleByIndex(index)
            meter = pynvml.nvmlDeviceGetTotalEnergyConsumption(device) / 1e3
        meters.append(meter)
    pynvml.nvmlShutdown()
    return meters


def _metered(before: list[float | None], after: list[float | None]) -> tuple[float | None, int]:
    """Energy between two readings in kWh, and of how many devices; None where one has no meter."""
    pairs = list(zip(before, after))
    known = [(b, a) for b, a in pairs if a is not None and b is not None and a >= b]
    if not pairs or len(known) < len(pairs):
        return None, len(known)
    return sum(a - b for b, a in known) / 3.6e6, len(known)


def _ratio(actual: float | None, planned: float | None) -> float | None:
    return None if actual is None or not planned else actual / planned
