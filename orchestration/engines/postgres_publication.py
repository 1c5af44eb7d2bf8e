"""What readers of a Postgres database see: the schemas `core` and `reports`, and how a build gets there.

Belongs here: the schemas of a build and of what is published, who may read them, the swap, the builds
that are kept, and the way back to one. What is in a table, and whether it is right, was decided before.

    raw_hubspot, staging, intermediate, seeds    of the build; nobody's but the builder's
    core_next, reports_next                      where dbt builds the marts
    core, reports                                what readers read
    core_<build>, reports_<build>                earlier builds, which nobody reads

A schema that is ours says so in its comment; any other of such a name is left alone, with an error.

The swap renames schemas in one transaction. Renaming takes nothing from whoever reads: a statement keeps
the tables it has begun with. But a transaction that keeps one snapshot for several statements
(REPEATABLE READ, as pg_dump has it) would find new tables by the old names and, the rows being younger
than its snapshot, find them empty. So the swap waits until no reader is left whose snapshot is from
before the build was complete; snapshots taken since then see all of it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from orchestration.publish import PublishError

MARTS = ("core", "reports")
NEXT = "_next"  # as generate_schema_name (macros/dialect/dialect.sql) has it
BUILD_SCHEMAS = ("raw_hubspot", "staging", "intermediate", "seeds")
READER = "reports_reader"
_OURS = "sales_reports: "
_BUILD = f"{_OURS}build "
_PATIENCE = 15 * 60  # seconds that a publication waits for readers with old snapshots
_LOOK_AGAIN = 0.05  # seconds
_DROP_WAIT = "5s"
"""How long dropping an earlier build waits for those who still read it; the next publication tries again."""


@dataclass(frozen=True)
class PublishedBuild:
    """A build that readers see or saw: the end of its schemas' names ('' for what they see), and its id."""

    suffix: str
    build_id: str


# --- schemas --------------------------------------------------------------------------------------


def renew_schemas(server: psycopg.Connection, names: Sequence[str]) -> None:
    """Have these schemas of the build, empty. Commits nothing.

    Raises PublishError if one of them is there and not ours: another project's staging, say.
    """
    server.execute("set local client_min_messages = warning")  # no list of what is dropped
    for name in names:
        _must_be_ours(server, name)
        server.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(name)))
        server.execute(sql.SQL("create schema {}").format(sql.Identifier(name)))
        _mark(server, name, f"{_OURS}a build, which is not for readers")


def check_marts(server: psycopg.Connection) -> None:
    """Raises PublishError if `core` or `reports` is there and not ours."""
    for name in MARTS:
        _must_be_ours(server, name)


def is_ours(server: psycopg.Connection, name: str) -> bool | None:
    """Whether a schema is this project's; None if it is not there."""
    found = server.execute(
        "select obj_description(oid, 'pg_namespace') from pg_namespace where nspname = %s", [name]
    ).fetchone()
    return (found[0] or "").startswith(_OURS) if found else None


def _must_be_ours(server: psycopg.Connection, name: str) -> None:
    if is_ours(server, name) is False:
        raise PublishError(
            f"Database {server.info.dbname} has a schema {name} that is not this project's, and it would "
            "be replaced. Give the reports a database of their own in SALES_REPORTS_POSTGRES_URL, "
            "or rename it."
        )


def _mark(server: psycopg.Connection, schema: str, words: str) -> None:
    server.execute(sql.SQL("comment on schema {} is {}").format(sql.Identifier(schema), sql.Literal(words)))


def _rename(server: psycopg.Connection, old: str, new: str) -> None:
    server.execute(sql.SQL("alter schema {} rename to {}").format(sql.Identifier(old), sql.Identifier(new)))


# --- readers --------------------------------------------------------------------------------------


def ensure_reader(server: psycopg.Connection) -> None:
    """Have the role reports_reader, which cannot log in: those who may read are made members of it.

    Raises PublishError if it is missing and the builder may create no roles.
    """
    if server.execute("select 1 from pg_roles where rolname = %s", [READER]).fetchone():
        return
    try:
        with server.transaction():
            server.execute(sql.SQL("create role {} nologin").format(sql.Identifier(READER)))
    except psycopg.errors.DuplicateObject:
        pass  # another database of the server was faster
    except psycopg.errors.InsufficientPrivilege as error:
        raise PublishError(
            f"The role {READER} is missing, and this user may not create it. Have an administrator run: "
            f"create role {READER} nologin"
        ) from error


def _let_read(server: psycopg.Connection, schema: str) -> None:
    """Tables have their grants from dbt, those that it does not know and functions here."""
    for grant in (
        "usage on schema {}",
        "select on all tables in schema {}",
        "execute on all functions in schema {}",
    ):
        statement = sql.SQL(f"grant {grant} to {{}}")
        server.execute(statement.format(sql.Identifier(schema), sql.Identifier(READER)))


def _let_nobody_read(server: psycopg.Connection, schema: str) -> None:
    statement = sql.SQL("revoke usage on schema {} from {}")
    server.execute(statement.format(sql.Identifier(schema), sql.Identifier(READER)))


# --- the swap -------------------------------------------------------------------------------------


def publish_next(server: psycopg.Connection, build_id: str, patience: float = _PATIENCE) -> None:
    """Make core_next and reports_next what readers see, and keep what they saw until now.

    `server` is a connection in autocommit. Raises PublishError if those schemas hold another build, or if
    readers keep snapshots from before it for longer than `patience` seconds; nothing has changed then.
    """
    _must_be_next(server, build_id)
    _wait_for_old_snapshots(server, patience)
    with server.transaction():
        _one_at_a_time(server)
        _must_be_next(server, build_id)
        check_marts(server)
        if current := current_build(server):
            _put_away(server, current)
        for schema in MARTS:
            _rename(server, f"{schema}{NEXT}", schema)
            _mark(server, schema, f"{_BUILD}{build_id}")
            _let_read(server, schema)


def _must_be_next(server: psycopg.Connection, build_id: str) -> None:
    try:
        found = server.execute(f"select build_id from core{NEXT}.build_info").fetchone()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        found = None
    if found != (build_id,):
        raise PublishError(
            f"{build_id} was proven, and Postgres holds {f'build {found[0]}' if found else 'no build'} to be "
            "published; run the whole job."
        )


def _wait_for_old_snapshots(server: psycopg.Connection, patience: float) -> None:
    """Wait for those who may read the reports and whose snapshot is from before now."""
    start = time.monotonic()
    waited_for = _snapshots(server)
    while waited_for:
        if time.monotonic() - start > patience:
            who = ", ".join(f"process {pid}" for pid, *_ in sorted(waited_for))
            raise PublishError(
                f"For {patience / 60:.0f} minutes, sessions on Postgres have kept a snapshot from before "
                f"this build ({who}; see pg_stat_activity). After a swap they would find empty tables, so "
                "nothing was published. End them and run again."
            )
        time.sleep(_LOOK_AGAIN)
        waited_for &= _snapshots(server)


def _snapshots(server: psycopg.Connection) -> set[tuple]:
    """Sessions that hold a snapshot now. A number is used up, so that every later snapshot differs."""
    server.execute("select pg_current_xact_id()")
    return set(
        server.execute(
            "select pid, backend_start, backend_xmin::text from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid() and backend_xmin is not null "
            "and usesysid is not null "
            "and (to_regnamespace('core') is null or has_schema_privilege(usesysid, 'core', 'usage'))"
        ).fetchall()
    )


def _one_at_a_time(server: psycopg.Connection) -> None:
    server.execute("select pg_advisory_xact_lock(hashtext('sales_reports'))")


def show_again(server: psycopg.Connection, build_id: str) -> bool:
    """Whether this build is published already; readers see it then, also after a rollback."""
    with server.transaction():
        _one_at_a_time(server)
        for build in builds(server):
            if build.build_id == build_id:
                if build.suffix:
                    _show(server, build)
                return True
    return False


# --- earlier builds -------------------------------------------------------------------------------


def builds(server: psycopg.Connection) -> list[PublishedBuild]:
    """The published builds, newest first, whichever of them readers see."""
    rows = server.execute(
        "select nspname, obj_description(oid, 'pg_namespace') from pg_namespace "
        "where nspname ~ '^core(_|$)' and obj_description(oid, 'pg_namespace') like %s",
        [f"{_BUILD}%"],
    ).fetchall()
    found = [PublishedBuild(name.removeprefix("core"), words.removeprefix(_BUILD)) for name, words in rows]
    return sorted(found, key=lambda build: build.build_id, reverse=True)


def current_build(server: psycopg.Connection) -> PublishedBuild | None:
    """The build that readers see; None before the first publication."""
    return next((build for build in builds(server) if not build.suffix), None)


def _show(server: psycopg.Connection, build: PublishedBuild) -> None:
    """Put an earlier build in the place of the current one."""
    if current := current_build(server):
        _put_away(server, current)
    for schema in MARTS:
        _rename(server, f"{schema}{build.suffix}", schema)
        _let_read(server, schema)


def _put_away(server: psycopg.Connection, build: PublishedBuild) -> None:
    suffix = "_" + "".join(c if c.isalnum() else "_" for c in build.build_id).lower()
    for schema in MARTS:
        _let_nobody_read(server, schema)
        _rename(server, schema, f"{schema}{suffix}")


def roll_back(server: psycopg.Connection) -> tuple[str, str]:
    """Give readers the build before the current one, in one transaction; the next good build replaces it.

    Returns the ids of the build that they saw and of the one they see now. Raises PublishError if there is
    nothing to go back to.
    """
    with server.transaction():
        _one_at_a_time(server)
        current = current_build(server)
        if current is None:
            raise PublishError("Nothing has been published on Postgres yet; run `make run` first.")
        older = [build for build in builds(server) if build.build_id < current.build_id]
        if not older:
            raise PublishError(
                f"There is no build before {current.build_id} on Postgres. "
                "SALES_REPORTS_KEEP_BUILDS says how many are kept."
            )
        _show(server, older[0])
    return current.build_id, older[0].build_id


def prune(server: psycopg.Connection, keep: int, oldest: str = "") -> list[str]:
    """Drop all but the newest `keep` builds, and those whose id is before `oldest`; never the current one.

    Returns the ids of those dropped. A build that is still being read, or on whose tables something of
    somebody else's depends, stays until the next time.
    """
    known = builds(server)
    kept = [build for build in known if build.build_id >= oldest][:keep]
    dropped = []
    for build in known:
        if build.suffix and build not in kept:
            try:
                with server.transaction():
                    server.execute(f"set local lock_timeout = '{_DROP_WAIT}'")
                    _drop(server, build)
                dropped.append(build.build_id)
            except (psycopg.errors.LockNotAvailable, psycopg.errors.DependentObjectsStillExist):
                continue
    return dropped


def _drop(server: psycopg.Connection, build: PublishedBuild) -> None:
    """Without cascade: a view that somebody has on a report is not ours to drop."""
    schemas = [f"{schema}{build.suffix}" for schema in MARTS]
    functions = server.execute(
        "select oid::regprocedure::text from pg_proc where pronamespace = any(%s::regnamespace[])",
        [[f'"{schema}"' for schema in schemas]],
    ).fetchall()
    if functions:
        server.execute(f"drop function {', '.join(name for (name,) in functions)}")
    tables = server.execute(
        "select schemaname, tablename from pg_tables where schemaname = any(%s)", [schemas]
    ).fetchall()
    if tables:
        listed = sql.SQL(", ").join(sql.Identifier(*table) for table in tables)
        server.execute(sql.SQL("drop table {}").format(listed))
    for schema in schemas:
        server.execute(sql.SQL("drop schema {}").format(sql.Identifier(schema)))
