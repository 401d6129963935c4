"""The questions: each is a command, with its options as arguments."""

from __future__ import annotations

import datetime
import json
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flopcast import _core
from flopcast.results import Answer, Derivation, Estimate, Figures
from flopcast.scenario import Config, Module, Request, Scenario, is_path, parameters, request, varied

#: Hears what is being done and the share of it that is done, from 0 to 1.
Progress = Callable[[str, float], object]
#: Keys to set: ``{"training.hardware.count": 512}``, or as the command line takes them.
Set = Mapping[str, Any] | Sequence[str] | None


def _ask(
    question: str,
    asked: Request,
    progress: Progress | None = None,
    *,
    told: int | None = 3,
    **options: Any,
) -> tuple[bytes, list[str], bool]:
    """The answer to a question. What there is to tell is a warning where the caller is, ``told`` calls
    above; None tells nothing, for it was told before."""
    today = datetime.date.today().isoformat() if question == "catalog" else None
    content = asked.json(**options)
    answer, notes, kept = _core.ask(question, content, asked.paths, today, progress)
    if told is not None:
        for note in notes:
            warnings.warn(note, stacklevel=told)
    return answer, notes, kept


def _answer(
    question: str,
    asked: Request,
    progress: Progress | None = None,
    *,
    told: int | None = 4,
    **options: Any,
) -> Answer:
    content, notes, kept = _ask(question, asked, progress, told=told, **options)
    values = json.loads(content)
    return Answer(values if isinstance(values, dict) else {"rows": values}, kept, notes)


def estimate(
    scenario: Scenario | None = None,
    /,
    *,
    set: Set = None,
    samples: int | None = None,
    seed: int | None = None,
    model_error: bool | None = None,
    simulate: bool = False,
    requests: int | None = None,
    seeds: int | None = None,
    progress: Progress | None = None,
    **overrides: Any,
) -> Estimate:
    """The forecast of a scenario: a path, a text of YAML, its keys, or a model of transformers or
    PyTorch.

    Keys are overridden with two underscores for each dot, or by their path::

        flopcast.estimate("run.yaml", training__hardware__count=512)
        flopcast.estimate("run.yaml", set={"training.hardware.count": 512})
        flopcast.estimate(model="7B", data__tokens="1T", training__precision="bf16", training__hardware="64x H100")

    ``samples`` and ``seed`` are of the ranges, ``requests`` and ``seeds`` of the simulation of a
    service.
    """
    asked = request(scenario, set, overrides)
    ranges: dict[str, Any] = {"samples": samples, "seed": seed, "simulate": simulate or None}
    more: dict[str, Any] = {"model_error": model_error, "requests": requests, "seeds": seeds}
    content, notes, kept = _ask("estimate", asked, progress, **ranges, **more)
    return Estimate(json.loads(content), kept, notes, _Asked(asked, ranges))


@dataclass(frozen=True)
class _Asked:
    """What a forecast was asked for: plain data, so that another process can ask on."""

    request: Request
    ranges: dict[str, Any]

    def write(self, form: str) -> bytes:
        return _ask("report", self.request, told=None, format=form, **self.ranges)[0]

    def explain(self, figure: str | None) -> Answer:
        simulated = self.ranges["simulate"]
        answer = _answer("explain", self.request, told=None, figure=figure, simulate=simulated)
        if figure is None:
            return answer
        return Derivation(answer.to_dict(), answer.kept, answer.notes)


def model(
    *models: str | Config | Module, progress: Progress | None = None, **options: Any
) -> Answer:
    """Parameters, FLOPs and bytes of architectures: presets by name, sizes (``7B``), configurations of
    transformers, modules of PyTorch.

    Options are those of ``flopcast model``: ``batch``, ``seq_len``, ``training``, ``layers``, ``on``
    (a device), ``precision``, ``compress``, ``decode`` and others.
    """
    asked = Request()
    asked.keys["models"] = [_model(asked, it) for it in models]
    return _answer("model", asked, progress, **options)


def _model(asked: Request, of: str | Config | Module) -> str:
    if isinstance(of, str):
        if os.path.exists(of):
            asked.paths.append(of)
        return of
    config = of if isinstance(of, Config) else getattr(of, "config", None)
    if isinstance(config, Config):
        return asked.config(config)
    assert isinstance(of, Module)
    return f"{parameters(of) / 1e9!r}B"


def capacity(
    scenario: Scenario | None = None,
    /,
    *,
    set: Set = None,
    vary: Mapping[str, Any] | Sequence[str] | None = None,
    requests: int | None = None,
    seeds: int | None = None,
    progress: Progress | None = None,
    **overrides: Any,
) -> Answer:
    """The fleet that keeps a service's SLO at its traffic; with ``vary``, the fleets of several devices
    or layouts."""
    asked = request(scenario, set, overrides)
    axes = varied(vary) if vary is not None else None
    return _answer("capacity", asked, progress, vary=axes, requests=requests, seeds=seeds)


def sweep(
    scenario: Scenario | None = None,
    /,
    *,
    vary: Mapping[str, Any] | Sequence[str],
    set: Set = None,
    pareto: Sequence[str] | None = None,
    figures: Sequence[str] | None = None,
    front: bool = False,
    progress: Progress | None = None,
    **overrides: Any,
) -> Answer:
    """All combinations of some values, and the front of those that no other beats.

    ``vary={"training.hardware.count": "64..1024*2", "placement.region": ["us-east-1", "eu-north-1"]}``;
    ``to_pandas()`` has a row for each. For a table of values of your own, see :func:`many`.
    """
    asked = request(scenario, set, overrides)
    options: dict[str, Any] = {"vary": varied(vary), "pareto": pareto, "figures": figures, "front": front or None}
    return _answer("sweep", asked, progress, **options)


def optimize(
    scenario: Scenario | None = None,
    /,
    *,
    set: Set = None,
    progress: Progress | None = None,
    options: Mapping[str, Any] | None = None,
    **overrides: Any,
) -> Answer:
    """The best device, place, purchase and size within limits; ``options`` are those of ``flopcast
    optimize``: ``{"objective": ["cost"], "deadline": "60 days", "max_cost": "2M"}``."""
    return _answer("optimize", request(scenario, set, overrides), progress, **(options or {}))


def compare(
    before: Scenario | Estimate,
    after: Scenario | Estimate,
    /,
    *,
    set: Set = None,
    set_before: Set = None,
    by: Sequence[str] | None = None,
) -> Answer:
    """Two forecasts line by line, with the inputs that explain the difference.

    ``set`` is of the second, ``set_before`` of the first. ``by`` are the figures by which the effect of
    an input is measured; cost and co2e when left out.
    """
    first, second = _side(before, set_before), _side(after, set)
    asked = Request(paths=first.paths + second.paths)
    second.files.update(first.files)
    asked.files = second.files
    asked.keys = {
        "before": first.keys["scenario"],
        "set_before": first.keys["set"],
        "after": second.keys["scenario"],
        "set": second.keys["set"],
    }
    return _answer("compare", asked, by=by)


def _side(side: Scenario | Estimate, set: Set) -> Request:
    return request(side.to_dict() if isinstance(side, Figures) else side, set)


def check(
    scenario: Scenario | None = None,
    /,
    *,
    policy: Mapping[str, Any] | str | os.PathLike[str],
    baseline: Estimate | Mapping[str, Any] | None = None,
    set: Set = None,
    **overrides: Any,
) -> Answer:
    """A forecast against the limits of a policy; ``kept`` is False if one that fails is broken.

    ``policy`` is a path, the text of one, or its keys: ``{"limits": [{"figure": "cost", "max": "5M
    USD"}]}``.
    """
    earlier = baseline.to_dict() if isinstance(baseline, Figures) else baseline
    if isinstance(policy, os.PathLike) or (isinstance(policy, str) and is_path(policy)):
        with open(policy, encoding="utf-8") as file:
            policy = file.read()
    asked = request(scenario, set, overrides)
    return _answer("check", asked, policy=policy, baseline=earlier)


def catalog(
    table: str | None = None,
    /,
    *words: str,
    show: str | Sequence[str] | None = None,
    purchase: str | None = None,
) -> Answer:
    """The rows of a table that have each of the words; or, with ``show``, everything about a name.

    ``catalog()`` lists the tables, ``catalog("accelerators", "h100")`` some rows, ``catalog(show="h100-sxm")``
    tells all about one.
    """
    names = [show] if isinstance(show, str) else show
    options: dict[str, Any] = {"list": table, "words": list(words) or None, "show": names, "purchase": purchase}
    return _answer("catalog", Request(), **options)
