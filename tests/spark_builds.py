"""Small builds made by hand in a Spark warehouse, ready to be shown to readers.

Belongs here: the least that publication needs, and whether there is a Spark here at all. What is done with
builds does not belong here.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from orchestration.engines import spark_publication
from orchestration.engines.spark_process import SparkSession, suffix_of
from orchestration.engines.spark_publication import register, register_table
from orchestration.ingest.values import literal
from orchestration.settings import SPARK_PYTHON, Settings

# What a folder may be called, and addresses or texts write otherwise.
ODD = 'it\'s ä+b #1 "100%20"'


def need_spark() -> None:
    """Skip tests where Spark or Java is missing; fail them where `CI` is set, which must have both."""
    if not SPARK_PYTHON.exists() or not shutil.which("java"):
        message = "no Spark here: needs a Java 17, and `make .venv-spark/.installed`"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)


@dataclass
class Warehouse:
    """A warehouse with a session in it."""

    settings: Settings
    spark: SparkSession

    def folder(self, database: str) -> Path:
        return self.settings.spark_warehouse_dir / f"{database}.db"

    def build(self, build_id: str, deals: int, *, breaks: bool = False) -> str:
        """A complete build of so many deals, which readers do not see yet; `breaks`: nor ever can."""
        suffix = suffix_of(build_id)
        tables = {
            f"core_{suffix}": {"build_info": f"select '{build_id}' as build_id"},
            f"reports_{suffix}": {"rpt_deals": f"select range as deal_id from range({deals})"},
        }
        statements = [
            "create or replace view reports.rpt_deals (deal_id comment 'The deal\\'s.') comment 'Deals.' "
            f"as select * from reports_{suffix}.rpt_deals",
            "create or replace function reports.deals(least int default 0) returns table return "
            f"select deal_id from reports_{suffix}.rpt_deals where deal_id >= deals.least",
            f"create or replace view core.build_info as select * from core_{suffix}.build_info",
        ]
        if breaks:
            statements.insert(1, "create or replace view reports.rpt_deals as select * from reports.nothing")
        for database, queries in tables.items():
            for name, query in queries.items():
                write(query, self.folder(database) / name)
            register(self.spark, database, self.folder(database), build_id)
        folder = self.folder(f"reports_{suffix}") / spark_publication.STATEMENTS
        texts = ", ".join("'" + statement.replace("'", "''") + "'" for statement in statements)
        write(f"select unnest([{texts}]) as statement, unnest(range({len(statements)})) as position", folder)
        function = statements[-2].replace("reports.deals", f"reports_{suffix}.deals")
        self.spark.execute(function)
        register_table(self.spark, f"reports_{suffix}", folder)
        return build_id

    def seen(self) -> tuple[str, int, int]:
        """The build that a reader sees, its deals, and what its function says."""
        query = (
            "select (select build_id from core.build_info), (select count(*) from reports.rpt_deals), "
            "(select count(*) from reports.deals(least => 1))"
        )
        return self.spark.execute(query).rows[0]


def write(query: str, folder: Path) -> None:
    folder.mkdir(parents=True)
    duckdb.execute(f"copy ({query}) to {literal(f'{folder}/rows.parquet')} (format parquet)")
