"""Pytest's own settings of this project."""

from __future__ import annotations

import pytest

from tests.end_to_end import DemoRun, killed_then_run

DEFAULT_CRMS = 12


def pytest_addoption(parser) -> None:
    parser.addoption(
        "--crms",
        type=int,
        default=DEFAULT_CRMS,
        help="number of generated hard CRMs on which marts and references are compared",
    )


@pytest.fixture(scope="session")
def demo_run(tmp_path_factory: pytest.TempPathFactory) -> DemoRun:
    """A good run of a small demo in its own data folder, after two that were killed."""
    return killed_then_run(tmp_path_factory.mktemp("demo") / "data")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say which tests `make test` must leave in one process, because they share what is costly to make."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_shared(item)))


def _shared(item: pytest.Item) -> str:
    """The run of the demo, a file's generated CRM, or the file."""
    if "demo_run" in item.fixturenames:
        return "demo_run"
    seed = item.callspec.params.get("seed", "") if hasattr(item, "callspec") else ""
    return f"{item.path.name} {seed}"
