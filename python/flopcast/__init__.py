"""flopcast for Python: what an AI model takes, before anyone rents a GPU.

>>> import flopcast
>>> r = flopcast.estimate("run.yaml", training__hardware__count=512)  # doctest: +SKIP
>>> r.training.wall_clock_days, r.training.cost_usd.total                              # doctest: +SKIP

Figures are those of the command line, digit by digit; one that is unknown is None.
"""

from flopcast._core import __version__
from flopcast.errors import FlopcastError, InputError, LimitError, LiveError, Place
from flopcast.questions import (
    capacity,
    catalog,
    check,
    compare,
    estimate,
    model,
    optimize,
    sweep,
)
from flopcast.results import Answer, Derivation, Estimate, Figures
from flopcast.table import Kernel, Table, many
from flopcast.tracking import Track, track

__all__ = [
    "Answer",
    "Derivation",
    "Estimate",
    "Figures",
    "FlopcastError",
    "InputError",
    "Kernel",
    "LimitError",
    "LiveError",
    "Place",
    "Table",
    "Track",
    "__version__",
    "capacity",
    "catalog",
    "check",
    "compare",
    "estimate",
    "many",
    "model",
    "optimize",
    "sweep",
    "track",
]
