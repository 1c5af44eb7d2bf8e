"""Spark: the raw tables land as Parquet, dbt builds there, and readers have `core` and `reports` there.

Belongs here: what happens in the warehouse in which step of a run. How Spark is talked to and how builds
reach readers belongs to the modules that this one calls.

A table is a folder of Parquet in <warehouse>/<database>.db, on Spark as here: what dbt has built comes
back by reading it. Without a server, dbt works in a catalog that ends with it, so that only publication
needs the metastore, which one process at a time can open.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import closing
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any

import duckdb

from orchestration import data_folder, dbt_runs, publish, published_catalog
from orchestration.engines import Engine, on_duckdb, spark_functions, spark_proof, spark_publication
from orchestration.engines.spark_process import (
    SparkError,
    SparkSession,
    landed_build,
    raw_dir,
    spark_session,
    suffix_of,
    wait_for_metastore,
)
from orchestration.engines.spark_publication import MARTS
from orchestration.ingest.values import literal, quoted

_OF_BUILD = ("seeds", "staging", "intermediate", "raw_hubspot")
# Tables of the marts that are complete only after the proof.
_WRITTEN_BY_PROOF = (published_catalog.REPORTS, published_catalog.CHECKS, "reports.rpt_data_quality")


class Spark(Engine):
    """A warehouse folder, and Spark in a process of its own or the server of SALES_REPORTS_SPARK_URL."""

    def land(self, build: duckdb.DuckDBPyConnection) -> str:
        """Replace the raw tables in the warehouse; that of the build's id comes last and makes it whole."""
        start = perf_counter()
        folder = raw_dir(self.settings)
        shutil.rmtree(folder, ignore_errors=True)
        tables = build.execute(
            "select table_name from duckdb_tables() where database_name = current_database() "
            "and schema_name = 'raw_hubspot' order by table_name = '_run', table_name"
        ).fetchall()
        for (name,) in tables:
            _write_parquet(build, f"from raw_hubspot.{quoted(name)}", folder / name)
        return f"; written for Spark in {perf_counter() - start:.1f} s"

    def begin_build(self) -> None:
        """Remove what is left of builds that nobody reads; a server gets the databases of the build.

        Raises SparkError where publication could not open the metastore.
        """
        if not self.settings.spark_url:
            wait_for_metastore(self.settings)
        dbt_runs.compiled_manifest(on_duckdb(self.settings))  # while nobody has the build database open
        shutil.rmtree(self.settings.spark_dir / "scratch", ignore_errors=True)
        marts = [f"{schema}_{self._suffix}" for schema in MARTS]
        if self.settings.spark_url:
            with spark_session(self.settings) as spark:
                spark_publication.check_marts(spark)
                for database in (*_OF_BUILD, *marts):
                    spark_publication.renew_database(spark, database, self._folder(database), self._build_id)
        else:
            for database in (*_OF_BUILD, *marts):
                shutil.rmtree(self._folder(database), ignore_errors=True)

    def begin_part(self) -> None:
        raise dbt_runs.DbtError("On Spark every build is whole; run the whole job.")

    def fetch(self, build: duckdb.DuckDBPyConnection) -> str:
        """Read seeds and marts back."""
        start = perf_counter()
        build.execute("create schema if not exists seeds")
        targets = {"seeds": "seeds"} | {
            f"{schema}_{self._suffix}": f"{data_folder.MARTS}.{schema}" for schema in MARTS
        }
        for database, target in targets.items():
            for table in sorted(self._folder(database).iterdir()):
                rows = literal(f"{table}/*.parquet")
                build.execute(
                    f"create or replace table {target}.{quoted(table.name)} as from read_parquet({rows})"
                )
        return f"; fetched from Spark in {perf_counter() - start:.1f} s"

    def publish(self) -> str:
        """Complete the marts over there by what the proof has found, then have readers' views show them."""
        refused: dict[str, str] = {}
        build_id = publish.audited_build_id(self.settings.build_path)
        if landed_build(self.settings) != build_id:
            raise publish.PublishError(f"Spark holds another build than {build_id}; run the whole job.")
        # Before the build is opened: dbt may open it too.
        own, _ = dbt_runs.compiled_manifest(self.settings), self.marts_manifest
        with spark_session(self.settings) as spark:
            spark_publication.check_marts(spark)
            if not spark_publication.is_complete(spark, build_id):
                with closing(data_folder.open_build(self.settings.build_path)) as build:
                    refused = self._complete(build, spark, build_id, own)
            spark_publication.show(spark, build_id)
            oldest = publish.oldest_allowed(self.settings)
            kept = spark_publication.prune(spark, self.settings.keep_builds, oldest)
        for folder in self.settings.spark_warehouse_dir.glob("*.db"):
            # Tables of a build remain where they are dropped, and those of one that was ended.
            if spark_publication.is_of_build(folder.stem) and folder.stem not in kept:
                shutil.rmtree(folder, ignore_errors=True)
        return _words_for_refused(refused)

    def _complete(
        self, build: duckdb.DuckDBPyConnection, spark: SparkSession, build_id: str, own: dict[str, Any]
    ) -> dict[str, str]:
        """Have all tables of a proven build in the metastore, its functions, and what will show them.

        By its name, why a function is not among them.
        """
        suffix = suffix_of(build_id)
        published_catalog.write(build, self.marts_manifest)
        for table in _WRITTEN_BY_PROOF:
            schema, _, name = table.partition(".")
            _write_parquet(build, f"from {table}", self._folder(f"{schema}_{suffix}") / name)
        for schema in MARTS:
            database = f"{schema}_{suffix}"
            spark_publication.register(spark, database, self._folder(database), build_id)
        definitions = spark_functions.functions(build, own, suffix)
        refused = spark_proof.create_proven(build, spark, own, definitions, f"reports_{suffix}")
        proven = [definition for name, definition in definitions.items() if name not in refused]
        statements = spark_publication.statements(build, self.marts_manifest, proven, suffix)
        build.execute("set variable statements = $1", [statements])
        numbered = (
            "select unnest(getvariable('statements')) as statement, "
            "generate_subscripts(getvariable('statements'), 1) as position"
        )
        folder = self._folder(f"reports_{suffix}") / spark_publication.STATEMENTS
        _write_parquet(build, numbered, folder)
        spark_publication.register_table(spark, f"reports_{suffix}", folder)
        return refused

    def roll_back(self) -> tuple[Path, Path]:
        try:
            with spark_session(self.settings) as spark:
                left, now = spark_publication.roll_back(spark)
        except SparkError as error:
            raise publish.PublishError(str(error)) from None
        return publish.point_back(self.settings, left, now)

    def left_from_before(self, build_id: str) -> list[str]:
        """Folders that publication has not been able to remove, such as those of a server's user."""
        return [
            f"the folder {folder}, which this user may not remove"
            for folder in sorted(self.settings.spark_warehouse_dir.glob("*.db"))
            if spark_publication.is_of_build(folder.stem)
            and folder.stem.partition("_")[2] < suffix_of(build_id)
        ]

    @property
    def address(self) -> str:
        where = self.settings.spark_dir / "conf" if not self.settings.spark_url else "the server"
        return f"Spark: databases core and reports of {where}"

    @cached_property
    def marts_manifest(self) -> dict[str, Any]:
        return dbt_runs.compiled_manifest(on_duckdb(self.settings))

    @property
    def _build_id(self) -> str:
        build_id = landed_build(self.settings)
        if build_id is None:
            raise dbt_runs.DbtError("No raw tables have landed for Spark yet; run the whole job.")
        return build_id

    @property
    def _suffix(self) -> str:
        return suffix_of(self._build_id)

    def _folder(self, database: str) -> Path:
        return self.settings.spark_warehouse_dir / f"{database}.db"


def _write_parquet(build: duckdb.DuckDBPyConnection, query: str, folder: Path) -> None:
    """Have a folder of Parquet with the rows of a query, and nothing else."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # Complete under its name or not there: a killed run may leave half a file.
    scratch = folder / "_rows.parquet"
    build.execute(f"copy ({query}) to {literal(str(scratch))} (format parquet, compression zstd)")
    scratch.rename(folder / "rows.parquet")


def _words_for_refused(functions: Mapping[str, str]) -> str:
    if not functions:
        return ""
    told = "; ".join(f"{name} ({why})" for name, why in functions.items())
    return f"; {len(functions)} functions left out on Spark, which has no or other answers: {told}"
