"""Where the tests find the command line and the scenarios."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SCENARIOS = sorted(path.name for path in (ROOT / "scenarios").glob("*.yaml"))
#: A run without a service, which is forecast in no time.
RUN = "scenarios/lora-llama-3-8b.yaml"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run clusters and long tables, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--slow"):
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="--slow runs it"))


@pytest.fixture(autouse=True)
def at_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.fixture(scope="session")
def cli() -> Callable[..., Any]:
    """Asks the command line for JSON."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    binary = os.environ.get("FLOPCAST", str(target / "debug" / "flopcast"))
    if not Path(binary).exists():
        pytest.skip(f"there is no {binary}: cargo build")

    def run(*arguments: str) -> Any:
        command = [binary, *arguments, "--format", "json"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    return run
