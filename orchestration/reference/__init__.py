"""The slow, obvious computation of every report, written beside the specification.

Belongs here: `crm.py`, the notions that all reports share (population, creation instant, history,
classes, labels, amounts, periods), and one module per report with `rpt_<report>(crm)`, which
returns exactly the rows of the mart, and `MEASURES`, the columns that are not part of its grain (a
dict by mart where a module has several). Rule ids in comments point at `decisions.md` and
`reports.md`. Does not belong here: speed, SQL, anything learnt from the dbt models. Where the
models and these pages differ, the specification decides who is wrong; that is all they are for.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Reference:
    """The reference computation of one mart."""

    mart: str
    compute: Callable[..., list[dict]]  # takes a Crm
    measures: tuple[str, ...]


@cache
def references() -> dict[str, Reference]:
    """All reference computations by mart name."""
    found = {}
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        for name, compute in vars(module).items():
            if name.startswith("rpt_") and compute.__module__ == module.__name__:
                measures = module.MEASURES
                if isinstance(measures, dict):
                    measures = measures[name]
                found[name] = Reference(name, compute, tuple(measures))
    return found
