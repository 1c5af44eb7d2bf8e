"""Where the models are built and the reports are published, chosen by SALES_REPORTS_ENGINE.

Belongs here: the points of a run at which engines differ, and what each does there. DuckDB is the rule,
so the class of all engines does what DuckDB needs beside the steps themselves: nothing. What differs
in SQL belongs to `macros/dialect/`.

On every engine raw rows are accepted, judged and kept in DuckDB, and the marts come back to DuckDB to be
proven there, by the same laws and slow computations. They are then published on the engine, and as
`sales_reports.duckdb` besides, which the viewer opens.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb

from orchestration import dbt_runs, publish
from orchestration.settings import Settings


class Engine:
    """DuckDB, and what other engines do besides. Every method may be called again after a kill."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def land(self, build: duckdb.DuckDBPyConnection) -> str:
        """Have the raw tables of the build database where the models read them; words for the log."""
        return ""

    def begin_build(self) -> None:
        """Make room for all models; readers notice nothing."""

    def begin_part(self) -> None:
        """Some models only are to be built, asked for by hand. Raises DbtError if that cannot be."""

    def fetch(self, build: duckdb.DuckDBPyConnection) -> str:
        """Have seeds and marts, as built, in the files of the build, to be proven; words for the log."""
        return ""

    def publish(self) -> str:
        """Give the proven marts to the engine's readers, in one step, besides the file; words for the log.

        Raises PublishError and has changed nothing for readers then.
        """
        return ""

    def roll_back(self) -> tuple[Path, Path]:
        """Give readers the build before the current one; the files that were and are published.

        Raises PublishError if there is nothing to go back to.
        """
        return publish.roll_back(self.settings)

    def left_from_before(self, build_id: str) -> list[str]:
        """What is still there of builds from before this one, besides files, and why; words for people."""
        return []

    @property
    def address(self) -> str:
        """Where readers find the reports besides the file, without secrets; '' where only files are kept."""
        return ""

    @property
    def marts_manifest(self) -> dict[str, Any]:
        """dbt's manifest of the build, compiled for DuckDB: what proves and publishes the marts' file."""
        return dbt_runs.compiled_manifest(self.settings)


def engine_of(settings: Settings) -> Engine:
    """The engine that the settings choose."""
    if settings.engine == "postgres":
        from orchestration.engines.postgres import Postgres  # psycopg takes a while to import

        return Postgres(settings)
    if settings.engine == "spark":
        from orchestration.engines.spark import Spark

        return Spark(settings)
    return Engine(settings)


def on_duckdb(settings: Settings) -> Settings:
    """The same settings with DuckDB for the engine."""
    return replace(settings, engine="duckdb")
