"""Pytest's own settings of this project."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import pytest

from tests.end_to_end import DemoRun, killed_then_run

DEFAULT_CRMS = 12 if os.environ.get("CI") else 4


def pytest_addoption(parser) -> None:
    parser.addoption(
        "--crms",
        type=int,
        default=DEFAULT_CRMS,
        help="number of generated hard CRMs on which marts and references are compared",
    )


def first_of(values: Iterable[Any]) -> list[Any]:
    """Parameters of a test: the first value for every `make test`, the others for thorough ones only."""
    first, *others = values
    several = [value if isinstance(value, tuple) else (value,) for value in others]
    return [first, *(pytest.param(*value, marks=pytest.mark.thorough) for value in several)]


@pytest.fixture(scope="session")
def demo_run(tmp_path_factory: pytest.TempPathFactory) -> DemoRun:
    """A good run of a small demo in its own data folder, after two that were killed."""
    return killed_then_run(tmp_path_factory.mktemp("demo") / "data")
