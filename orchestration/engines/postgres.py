"""Postgres: the raw tables land there, dbt builds there, and readers have `core` and `reports` there.

Belongs here: what happens on the server in which step of a run. How tables are copied, published and
kept belongs to the modules that this one calls.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any

import duckdb
import psycopg

from orchestration import data_folder, dbt_runs, publish, published_catalog
from orchestration.engines import Engine, on_duckdb, postgres_functions, postgres_proof, postgres_publication
from orchestration.engines.postgres_copy import RAW, copy_schema, fetch_schema, in_utc, replace_table
from orchestration.engines.postgres_publication import BUILD_SCHEMAS, MARTS, NEXT
from orchestration.settings import SettingsError, libpq_environment

APPLICATION = "sales_reports"
"""What sessions of a run call themselves; dbt's too (profiles.yml)."""
_OLDEST_VERSION = 140_000
# Tables of the marts that are complete only after the proof.
_WRITTEN_BY_PROOF = (published_catalog.REPORTS, published_catalog.CHECKS, "reports.rpt_data_quality")


class Postgres(Engine):
    """A database on a Postgres server, which SALES_REPORTS_POSTGRES_URL names."""

    def land(self, build: duckdb.DuckDBPyConnection) -> str:
        """Replace raw_hubspot over there, in one transaction."""
        start = perf_counter()
        with self._server() as server, in_utc(server):
            end_sessions_left(server)
            postgres_publication.check_marts(server)
            postgres_publication.renew_schemas(server, [RAW])
            copy_schema(build, server, RAW)
        return f"; copied to Postgres in {perf_counter() - start:.1f} s"

    def begin_build(self) -> None:
        """Empty all schemas of the build but the raw one; dbt's grants need the role."""
        dbt_runs.compiled_manifest(on_duckdb(self.settings))  # while nobody has the build database open
        with self._server() as server:
            postgres_publication.ensure_reader(server)
            with server.transaction():
                others = [schema for schema in BUILD_SCHEMAS if schema != RAW]
                marts = [f"{schema}{NEXT}" for schema in MARTS]
                postgres_publication.renew_schemas(server, [*others, *marts])

    def begin_part(self) -> None:
        """Only a build that is not yet published can be mended: what is published belongs to readers."""
        with self._server() as server:
            if not postgres_publication.is_ours(server, f"core{NEXT}"):
                raise dbt_runs.DbtError(
                    "On Postgres the last build is published, or there is none yet, so no part of it can be "
                    "built by itself; run the whole job."
                )

    def fetch(self, build: duckdb.DuckDBPyConnection) -> str:
        """Copy seeds and marts back."""
        start = perf_counter()
        build.execute("create schema if not exists seeds")
        with self._server() as server, in_utc(server):
            fetch_schema(server, "seeds", build, "seeds")
            for schema in MARTS:
                fetch_schema(server, f"{schema}{NEXT}", build, f"{data_folder.MARTS}.{schema}")
        return f"; fetched from Postgres in {perf_counter() - start:.1f} s"

    def publish(self) -> str:
        """Complete the marts over there by what the proof has found, then swap."""
        build_id = publish.audited_build_id(self.settings.build_path)
        with self._server() as server:
            if not postgres_publication.show_again(server, build_id):
                self._complete(server)
                postgres_publication.publish_next(server, build_id)
            oldest = publish.oldest_allowed(self.settings)
            postgres_publication.prune(server, self.settings.keep_builds, oldest)
        return ""

    def _complete(self, server: psycopg.Connection) -> None:
        # Before the build is opened: dbt may open it too.
        own, manifest = dbt_runs.compiled_manifest(self.settings), self.marts_manifest
        with closing(data_folder.open_build(self.settings.build_path)) as build, in_utc(server):
            published_catalog.write(build, manifest)
            for table in _WRITTEN_BY_PROOF:
                schema, _, name = table.partition(".")
                replace_table(build, server, table, schema + NEXT, name)
            postgres_functions.create_functions(server, own)
            if unlike := postgres_proof.unlike_answers(build, server, own):
                raise publish.PublishError(
                    f"{len(unlike)} calls of report functions have other answers on Postgres than on DuckDB, "
                    "so nothing was published: " + "; ".join(unlike[:3])
                )

    def roll_back(self) -> tuple[Path, Path]:
        with self._server() as server:
            left, now = postgres_publication.roll_back(server)
        return publish.point_back(self.settings, left, now)

    def left_from_before(self, build_id: str) -> list[str]:
        """Builds that somebody is still reading, or on whose tables something of somebody else's depends."""
        with self._server() as server:
            return [
                f"the schemas core{build.suffix} and reports{build.suffix}, which a session reads "
                "or somebody has views on"
                for build in postgres_publication.builds(server)
                if build.build_id < build_id
            ]

    @property
    def address(self) -> str:
        parts = libpq_environment(self.settings.postgres_url)
        place = f"{parts.get('PGHOST', 'localhost')}/{parts.get('PGDATABASE', '')}"
        return f"Postgres {place}: schemas core and reports, for members of {postgres_publication.READER}"

    @cached_property
    def marts_manifest(self) -> dict[str, Any]:
        return dbt_runs.compiled_manifest(on_duckdb(self.settings))

    @contextmanager
    def _server(self) -> Iterator[psycopg.Connection]:
        """A connection in autocommit. Raises SettingsError if there is none; no message has the password."""
        try:
            server = psycopg.connect(
                self.settings.postgres_url, autocommit=True, application_name=APPLICATION
            )
        except psycopg.OperationalError as error:
            raise SettingsError(f"SALES_REPORTS_POSTGRES_URL: {str(error).strip()}") from None
        with server:
            _must_suffice(server)
            yield server


def end_sessions_left(server: psycopg.Connection) -> None:
    """End what a killed run left on the server, which computes on though nobody listens, and keeps locks.

    Only sessions of this database and role that call themselves as a run's do; waits for them to end.
    """
    server.execute(
        "select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = current_database() "
        "and usename = current_user and application_name = %s and pid <> pg_backend_pid()",
        [APPLICATION],
    )


def _must_suffice(server: psycopg.Connection) -> None:
    """Raises SettingsError if the database cannot hold the reports; Postgres 14 binds functions to tables."""
    info = server.info
    if info.server_version < _OLDEST_VERSION:
        raise SettingsError(
            f"SALES_REPORTS_POSTGRES_URL: the server is Postgres {info.server_version // 10_000}; "
            f"{_OLDEST_VERSION // 10_000} or newer is needed"
        )
    if (encoding := info.parameter_status("server_encoding")) != "UTF8":
        raise SettingsError(
            f"SALES_REPORTS_POSTGRES_URL: {info.dbname} is encoded in {encoding}; create one in UTF8"
        )
