"""`python -m orchestration.hubspot_simulator`: the demo company's CRM behind HubSpot's API.

Belongs here: what is said at the start. The company is the one that SALES_REPORTS_SOURCE=demo shows
(SALES_REPORTS_DEMO_SEED, _DEALS and _END count), and so are the reports, but for what HubSpot cannot
say (`loading.py`).
"""

from __future__ import annotations

import argparse
import gc
import sys
from datetime import UTC, datetime
from random import Random

from orchestration.ingest import demo
from orchestration.ingest.demo.company import FISCAL_YEAR_START
from orchestration.settings import Settings, SettingsError, load_settings

from .app import TOKEN, Simulator
from .crm import Crm
from .faults import Faults
from .limits import PER_TEN_SECONDS, PER_TEN_SECONDS_SMALL, Limits
from .loading import crm_from_tables
from .server import serve
from .synthetic import synthetic_crm

PORT = 8765
_CALCULATED, _INDEX_LAG_MS = 0.05, 60_000
_LATENCY = (0.08, 0.4)  # seconds; what calls from one continent take


def demo_crm(settings: Settings, now: datetime) -> tuple[Crm, datetime]:
    """The demo company as a HubSpot account on the wall clock, and the instant at which it ends."""
    delivery = demo.read(settings, now)
    tables = {name: table.rows.to_pylist() for name, table in delivery.tables.items()}
    crm = crm_from_tables(tables, calculated=_CALCULATED, seed=settings.demo_seed, index_lag_ms=_INDEX_LAG_MS)
    return crm, delivery.read_until


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m orchestration.hubspot_simulator", description=__doc__)
    parser.add_argument("--port", type=int, default=PORT, help=f"port on loopback (default {PORT})")
    parser.add_argument("--small-plan", action="store_true", help="100 requests in 10 s instead of 190")
    parser.add_argument("--latency", action="store_true", help="answer as slowly as a far-away server")
    parser.add_argument(
        "--faults", type=float, default=0.0, metavar="SHARE", help="share of requests that go wrong"
    )
    parser.add_argument(
        "--synthetic", type=int, metavar="DEALS", help="so many deals without sense, to measure with"
    )
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Serve until interrupted; 1 with a message if that cannot be."""
    chosen = _arguments(arguments)
    try:
        settings = load_settings(reads_source=False)
        print("Making the account …", flush=True)
        now = datetime.now(UTC)
        crm, end = (synthetic_crm(chosen.synthetic), now) if chosen.synthetic else demo_crm(settings, now)
        per_ten_seconds = PER_TEN_SECONDS_SMALL if chosen.small_plan else PER_TEN_SECONDS
        app = Simulator(
            crm,
            limits=Limits(per_ten_seconds),
            faults=Faults(rate=chosen.faults, seed=Random().randrange(1_000_000)),
            latency=_LATENCY if chosen.latency else None,
        )
        gc.freeze()  # the account stays: looking for garbage in it would stop the server now and then
        serve(app, chosen.port, lambda url: print(_welcome(url, end, per_ten_seconds), flush=True))
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        print(f"Port {chosen.port} cannot be used ({error}); choose another with --port", file=sys.stderr)
        return 1
    finally:
        gc.unfreeze()
    return 0


def _welcome(url: str, end: datetime, per_ten_seconds: int) -> str:
    """What to type in another terminal. The fiscal year is no part of HubSpot's API."""
    pace = f" SALES_REPORTS_HUBSPOT_REQUESTS_PER_10_S={per_ten_seconds}"
    small = "" if per_ten_seconds == PER_TEN_SECONDS else pace
    return f"""HubSpot simulator on {url} (this machine only); Ctrl-C ends it. In another terminal:

  export HUBSPOT_TOKEN={TOKEN} SALES_REPORTS_HUBSPOT_URL={url}{small}
  export SALES_REPORTS_RUN_TS={end.isoformat()} SALES_REPORTS_FISCAL_YEAR_START_MONTH={FISCAL_YEAR_START}
  SALES_REPORTS_SOURCE=hubspot make run
"""


if __name__ == "__main__":
    sys.exit(main())
