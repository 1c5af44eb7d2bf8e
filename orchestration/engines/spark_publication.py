"""What readers on Spark see: views in `core` and `reports`, and how they come to show a build.

Belongs here: the databases of a build and of what is published, the switch, the builds that are kept, and
the way back to one. What is in a table, and whether it is right, was decided before.

    core_<build>, reports_<build>    the tables of a build, which stay where dbt has made them
    core, reports                    what readers read: a view of each table, and the functions

A database that is ours says so in its comment. A build is complete when the metastore has its table
`publication`: the statements by which it is shown. Showing it, for the first time, again or on the way
back, means to run them; so a switch that was ended half-way is mended by the next one, whichever it is.

Spark has no transaction over several views, so functions and views are switched one after another: the
functions first, of which each takes Spark a second or so, then the views, within seconds. Who reads one of
them sees one build, whole. Who reads several meanwhile may see two; `core.build_info` is switched last, so
whoever sees a new build there sees it everywhere. A query that has begun keeps its tables, for as long as
the build is kept.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb

from orchestration import published_catalog
from orchestration.engines.spark_process import SparkSession, location_of, suffix_of
from orchestration.publish import PublishError, published_nodes

MARTS = ("core", "reports")
STATEMENTS = "publication"
_OURS = "sales_reports: "
_BUILD = f"{_OURS}build "
_TURN = "sales_reports.turn"
"""The property of a build's `publication` that says when it was shown last: the greatest number is the last.

Of tables, since Spark cannot alter a database whose folder has a blank in its path.
"""
_LAST = "core.build_info"


# --- databases ------------------------------------------------------------------------------------


def check_marts(spark: SparkSession) -> None:
    """Have the databases that readers read. Raises PublishError if one is there and not ours."""
    there = _databases(spark)
    for name in MARTS:
        if name not in there:
            spark.execute(f"create database {name} comment {_text(_OURS + 'what readers read')}")
        elif not _described(spark, name).get("Comment", "").startswith(_OURS):
            raise PublishError(
                f"Spark has a database {name} that is not this project's, and views in it would be replaced. "
                "Use another metastore, or rename it."
            )


def renew_database(spark: SparkSession, name: str, folder: Path, build_id: str) -> None:
    """Have an empty database of a build on a server. Raises PublishError if one is there and not ours."""
    if name in _databases(spark):
        if not _described(spark, name).get("Comment", "").startswith(_OURS):
            raise PublishError(
                f"Spark has a database {name} that is not this project's, and it would be replaced. "
                "Use another metastore, or rename it."
            )
        spark.execute(f"drop database {name} cascade")
    # What a build without this server has left: Spark makes no table where there is one.
    shutil.rmtree(folder, ignore_errors=True)
    _create_database(spark, name, folder, build_id)


def register(spark: SparkSession, database: str, folder: Path, build_id: str) -> None:
    """Have the tables of a build's folder in the metastore."""
    if database not in _databases(spark):
        _create_database(spark, database, folder, build_id)
    for table in sorted(folder.iterdir()):
        register_table(spark, database, table)


def register_table(spark: SparkSession, database: str, folder: Path) -> None:
    """Have a folder of Parquet as a table of a database, with what is in it now."""
    name = f"{database}.{folder.name}"
    spark.execute(f"create table if not exists {name} using parquet location {_text(location_of(folder))}")
    spark.execute(f"refresh table {name}")


def _create_database(spark: SparkSession, name: str, folder: Path, build_id: str) -> None:
    words, location = _text(_BUILD + build_id), _text(location_of(folder))
    spark.execute(f"create database {name} comment {words} location {location}")


def _databases(spark: SparkSession) -> set[str]:
    return {name for (name,) in spark.execute("show databases").rows}


def _described(spark: SparkSession, database: str) -> dict[str, str]:
    return dict(spark.execute(f"describe database extended {database}").rows)


# --- the switch -----------------------------------------------------------------------------------


def statements(
    build: duckdb.DuckDBPyConnection,
    manifest: Mapping[str, Any],
    functions: Iterable[str],
    suffix: str,
) -> list[str]:
    """The statements that make views of all tables of a build, with their comments, and its functions.

    `functions` are their definitions (`spark_functions.py`). In the order in which they are to be run.
    """
    of_views = list(_views(build, manifest, suffix))
    of_functions = [f"create or replace function reports.{definition}" for definition in functions]
    return [*of_functions, *of_views]


def _views(build: duckdb.DuckDBPyConnection, manifest: Mapping[str, Any], suffix: str) -> Iterator[str]:
    texts = {
        f"{node['schema']}.{node['alias']}": (
            node["description"],
            {column["name"]: column["description"] for column in node["columns"].values()},
        )
        for node in published_nodes(manifest)
    }
    for table in (published_catalog.REPORTS, published_catalog.CHECKS):
        texts[table] = _comments(build, table)
    for table in sorted(texts, key=lambda name: (name == _LAST, name)):
        words, of_columns = texts[table]
        columns = [row[0] for row in build.execute(f"describe {table}").fetchall()]
        listed = ", ".join(
            f"`{column}`" + (f" comment {_text(of_columns[column])}" if of_columns.get(column) else "")
            for column in columns
        )
        schema, _, name = table.partition(".")
        yield (
            f"create or replace view {table} ({listed}) comment {_text(words)} "
            f"as select * from {schema}_{suffix}.{name}"
        )


def _comments(build: duckdb.DuckDBPyConnection, table: str) -> tuple[str, dict[str, str]]:
    schema, _, name = table.partition(".")
    where = "where schema_name = ? and table_name = ?"
    (words,) = build.execute(f"select comment from duckdb_tables() {where}", [schema, name]).fetchone()
    columns = f"select column_name, comment from duckdb_columns() {where}"
    return words, dict(build.execute(columns, [schema, name]).fetchall())


def is_complete(spark: SparkSession, build_id: str) -> bool:
    """Whether a build can be shown."""
    return build_id in builds(spark)


def show(spark: SparkSession, build_id: str) -> None:
    """Have readers' views show a complete build, and nothing that it has not."""
    suffix, turn = suffix_of(build_id), max(_turns(spark).values(), default=0) + 1
    publication = f"reports_{suffix}.{STATEMENTS}"
    spark.execute(f"alter table {publication} set tblproperties ({_text(_TURN)} = {_text(str(turn))})")
    for (statement,) in spark.execute(f"select statement from {publication} order by position").rows:
        spark.execute(statement)
    for schema in MARTS:
        own = set(spark.execute(f"show tables in {schema}_{suffix}").rows)
        known = {name for _, name, *_ in own}
        for _, name, *_ in spark.execute(f"show views in {schema}").rows:
            if name not in known:
                spark.execute(f"drop view {schema}.{name}")
    for name in _functions(spark, "reports") - _functions(spark, f"reports_{suffix}"):
        spark.execute(f"drop function reports.{name}")


def _functions(spark: SparkSession, database: str) -> set[str]:
    found = spark.execute(f"show user functions in {database}").rows
    return {name.rpartition(".")[2] for (name,) in found}


# --- earlier builds -------------------------------------------------------------------------------


def builds(spark: SparkSession) -> list[str]:
    """Ids of the builds that can be shown, newest first."""
    found = []
    for name in _databases(spark):
        if name.startswith("reports_"):
            words = _described(spark, name).get("Comment", "")
            if words.startswith(_BUILD) and spark.execute(f"show tables in {name} like '{STATEMENTS}'").rows:
                found.append(words.removeprefix(_BUILD))
    return sorted(found, reverse=True)


def shown_build(spark: SparkSession) -> str | None:
    """The build that readers' views show, or were about to when a switch was ended."""
    turns = _turns(spark)
    return max(turns, key=turns.__getitem__, default=None)


def _turns(spark: SparkSession) -> dict[str, int]:
    """By the ids of the builds that have been shown, a number that is greater the later that was."""
    found = {}
    for build in builds(spark):
        properties = dict(spark.execute(f"show tblproperties reports_{suffix_of(build)}.{STATEMENTS}").rows)
        if _TURN in properties:
            found[build] = int(properties[_TURN])
    return found


def roll_back(spark: SparkSession) -> tuple[str, str]:
    """Give readers the build before the current one; the next good build replaces it.

    Returns the ids of the build that they saw and of the one they see now. Raises PublishError if there is
    nothing to go back to.
    """
    current = shown_build(spark)
    if current is None:
        raise PublishError("Nothing has been published on Spark yet; run `make run` first.")
    older = [build for build in builds(spark) if build < current]
    if not older:
        raise PublishError(
            f"There is no build before {current} on Spark. SALES_REPORTS_KEEP_BUILDS says how many are kept."
        )
    show(spark, older[0])
    return current, older[0]


def prune(spark: SparkSession, keep: int, oldest: str = "") -> set[str]:
    """Drop all but the newest `keep` builds, those whose id is before `oldest`, and what builds that were
    ended have left; never the one that is shown. Returns the names of the databases that remain."""
    known = builds(spark)
    kept = {*[build for build in known if build >= oldest][:keep], shown_build(spark)}
    remain = {f"{schema}_{suffix_of(build)}" for schema in MARTS for build in kept if build}
    for name in sorted(_databases(spark)):
        if is_of_build(name) and name not in remain:
            spark.execute(f"drop database {name} cascade")
    return remain


def is_of_build(database: str) -> bool:
    """Whether a database has the name of one of a build."""
    return re.fullmatch(r"(core|reports)_\d{8}t\d{6}_\d{6}z", database) is not None


def _text(text: str) -> str:
    """A text between quotes, in one line."""
    return "'" + " ".join(text.split()).replace("\\", "\\\\").replace("'", "\\'") + "'"
