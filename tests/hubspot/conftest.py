"""A simulated HubSpot account on a loopback port, for every test of the ingestion.

Belongs here: fixtures that start and stop it. `simulator` gives its address, its token and its state.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from orchestration.hubspot_simulator import Clock, Crm, Faults, Limits, Simulator, running

NOW = datetime(2026, 7, 1, tzinfo=UTC)


@dataclass
class Account:
    """A running simulator: what a client needs (`url`, `token`), and what a test may change."""

    url: str
    app: Simulator

    @property
    def token(self) -> str:
        return self.app.token

    @property
    def crm(self) -> Crm:
        return self.app.crm

    @property
    def faults(self) -> Faults:
        return self.app.faults

    @property
    def clock(self) -> Clock:
        return self.app.crm.clock


@pytest.fixture
def simulator() -> Iterator[Account]:
    """An empty account at NOW on a standing clock, without rate limits, on a free loopback port."""
    app = Simulator(Crm(Clock(NOW)), limits=Limits(None, None, None))
    with running(app) as url:
        yield Account(url, app)
