"""The builds on which invariants are seen to hold and to fail."""

from __future__ import annotations

import pytest

from tests.checks.planting import Plot
from tests.checks.tidy_crm import SETTINGS, tidy_crm
from tests.harness import load_crm


@pytest.fixture(scope="session")
def plot():
    """The tidy CRM with all of its marts, ready for errors to be planted in it."""
    build = load_crm(tidy_crm(), **SETTINGS)
    build.ensure(*build.project.nodes)
    yield Plot(build)
    build.connection.close()
