"""What the documents show runs."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT

PAGES = ["docs/python.md", "docs/scale.md", "docs/tutorial.md", "python/README.md"]
#: Commands of a terminal that need no more than the package.
COMMANDS = ["README.md", "docs/python.md", "python/README.md"]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def project(folder: Path) -> Path:
    """A folder with the scenarios, in which documents may be written."""
    shutil.copytree(ROOT / "scenarios", folder / "scenarios")
    # What `flopcast init` writes.
    shutil.copy(ROOT / "src/cli/init/starter.yaml", folder / "flopcast.yaml")
    return folder


@pytest.mark.parametrize("page", PAGES)
def test_blocks(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pandas"), pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    monkeypatch.chdir(project(tmp_path))
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = BLOCK.findall(text)
    assert blocks or page == "docs/scale.md"
    names: dict[str, object] = {"__name__": page}
    for block in blocks:
        exec(compile(block, page, "exec"), names)


@pytest.mark.parametrize("page", COMMANDS)
def test_commands(page: str, tmp_path: Path) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    commands = re.findall(r"^python -c .*$", text, re.MULTILINE)
    assert commands
    for command in commands:
        words = [sys.executable, *shlex.split(command)[1:]]
        done = subprocess.run(words, cwd=project(tmp_path / page), capture_output=True, text=True)
        assert done.returncode == 0 and "USD" in done.stdout, done.stderr


def test_notebook(tmp_path: Path) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    notebook = nbformat.read(ROOT / "docs" / "python.ipynb", as_version=4)
    resources = {"metadata": {"path": str(project(tmp_path))}}
    done = nbclient.NotebookClient(notebook, timeout=120, resources=resources).execute()
    shown = [output for cell in done.cells for output in cell.get("outputs", [])]
    assert any("text/html" in output.get("data", {}) for output in shown)
