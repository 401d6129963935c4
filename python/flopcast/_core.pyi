"""The native half: questions as JSON, tables as Arrow."""

from collections.abc import Callable
from typing import Any

__version__: str

def ask(
    question: str,
    request: str,
    paths: list[str],
    today: str | None = None,
    watch: Callable[[str, float], object] | None = None,
) -> tuple[bytes, list[str], bool]: ...

class Rows:
    def __new__(
        cls,
        request: str,
        paths: list[str],
        figures: list[str],
        threads: int,
    ) -> Rows: ...
    @property
    def notes(self) -> list[str]: ...
    @property
    def columns(self) -> list[str]: ...
    def forecast(
        self, table: Table, keep: list[str], watch: Callable[[int], object] | None = None
    ) -> Table: ...

class Table:
    @staticmethod
    def of(columns: list[tuple[str, list[Any]]]) -> Table: ...
    @staticmethod
    def read(stream: object) -> Table: ...
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...
    def __arrow_c_schema__(self) -> object: ...
    def __len__(self) -> int: ...
    @property
    def column_names(self) -> list[str]: ...
    def column(self, name: str) -> list[Any]: ...
