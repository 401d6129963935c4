"""The types hold for the package and for those who use it."""

import subprocess
import sys
from pathlib import Path

import pytest

import flopcast

SAMPLE = '''
import datetime
import flopcast

r = flopcast.estimate("run.yaml", training__hardware__count=512)
days: float = r.training.wall_clock_days
figures: dict[str, float | None] = r.figures()
page = r.report("x.html", force=True)
reveal_type(page)
try:
    flopcast.check({"model": "7B"}, policy="limits: []")
except flopcast.InputError as error:
    reveal_type(error.path)

def heard(what: str, share: float) -> None: ...

table = flopcast.many("run.yaml", {"placement.pue": [1.1]}, progress=heard)
reveal_type(table["cost_usd"])
kernel = flopcast.Kernel("run.yaml", threads=1)
reveal_type(kernel(table))
with flopcast.track("run.yaml", out="x.json") as run:
    pass
reveal_type(run.result)
'''
REVEALED = ["pathlib", "Path", "str | None", "list[Any]", "Table", "dict[str, Any]"]
WRONG = 'import flopcast\nflopcast.estimate("run.yaml", samples="many")\nflopcast.many("run.yaml")\n'


def mypy(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mypy", "--strict", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def test_a_program_that_uses_it(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    sample, wrong = tmp_path / "sample.py", tmp_path / "wrong.py"
    sample.write_text(SAMPLE)
    wrong.write_text(WRONG)
    told = mypy("--cache-dir", str(tmp_path / "cache"), str(sample))
    assert told.returncode == 0, told.stdout
    assert all(revealed in told.stdout for revealed in REVEALED), told.stdout
    assert mypy("--cache-dir", str(tmp_path / "cache"), str(wrong)).stdout.count("error:") == 2


def test_the_package_itself(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    package = Path(flopcast.__file__).parent
    assert (package / "py.typed").exists()
    ignored = "--ignore-missing-imports"
    told = mypy("--cache-dir", str(tmp_path / "cache"), ignored, "-p", "flopcast")
    assert told.returncode == 0, told.stdout
