"""What tests of the viewer share: one published demo for all of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from orchestration.settings import Settings
from orchestration.viewer.access import EVERYTHING
from orchestration.viewer.database import Build, published_file
from tests.viewer.demo_build import publish_demo

DEALS = 600  # every report has rows


@pytest.fixture(autouse=True)
def own_main() -> Iterator[None]:
    """Streamlit puts a page in place of `__main__`, which processes of later tests would start from."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture(scope="session")
def demo_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a data folder with a published demo. Copy it to change it."""
    return publish_demo(tmp_path_factory.mktemp("viewer") / "data", DEALS)


@pytest.fixture(scope="session")
def demo_build(demo_settings: Settings) -> Build:
    """The demo as a reader without restrictions sees it."""
    return published_file(demo_settings).build(EVERYTHING)
