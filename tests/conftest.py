"""Pytest's own settings of this project."""

from __future__ import annotations

DEFAULT_CRMS = 12


def pytest_addoption(parser) -> None:
    parser.addoption(
        "--crms",
        type=int,
        default=DEFAULT_CRMS,
        help="number of generated hard CRMs on which marts and references are compared",
    )
