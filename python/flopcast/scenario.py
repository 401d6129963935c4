"""Scenarios as Python has them: files, text, keys, and objects of other libraries."""

from __future__ import annotations

import datetime
import json
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, Union, runtime_checkable

from flopcast.errors import InputError


@runtime_checkable
class Config(Protocol):
    """A configuration of transformers."""

    model_type: Any

    def to_dict(self) -> dict[str, Any]: ...


@runtime_checkable
class Module(Protocol):
    """A module of PyTorch; one on the meta device takes no memory."""

    def parameters(self) -> Any: ...

    def named_modules(self) -> Any: ...


#: A path, the text of a file, its keys, or a model to forecast.
Scenario = Union[Mapping[str, Any], str, "os.PathLike[str]", Config, Module]


@dataclass
class Request:
    """A question on its way: the keys of its JSON, the files that the caller names, those in memory."""

    keys: dict[str, Any] = field(default_factory=dict)
    paths: list[str] = field(default_factory=list)
    files: dict[str, Any] = field(default_factory=dict)

    def json(self, **options: Any) -> str:
        """Its JSON with further keys; what is None is left out."""
        said = {key: self.plain(value) for key, value in options.items() if value is not None}
        # Last, for what is said may be a model that is a file.
        files = {"files": self.files} if self.files else {}
        return json.dumps(self.keys | said | files, allow_nan=False)

    def plain(self, value: Any) -> Any:
        """A value as JSON has it."""
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, Mapping):
            return {str(key): self.plain(inner) for key, inner in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.plain(inner) for inner in value]
        if isinstance(value, (datetime.date, datetime.datetime)):
            return value.isoformat()
        if isinstance(value, datetime.timedelta):
            return f"{value.total_seconds()} s"
        if isinstance(value, os.PathLike):
            return os.fspath(value)
        if isinstance(value, (Config, Module)):
            return self.model(value)
        if callable(getattr(value, "item", None)) and getattr(value, "ndim", 0) == 0:
            return value.item()
        if callable(getattr(value, "__len__", None)):
            # The number of samples of a data set.
            return len(value)
        raise TypeError(f"a {type(value).__name__} is no value of a scenario")

    def model(self, value: Config | Module) -> dict[str, Any]:
        """A model of a live object: its configuration, else the number of its parameters."""
        config = value if isinstance(value, Config) else getattr(value, "config", None)
        if isinstance(config, Config):
            return {"hf_config": self.config(config)}
        assert isinstance(value, Module)
        return {"parameters": parameters(value)}

    def config(self, config: Config) -> str:
        """The name of the file that a configuration becomes."""
        name = f"config-{len(self.files) + 1}.json" if self.files else "config.json"
        self.files[name] = json.loads(json.dumps(config.to_dict(), default=str))
        return name


def parameters(module: Module) -> int:
    """The number of parameters of a module, which says nothing of its shape."""
    count = sum(parameter.numel() for parameter in module.parameters())
    warnings.warn(
        f"{type(module).__name__} has no `config`: it is forecast by its {count:,} parameters alone",
        stacklevel=6,
    )
    return int(count)


def is_path(text: str) -> bool:
    """True for the name of a file; a text of YAML has a `: ` or several lines."""
    return "\n" not in text and ": " not in text and not text.lstrip().startswith(("{", "["))


def request(
    scenario: Scenario | None,
    set: Mapping[str, Any] | Sequence[str] | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Request:
    """The request about a scenario, with keys set in it.

    ``set`` names keys as they stand in a file, ``{"training.hardware.count": 512}``, or as the command
    line does, ``["training.hardware.count=512"]``; ``overrides`` with two underscores for each dot.
    """
    asked = Request()
    if isinstance(scenario, os.PathLike):
        scenario, named = os.fspath(scenario), True
    else:
        named = isinstance(scenario, str) and is_path(scenario)
    if named:
        assert isinstance(scenario, str)
        if not os.path.exists(scenario) and not scenario.endswith((".yaml", ".yml", ".json")):
            raise InputError(
                f"there is no file {scenario}\n  hint: a model is named by `model`: model={scenario!r}"
            )
        asked.paths.append(scenario)
        asked.keys["scenario"] = scenario
        if not scenario.endswith((".yaml", ".yml", ".json")):
            # A job file of another tool: its text says what it is.
            with open(scenario, encoding="utf-8") as file:
                asked.keys["scenario"] = file.read()
    elif isinstance(scenario, str):
        asked.keys["scenario"] = scenario
    else:
        keys = {"model": scenario} if isinstance(scenario, (Config, Module)) else (scenario or {})
        # A file has its name for people who read many; keys in a program need none.
        asked.keys["scenario"] = {"name": "scenario"} | asked.plain(keys)
    asked.keys["set"] = settings(asked, set, overrides)
    return asked


def settings(
    asked: Request,
    set: Mapping[str, Any] | Sequence[str] | None,
    overrides: Mapping[str, Any] | None,
) -> list[str]:
    """Keys and their values as `--set` takes them."""
    if set is None or isinstance(set, Mapping):
        said, named = [], dict(set or {})
    else:
        said, named = list(set), {}
    named.update((key.replace("__", "."), value) for key, value in (overrides or {}).items())
    return said + [f"{path}={spelled(path, asked.plain(value))}" for path, value in named.items()]


def spelled(path: str, value: Any) -> str:
    """The value of a key as YAML; a text stands as it is."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        raise InputError(f"`{path}` is {value}, which is no value of a scenario") from None


def varied(vary: Mapping[str, Any] | Sequence[str]) -> list[str]:
    """Keys and their values as `--vary` takes them: `64..1024*2`, or a list."""
    if not isinstance(vary, Mapping):
        return list(vary)

    def one(path: str, value: Any) -> str:
        said = spelled(path, Request().plain(value))
        # A comma would make two values of a text.
        return json.dumps(said) if isinstance(value, str) and "," in said else said

    def values(path: str, given: Any) -> str:
        if isinstance(given, str):
            return given
        listed = given if hasattr(given, "__iter__") and not isinstance(given, Mapping) else [given]
        return ",".join(one(path, value) for value in listed)

    return [f"{path}={values(path, given)}" for path, given in vary.items()]
