"""Every question answers as its command does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import flopcast
from conftest import RUN, SCENARIOS

Cli = Callable[..., Any]
POLICY = {"limits": [{"figure": "cost", "max": "1 USD"}]}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", SCENARIOS)
def test_every_shipped_scenario(cli: Cli, name: str) -> None:
    path = f"scenarios/{name}"
    short = flopcast.estimate(path, requests=200, seeds=1)
    assert short.to_dict() == cli("estimate", path, "--requests", "200", "--seeds", "1")


def test_other_questions(cli: Cli, tmp_path: Any) -> None:
    service = "scenarios/llama-3-70b-serving.yaml"
    count = "training.hardware.count"
    policy = tmp_path / "policy.yaml"
    policy.write_text('limits: [{figure: cost, max: 1 USD}]\n')
    pairs = [
        (flopcast.model("llama-3-8b", "resnet50"), ["model", "llama-3-8b", "resnet50"]),
        (flopcast.capacity(service, requests=500), ["capacity", service, "--requests", "500"]),
        (
            flopcast.sweep(RUN, vary={count: [8, 16]}, pareto=["cost", "days"]),
            ["sweep", RUN, "--vary", f"{count}=8,16", "--pareto", "cost,days"],
        ),
        (
            flopcast.compare(RUN, RUN, set={"placement.region": "us-west-2"}),
            ["compare", RUN, RUN, "--set", "placement.region=us-west-2"],
        ),
        (flopcast.check(RUN, policy=POLICY), ["check", RUN, "--policy", str(policy)]),
        (flopcast.check(RUN, policy=policy), ["check", RUN, "--policy", str(policy)]),
        (flopcast.catalog("accelerators", "h100"), ["catalog", "list", "accelerators", "h100"]),
        (flopcast.catalog(show="h100-sxm"), ["catalog", "show", "h100-sxm"]),
        (flopcast.estimate(RUN).explain(), ["explain", RUN]),
        (flopcast.estimate(RUN).explain("training.wall_clock_days"), ["explain", RUN, "training.wall_clock_days"]),
    ]
    for answer, command in pairs:
        told = cli(*command)
        assert answer.to_dict() == (told if isinstance(told, dict) else {"rows": told}), command


def test_scenarios_are_written_in_many_ways() -> None:
    text = Path(RUN).read_text(encoding="utf-8")
    keys: dict[str, Any] = {
        "model": "llama-3-8b",
        "data": {"tokens": 50e6, "epochs": 3},
        "training": {
            "recipe": "lora",
            "lora": {"rank": 16, "targets": ["q_proj", "k_proj", "v_proj", "o_proj"]},
            "precision": "bf16",
            "sequence_length": 4096,
            "hardware": {"accelerator": "a100-sxm-80gb", "count": 8},
            "efficiency": {"mfu": 0.35, "convention": "model"},
            "goodput": 0.98,
        },
        "placement": {"provider": "aws", "region": "us-east-1", "purchase": "spot"},
    }
    whole = flopcast.estimate(RUN).figures()
    parts = {key: value for key, value in keys.items() if key != "placement"}
    for other in (
        flopcast.estimate(text),
        flopcast.estimate(keys),
        flopcast.estimate(parts, placement=keys["placement"]),
        flopcast.estimate(**keys),
        flopcast.estimate(RUN, training__hardware__count=8),
        flopcast.estimate(RUN, set=["training.hardware.count=8"]),
    ):
        assert other.figures() == whole


def test_overrides_are_those_of_set(cli: Cli) -> None:
    told = cli("estimate", RUN, "--set", "training.hardware.count=16", "--set", "placement.pue=1.1")
    one = flopcast.estimate(RUN, training__hardware__count=16, placement__pue=1.1)
    two = flopcast.estimate(RUN, set={"training.hardware.count": 16, "placement.pue": 1.1})
    assert one.to_dict() == two.to_dict() == told


def test_saved_forecasts_are_compared() -> None:
    before, after = flopcast.estimate(RUN), flopcast.estimate(RUN, placement__pue=2)
    assert flopcast.compare(before, after).to_dict() != flopcast.compare(before, before).to_dict()


def test_limits_are_told() -> None:
    assert not flopcast.check(RUN, policy=POLICY).kept
    assert flopcast.estimate(RUN).kept


def test_progress_is_heard_and_may_end_it() -> None:
    heard: list[tuple[str, float]] = []
    vary = {"training.hardware.count": [8, 16]}
    flopcast.sweep(RUN, vary=vary, progress=lambda what, share: heard.append((what, share)))
    assert heard[-1][1] == 1

    def refuse(what: str, share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        flopcast.sweep(RUN, vary=vary, progress=refuse)
