"""Every setting of a run, read from the environment in one place.

Belongs here: names, defaults, validation and error messages of `SALES_REPORTS_*` (list: README and
`decisions.md` §5) and of HUBSPOT_TOKEN, which keeps the name that people know. Nothing else in the
project reads the environment. An unknown `SALES_REPORTS_*` name is an error, because a misspelt
setting would otherwise be ignored in silence.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import available_timezones

PREFIX = "SALES_REPORTS_"
PROJECT_ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("demo", "files", "hubspot")
ENGINES = ("duckdb", "postgres", "spark")
WEEK_STARTS = ("monday", "sunday", "iso")
HUBSPOT_API_VERSIONS = ("2026-09", "v3")
TOKEN_NAME = "HUBSPOT_TOKEN"
MARTS_FILE = "marts.duckdb"
# Materialised CTEs have no statistics: Postgres takes large ones for one row and loops over them for minutes.
POSTGRES_OPTIONS = "-c work_mem=64MB -c jit=off -c enable_nestloop=off"
# Of the machine's memory, and at most: Python, dbt and the system need the rest.
MEMORY_SHARE, MEMORY_AT_MOST_MIB = 0.6, 6144
SPARK_PYTHON = PROJECT_ROOT / ".venv-spark" / "bin" / "python"
_OLDEST_JAVA = 17
# Patterns of files, separators in Java's and the metastore's settings, and letters that Java's start garbles.
_NOT_IN_PATHS_OF_SPARK = re.compile(r"[][{}*?\\;:,\x00-\x1f]|[^\u0000-\uffff]")


class SettingsError(ValueError):
    """One or more settings are wrong; the message names every problem and what to do."""


@dataclass(frozen=True)
class Settings:
    """The settings of one run. `None` means "not set": the account table or a default decides."""

    source: str = "demo"
    files_dir: Path | None = None
    data_dir: Path = PROJECT_ROOT / "data"
    time_zone: str | None = None
    currency: str | None = None
    fiscal_year_start_month: int | None = None
    week_starts_on: str | None = None
    run_ts: datetime | None = None
    demo_seed: int = 1
    demo_deals: int = 2500
    demo_end: datetime | None = None
    keep_builds: int = 3
    full_refresh: bool = False
    memory_limit: str = field(default_factory=lambda: default_memory_limit())
    max_reject_share: float = 0.01
    accept_drop: bool = False
    include_personal_data: bool = False
    custom_properties: tuple[str, ...] = ()
    engine: str = "duckdb"
    postgres_url: str | None = field(default=None, repr=False)
    spark_url: str | None = field(default=None, repr=False)
    spark_warehouse: Path | None = None
    spark_cores: int = field(default_factory=lambda: os.cpu_count() or 1)
    on_failure: str | None = None
    hubspot_token: str | None = field(default=None, repr=False)
    hubspot_url: str = "https://api.hubapi.com"
    hubspot_api_version: str = HUBSPOT_API_VERSIONS[0]
    hubspot_requests_per_10_s: int = 190
    hubspot_full_refresh: bool = False
    viewer_host: str = "127.0.0.1"
    viewer_port: int = 8501
    viewer_user_header: str | None = None
    viewer_access_file: Path | None = None

    @property
    def build_path(self) -> Path:
        """The build database: raw, staging and intermediate tables. Never read by users."""
        return self.data_dir / "build.duckdb"

    @property
    def marts_path(self) -> Path:
        """core and reports while they are built; publication gives the file its place and its name."""
        return self.data_dir / MARTS_FILE

    @property
    def history_path(self) -> Path:
        """Kept history (K1): the one file to back up."""
        return self.data_dir / "history.duckdb"

    @property
    def rejects_dir(self) -> Path:
        return self.data_dir / "rejects"

    @property
    def published_dir(self) -> Path:
        return self.data_dir / "published"

    @property
    def published_link(self) -> Path:
        """The link that readers open; it points at the last good build."""
        return self.data_dir / "sales_reports.duckdb"

    @property
    def last_check_path(self) -> Path:
        """When the source was last found to have nothing new for the published build; else not there."""
        return self.data_dir / "last_check.json"

    @property
    def dagster_home(self) -> Path:
        return self.data_dir / "dagster"

    @property
    def dbt_target_dir(self) -> Path:
        """What dbt writes beside tables; each engine's apart, since it compiles to other SQL."""
        folder = self.data_dir / "dbt_target"
        return folder if self.engine == "duckdb" else folder / self.engine

    @property
    def spark_dir(self) -> Path:
        """What Spark has beside the warehouse: its settings, the metastore, and room for what it spills."""
        return self.data_dir / "spark"

    @property
    def spark_warehouse_dir(self) -> Path:
        """Where Spark's tables lie, a folder of Parquet each."""
        return self.spark_warehouse or self.spark_dir / "warehouse"

    @property
    def lock_path(self) -> Path:
        """Held by the run that is under way (`lock.py`)."""
        return self.data_dir / "run.lock"


def _path(text: str) -> Path:
    path = Path(text).expanduser()
    return path if path.is_absolute() else PROJECT_ROOT / path


def _instant(text: str) -> datetime:
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise ValueError("an offset is missing; write for example 2026-07-01T00:00:00+02:00")
    return value.astimezone(UTC)


def is_time_zone(text: str) -> bool:
    """Whether it names a zone of the tz database. Python also opens `localtime` and files such as
    `posix/Europe/Berlin`, which no warehouse knows."""
    return text in available_timezones() - {"localtime"}


def _zone(text: str) -> str:
    if not is_time_zone(text):
        raise ValueError("unknown time zone; use a tz database name such as Europe/Berlin")
    return text


def _integer(low: int, high: int | None = None):
    def read(text: str) -> int:
        value = int(text)
        if value < low or (high is not None and value > high):
            raise ValueError(f"must be {low} to {high}" if high is not None else f"must be at least {low}")
        return value

    return read


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError("must be a share between 0 and 1, such as 0.01")
    return value


def _memory(text: str) -> str:
    if not re.fullmatch(r"[1-9][0-9]*(\.[0-9]+)? ?[KMGT]i?B", text, re.IGNORECASE):
        raise ValueError("must be an amount of memory such as 4GB")
    return text


def _spark_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("sc", "thrift") or not parts.hostname:
        raise ValueError(
            "must be the address of a server, such as sc://host:15002 (Spark Connect) or thrift://host:10000"
        )
    return text


def memory_in_mib(text: str) -> int:
    """An amount of memory, as SALES_REPORTS_MEMORY_LIMIT has it, in MiB."""
    amount, unit = re.fullmatch(r"([0-9.]+) ?([KMGT]i?B)", text, re.IGNORECASE).groups()
    base = 1024 if "i" in unit.lower() else 1000
    return int(float(amount) * base ** (1 + "KMGT".index(unit[0].upper()))) // 2**20


def default_memory_limit() -> str:
    """What DuckDB may take before it spills to disk, unless SALES_REPORTS_MEMORY_LIMIT says otherwise."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    return f"{min(round(machine * MEMORY_SHARE), MEMORY_AT_MOST_MIB)}MiB"


def _flag(text: str) -> bool:
    if text.lower() in ("1", "true", "yes"):
        return True
    if text.lower() in ("0", "false", "no"):
        return False
    raise ValueError("must be 1 or 0")


def _choice(*allowed: str):
    def read(text: str) -> str:
        if text.lower() not in allowed:
            raise ValueError(f"must be one of: {', '.join(allowed)}")
        return text.lower()

    return read


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be an address such as https://api.hubapi.com")
    if parts.username or parts.password:
        raise ValueError(f"must hold no user and no password; the token goes into {TOKEN_NAME}")
    # A token must not cross a network unencrypted; the simulator listens on this machine only.
    if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise ValueError("must begin with https:// (http:// is for the simulator on this machine)")
    return text.rstrip("/")


def _host(text: str) -> str:
    """An address of this machine to listen on, such as 127.0.0.1, 0.0.0.0 or ::1."""
    try:
        return str(ip_address("127.0.0.1" if text == "localhost" else text))
    except ValueError:
        raise ValueError(
            "must be an IP address of this machine, such as 127.0.0.1, or 0.0.0.0 for all"
        ) from None


def _header(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]+", text):
        raise ValueError("must be the name of a header, such as X-Forwarded-Email")
    return text


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


_READERS = {
    "source": _choice(*SOURCES),
    "files_dir": _path,
    "data_dir": _path,
    "time_zone": _zone,
    "currency": str.upper,
    "fiscal_year_start_month": _integer(1, 12),
    "week_starts_on": _choice(*WEEK_STARTS),
    "run_ts": _instant,
    "demo_seed": _integer(0),
    "demo_deals": _integer(1),
    "demo_end": _instant,
    "keep_builds": _integer(1),
    "full_refresh": _flag,
    "memory_limit": _memory,
    "max_reject_share": _share,
    "accept_drop": _flag,
    "include_personal_data": _flag,
    "custom_properties": _names,
    "engine": _choice(*ENGINES),
    "postgres_url": str,
    "spark_url": _spark_url,
    "spark_warehouse": _path,
    "spark_cores": _integer(1),
    "on_failure": str,
    "hubspot_url": _url,
    "hubspot_api_version": _choice(*HUBSPOT_API_VERSIONS),
    "hubspot_requests_per_10_s": _integer(10, 190),
    "hubspot_full_refresh": _flag,
    "viewer_host": _host,
    "viewer_port": _integer(1, 65535),
    "viewer_user_header": _header,
    "viewer_access_file": _path,
}

# Names with the prefix that this project sets itself, for dbt (profiles.yml).
INTERNAL = {"DBT_PATH", "DBT_MARTS_PATH", "DBT_MEMORY_LIMIT"}


def load_settings(environment: Mapping[str, str] | None = None, *, reads_source: bool = True) -> Settings:
    """Read all settings. Raises SettingsError with every problem in one message.

    `reads_source`: whether what the source needs must be there. Readers of what is published do without.
    """
    environment = os.environ if environment is None else environment
    values: dict[str, object] = {}
    problems: list[str] = []
    for name in sorted(environment):
        if not name.startswith(PREFIX) or name.removeprefix(PREFIX) in INTERNAL:
            continue
        text = environment[name].strip()
        field = name.removeprefix(PREFIX).lower()
        if field not in _READERS:
            known = ", ".join(PREFIX + known.upper() for known in _READERS)
            problems.append(f"{name} is not a setting; known are {known}")
        elif text:
            try:
                values[field] = _READERS[field](text)
            except ValueError as error:
                # What stands in the address of a server may be a secret.
                said = name if field == "spark_url" else f"{name}={text!r}"
                problems.append(f"{said}: {error}")
    data_dir = values.get("data_dir", Settings.data_dir)
    if found := re.search("[%?#']", str(data_dir)):
        problems.append(
            f"{PREFIX}DATA_DIR={str(data_dir)!r}: Dagster and dbt take {found[0]!r} in a path for something "
            "else; name another folder"
        )
    if reads_source and values.get("source") == "files" and "files_dir" not in values:
        problems.append(
            "SALES_REPORTS_SOURCE=files needs SALES_REPORTS_FILES_DIR, the folder with one file per table"
        )
    if token := environment.get(TOKEN_NAME, "").strip():
        values["hubspot_token"] = token
        # It becomes a header line; and no message may quote it.
        if not (token.isascii() and token.isprintable()) or " " in token:
            problems.append(f"{TOKEN_NAME} holds characters that no token has; copy it once more")
    elif reads_source and values.get("source") == "hubspot":
        problems.append(f"SALES_REPORTS_SOURCE=hubspot needs {TOKEN_NAME}. {how_to_get_a_token()}")
    if "viewer_access_file" in values and "viewer_user_header" not in values:
        problems.append(
            "SALES_REPORTS_VIEWER_ACCESS_FILE needs SALES_REPORTS_VIEWER_USER_HEADER: whose rows somebody "
            "sees can only be said of users whom a proxy has logged in"
        )
    engine = values.get("engine", "duckdb")
    if engine == "postgres" and "postgres_url" not in values:
        problems.append(
            "SALES_REPORTS_ENGINE=postgres needs SALES_REPORTS_POSTGRES_URL, such as "
            "postgresql://user:password@host/database"
        )
    if "spark_url" in values and "spark_warehouse" not in values:
        problems.append(
            "SALES_REPORTS_SPARK_URL needs SALES_REPORTS_SPARK_WAREHOUSE, a folder that this machine and the "
            "server have under the same path: tables come and go by it"
        )
    if problems:
        raise SettingsError("Settings: " + "; ".join(problems))
    return Settings(**values)


def how_to_get_a_token() -> str:
    """One paragraph for whoever has no token, or a wrong one: where to get it and which scopes it needs."""
    from orchestration.ingest.hubspot.objects import OPTIONAL_SCOPES, REQUIRED_SCOPES  # only when needed

    return (
        "In HubSpot, open Settings > Integrations > Service Keys (or Private Apps), create a key with the "
        f"scopes {', '.join(REQUIRED_SCOPES)}; for all reports also {', '.join(OPTIONAL_SCOPES)}; "
        f"then set {TOKEN_NAME} to it"
    )


def on_failure_command() -> str | None:
    """SALES_REPORTS_ON_FAILURE by itself: whoever is to hear of failures hears of wrong settings too."""
    return os.environ.get(f"{PREFIX}ON_FAILURE")


def set_tool_environment(settings: Settings) -> None:
    """Set what dbt and Dagster read from the environment: places, and that nothing is reported home."""
    path = [str(PROJECT_ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    os.environ.update(
        {
            "SALES_REPORTS_DBT_PATH": str(settings.build_path),
            "SALES_REPORTS_DBT_MARTS_PATH": str(settings.marts_path),
            "SALES_REPORTS_DBT_MEMORY_LIMIT": settings.memory_limit,
            "DAGSTER_HOME": str(settings.dagster_home),
            "PYTHONPATH": os.pathsep.join(dict.fromkeys(path)),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "DO_NOT_TRACK": "1",
            "RUNTIME__DLTHUB_TELEMETRY": "false",
        }
    )
    if settings.postgres_url:
        variables = libpq_environment(settings.postgres_url)
        # For a build's large joins, unless the connection string says otherwise (the last one counts).
        variables["PGOPTIONS"] = f"{POSTGRES_OPTIONS} {variables.get('PGOPTIONS', '')}".strip()
        os.environ.update(variables)
    if settings.engine == "spark":
        _must_have_spark(settings)


def _must_have_spark(settings: Settings) -> None:
    """Raises SettingsError where dbt for Spark is not installed, or no Java that a session can run in, and
    where Spark would not find its tables."""
    for name, folder in (("DATA_DIR", settings.data_dir), ("SPARK_WAREHOUSE", settings.spark_warehouse_dir)):
        if found := _NOT_IN_PATHS_OF_SPARK.search(str(folder)):
            raise SettingsError(
                f"SALES_REPORTS_ENGINE=spark: Spark takes {found[0]!r} in a path for something else; set "
                f"{PREFIX}{name} to another folder than {folder}"
            )
    if not SPARK_PYTHON.exists():
        raise SettingsError(
            f"SALES_REPORTS_ENGINE=spark needs {SPARK_PYTHON.parent.parent}; run: make .venv-spark/.installed"
        )
    if settings.spark_url:
        return
    home = os.environ.get("JAVA_HOME")
    java = f"{home}/bin/java" if home else shutil.which("java")
    try:
        said = subprocess.run([java or "java", "-version"], capture_output=True, text=True).stderr
    except OSError:
        said = ""
    version = re.search(r'version "([0-9]+)', said)
    if not version or int(version[1]) < _OLDEST_JAVA:
        found = f"{java} is version {version[1]}" if version else "there is none"
        raise SettingsError(
            f"SALES_REPORTS_ENGINE=spark needs Java {_OLDEST_JAVA} or newer, and {found}; install one "
            "(Debian: openjdk-17-jre-headless), set JAVA_HOME to it, or SALES_REPORTS_SPARK_URL to a server"
        )


def environment_without_secrets() -> dict[str, str]:
    """The environment for a program beside this one that needs neither settings nor secrets."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith((PREFIX, "PG", "PYTHON", "VIRTUAL_ENV")) and name != TOKEN_NAME
    }


def environment_for_dbt() -> dict[str, str]:
    """What `profiles.yml`, dbt and libpq read from the environment, with a password where there is one."""
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("SALES_REPORTS_DBT_", "DBT_", "PG")) or name == "DO_NOT_TRACK"
    }


def libpq_environment(postgres_url: str) -> dict[str, str]:
    """A connection string as the variables that `profiles.yml` and libpq read, such as PGHOST."""
    from psycopg.errors import Error  # only where Postgres is used: it takes a while
    from psycopg.pq import Conninfo

    try:
        options = Conninfo.parse(postgres_url.encode())
    except Error:
        # Without the string and libpq's words for it: a password may stand in both.
        raise SettingsError(
            "SALES_REPORTS_POSTGRES_URL is no connection string, such as postgresql://user:password@host/database"
        ) from None
    return {
        option.envvar.decode(): option.val.decode()
        for option in options
        if option.envvar and option.val is not None
    }
