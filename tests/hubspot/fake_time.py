"""Time that only sleeping moves, so that nothing is waited for; the pace is `test_pace.py`'s business."""

from __future__ import annotations

from orchestration.ingest.hubspot.api import HubSpot
from orchestration.settings import Settings


class FakeTime:
    """A clock and a sleep that belong together; remembers the sleeps. Any thread may use it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.sleeps: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds
        self.sleeps.append(seconds)


def connected(account, version: str = "2026-09", fake: FakeTime | None = None, **more: object) -> HubSpot:
    """A client of a running simulator that never waits."""
    fake = fake or FakeTime()
    settings = Settings(
        source="hubspot",
        hubspot_token=account.token,
        hubspot_url=account.url,
        hubspot_api_version=version,
        **more,
    )
    return HubSpot(settings, sleep=fake.sleep, clock=fake.clock)
