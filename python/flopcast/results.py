"""Answers: JSON with attributes. A figure that is unknown is None."""

from __future__ import annotations

import copy
import difflib
import html
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pandas

#: Endings of documents, the longest first, and the forms that they name.
_FORMS = {
    ".focus.csv": "focus",
    ".card.md": "card",
    ".sci.md": "sci",
    ".ghg.md": "ghg",
    ".html": "html",
    ".xlsx": "xlsx",
    ".json": "json",
    ".csv": "csv",
    ".txt": "table",
    ".sbatch": "slurm",
    ".sky.yaml": "skypilot",
    ".vllm.sh": "vllm",
    ".svg": "svg",
    ".md": "markdown",
}


class Asked(Protocol):
    """What a forecast was asked for, by which it can be asked for more."""

    def write(self, form: str) -> bytes:
        """Its document in a form."""

    def explain(self, figure: str | None) -> Any:
        """The derivation of a figure, or of all."""


class Figures(Mapping[str, Any]):
    """Keys of an answer, as attributes (``r.training.days``) and as items (``r["training.days"]``)."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return wrapped(self._values[name])
        except KeyError:
            near = difflib.get_close_matches(name, self._values, 3)
            said = f"; did you mean {' or '.join(near)}?" if near else ""
            raise AttributeError(f"this answer has no `{name}`{said}") from None

    def __getitem__(self, path: str) -> Any:
        if path in self._values:
            return wrapped(self._values[path])
        first, dot, rest = path.partition(".")
        if not dot or not isinstance(inner := wrapped(self._values[first]), Figures):
            raise KeyError(path)
        return inner[rest]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._values]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._values!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {"_values": self._values}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def to_dict(self) -> dict[str, Any]:
        """The answer as the command line prints it with ``--format json``."""
        return copy.deepcopy(self._values)

    def to_pandas(self) -> pandas.DataFrame:
        """A row per figure: its path and value."""
        import pandas

        return pandas.DataFrame(list(flat(self._values)), columns=["figure", "value"])


def wrapped(value: Any) -> Any:
    """A value of an answer with attributes."""
    if isinstance(value, dict):
        return Figures(value)
    if isinstance(value, list):
        return [wrapped(inner) for inner in value]
    return value


def flat(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """The numbers of an answer by their paths; what is unknown is None."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from flat(value, f"{before}{key}.")
        elif value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
            yield f"{before}{key}", value


class Answer(Figures):
    """An answer, and whether it keeps its limits.

    ``kept`` is False where the command line would end with exit code 1: the run does not fit or comes
    too late, a limit is broken, nothing is feasible. ``notes`` tell how the scenario was read.
    """

    def __init__(self, values: Mapping[str, Any], kept: bool, notes: list[str]) -> None:
        super().__init__(values)
        self.kept = kept
        self.notes = notes

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"kept": self.kept, "notes": self.notes}

    def to_pandas(self) -> pandas.DataFrame:
        """Its rows where it has some, a column per key and figure, else a row per figure."""
        import pandas

        rows = self._values.get("rows")
        if not isinstance(rows, list):
            return super().to_pandas()
        return pandas.DataFrame([dict(_columns(row)) for row in rows])

    def _repr_html_(self) -> str:
        rows = [
            f"<tr><th style='text-align:left'>{html.escape(path)}</th>"
            f"<td style='text-align:right'>{shown(value)}</td></tr>"
            for path, value in flat(self._values)
        ]
        return f"<table>{''.join(rows)}</table>"


def _columns(row: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The columns of a row: what was varied and the figures stand beside its own."""
    for key, value in row.items():
        if key == "set" and isinstance(value, dict):
            yield from ((path, _number(text)) for path, text in value.items())
        elif isinstance(value, dict):
            yield from value.items()
        else:
            yield key, value


def _number(text: Any) -> Any:
    """The number that a text is, else the text."""
    try:
        return json.loads(text) if text[:1] in "-0123456789" else text
    except (ValueError, TypeError):
        return text


class Estimate(Answer):
    """The forecast of a scenario. It prints as ``flopcast estimate --full`` does."""

    def __init__(
        self,
        values: Mapping[str, Any],
        kept: bool,
        notes: list[str],
        asked: Asked,
    ) -> None:
        super().__init__(values, kept, notes)
        self._asked = asked
        self._text: str | None = None

    def __getstate__(self) -> dict[str, Any]:
        # Its words and the question go along; files that it names by their paths do not.
        return super().__getstate__() | {"_text": str(self), "_asked": self._asked}

    def __repr__(self) -> str:
        if self._text is None:
            self._text = self._asked.write("table").decode().rstrip("\n")
        return self._text

    def figures(self) -> dict[str, float | None]:
        """Every figure by its path, such as ``training.mfu``; one that is unknown is None."""
        stages = ("training", "inference", "rent_or_buy", "tco", "sci")
        return dict(flat({key: self._values[key] for key in stages if key in self._values}))

    def explain(self, figure: str | None = None) -> Any:
        """The derivation of a figure down to inputs and their sources; without one, those of all."""
        return self._asked.explain(figure)

    def report(self, path: str | os.PathLike[str], *, force: bool = False) -> Path:
        """Writes the forecast as the document that the ending names, such as ``.html`` or ``.xlsx``.

        A file that exists is not written over unless ``force`` is True.
        """
        target = Path(path)
        form = next((form for end, form in _FORMS.items() if target.name.endswith(end)), None)
        if form is None:
            known = ", ".join(_FORMS)
            raise ValueError(f"{target} does not say which document it is to be: {known}")
        if target.exists() and not force:
            raise FileExistsError(f"{target} exists already; force=True writes over it")
        content = self._asked.write(form)
        with open(target, "wb" if force else "xb") as file:
            file.write(content)
        return target

    def _repr_html_(self) -> str:
        answer = str(self).strip().split("\n\n")[0]
        ranges = self._values.get("intervals", {})
        rows = []
        for path, value in self.figures().items():
            span = ranges.get(path, {})
            spread = f"{shown(span['p10'])} .. {shown(span['p90'])}" if "p10" in span else ""
            rows.append(
                f"<tr><th style='text-align:left'>{html.escape(path)}</th>"
                f"<td style='text-align:right'>{shown(value)}</td>"
                f"<td style='text-align:right'>{spread}</td></tr>"
            )
        warnings = "".join(f"<li>{html.escape(it)}</li>" for it in self._values["warnings"])
        return (
            f"<p><b>{html.escape(str(self._values['scenario']))}</b></p>"
            f"<p style='white-space:pre-wrap'>{html.escape(answer)}</p>"
            "<details open><summary>Figures, 80 % interval</summary>"
            f"<table>{''.join(rows)}</table></details><ul>{warnings}</ul>"
        )


class Derivation(Answer):
    """The derivation of a figure. It prints as a tree."""

    def __repr__(self) -> str:
        return "\n".join(_tree(self._values, ""))


def _tree(step: Mapping[str, Any], indent: str) -> Iterator[str]:
    how = str(step["how"]).replace("\n", " ")
    yield f"{indent}{step['name']} = {step['shown']}   [{how}]"
    for inner in step.get("inputs", []):
        yield from _tree(inner, indent + "  ")


def shown(value: float | None) -> str:
    """A number for reading."""
    return "unknown" if value is None else f"{value:,.6g}"
