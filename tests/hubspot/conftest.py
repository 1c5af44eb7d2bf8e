"""A simulated HubSpot account on a loopback port, for every test of the ingestion.

Belongs here: fixtures that start and stop it. `simulator` gives its address, its token and its state.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from orchestration.hubspot_simulator import Clock, Crm, Faults, Limits, Simulator, running
from tests.hubspot.contract_guard import ContractGuard

NOW = datetime(2026, 7, 1, tzinfo=UTC)


@dataclass
class Account:
    """A running simulator: what a client needs (`url`, `token`), and what a test may change."""

    url: str
    app: Simulator
    guard: ContractGuard

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


@contextmanager
def running_account(app: Simulator) -> Iterator[Account]:
    """A simulator with the contract guard around it; whatever broke the contract fails at the end."""
    guard = ContractGuard(app)
    with running(guard) as url:
        yield Account(url, app, guard)
    assert not guard.violations, "\n".join(guard.violations[:20])


@pytest.fixture
def simulator() -> Iterator[Account]:
    """An empty account at NOW on a standing clock, without rate limits, on a free loopback port."""
    with running_account(Simulator(Crm(Clock(NOW)), limits=Limits(None, None, None))) as account:
        yield account
