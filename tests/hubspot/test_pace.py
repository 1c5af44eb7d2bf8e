"""The limiter: no window that HubSpot can lay has too many requests, and little is left unused."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from orchestration.ingest.hubspot.pace import Limit
from tests.hubspot.fake_time import FakeTime


def most_in_a_window(instants: list[float], window: float) -> int:
    """The largest number of instants in any [w, w + window)."""
    instants = sorted(instants)
    most, first = 0, 0
    for last, instant in enumerate(instants):
        while instants[first] <= instant - window:
            first += 1
        most = max(most, last - first + 1)
    return most


def sent(limit: Limit, fake: FakeTime, number: int, takes: float = 0.0) -> list[float]:
    instants = []
    for _ in range(number):
        with limit.request():
            instants.append(fake.now)
            fake.now += takes
    return instants


def test_requests_are_evenly_spaced_and_use_the_pace():
    fake = FakeTime()
    instants = sent(Limit(190, 10, 18.5, clock=fake.clock, sleep=fake.sleep), fake, 400)
    gaps = [after - before for before, after in pairwise(instants)]
    assert min(gaps) >= 1 / 18.5 - 1e-9
    assert most_in_a_window(instants, 10) in (185, 186)


def test_a_run_after_another_starts_as_if_it_had_just_sent_something():
    fake = FakeTime()
    instants = []
    for _ in range(5):  # killed and started anew, at once
        limit = Limit(5, 1, 4.8, clock=fake.clock, sleep=fake.sleep)
        instants += sent(limit, fake, 7)
    assert most_in_a_window(instants, 1) <= 5


def test_without_the_spacing_the_window_still_holds():
    fake = FakeTime()
    instants = sent(Limit(10, 1, 1e6, clock=fake.clock, sleep=fake.sleep), fake, 95)
    assert most_in_a_window(instants, 1) == 10
    assert instants[-1] - instants[0] == pytest.approx(9, abs=0.01)


def test_a_slow_answer_counts_until_a_window_after_it():
    """Where in the half second of a request HubSpot counts it is unknown: so it counts all the time."""
    fake = FakeTime()
    instants = sent(Limit(2, 1, 1e6, clock=fake.clock, sleep=fake.sleep), fake, 4, takes=0.5)
    assert [instant - instants[0] for instant in instants] == pytest.approx([0, 0.5, 1.5, 2.0], abs=1e-4)


def test_a_pause_is_for_everybody():
    fake = FakeTime()
    limit = Limit(190, 10, 18.5, clock=fake.clock, sleep=fake.sleep)
    (before,) = sent(limit, fake, 1)
    limit.pause(3.0)
    limit.pause(1.0)  # does not shorten the longer one
    (after,) = sent(limit, fake, 1)
    assert after - before == pytest.approx(3.0)
    assert limit.waited >= 3.0


def test_a_request_that_fails_gives_its_place_back():
    fake = FakeTime()
    limit = Limit(1, 1, 1e6, clock=fake.clock, sleep=fake.sleep)
    for _ in range(3):
        with pytest.raises(OSError), limit.request():
            raise OSError
    assert fake.now == pytest.approx(1002, abs=0.01)


def test_first_come_first_served():
    fake, served, gate = FakeTime(), [], threading.Event()

    def sleep(seconds: float) -> None:
        gate.wait()  # so that the first one waits here, and the others behind it
        fake.sleep(seconds)

    limit = Limit(100, 1, 10, clock=fake.clock, sleep=sleep)

    def ask(number: int) -> None:
        with limit.request():
            served.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
    for number, thread in enumerate(threads):
        thread.start()
        while len(limit._waiting) <= number:
            time.sleep(0.001)
    gate.set()
    for thread in threads:
        thread.join()
    assert served == list(range(12))


def test_an_interrupted_wait_lets_the_others_go_on():
    fake = FakeTime()

    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    limit = Limit(1, 1, 1e6, clock=fake.clock, sleep=interrupted)
    fake.now += 1
    with limit.request():
        pass
    with pytest.raises(KeyboardInterrupt), limit.request():
        pass
    fake.now += 2
    with limit.request():  # does not wait for the turn of the interrupted one
        pass


def test_many_threads_with_jitter_never_exceed_the_limit_wherever_hubspot_counts():
    """Real threads and time, in small: the spacing is out of the way, so the window alone must hold."""
    most, window, arrivals, lock = 12, 0.15, [], threading.Lock()
    limit = Limit(most, window, 1e6)
    seeds = random.Random(4)
    delays = [(seeds.uniform(0, 0.02), seeds.uniform(0, 0.02)) for _ in range(100)]

    def ask(delay: tuple[float, float]) -> None:
        with limit.request():
            time.sleep(delay[0])  # on its way
            with lock:
                arrivals.append(time.monotonic())
            time.sleep(delay[1])  # and back

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, delays))
    assert most_in_a_window(arrivals, window) <= most
    assert len(arrivals) == 100


def test_the_measure_of_these_tests_sees_a_burst():
    assert most_in_a_window([0, 0.5, 0.99, 1.0, 1.4], 1) == 4
    assert most_in_a_window([0, 1, 2], 1) == 1
