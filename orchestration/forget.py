"""`make forget CONTACT=<id>`: a person leaves every place in which this project keeps anything.

Belongs here: the order of it, and the places that are no tables: files, logs, earlier builds. Whose
rows and texts those are says `ingest/forgotten.py`.

Kept history and the raw tables lose the person and are written anew, so that no byte stays in a file;
so do the landing of a source that has one, the files of rejects, and the run history. Then the job
runs: what it lands and publishes, on whichever engine, is without the person, and no build from before is
kept; what cannot be removed there is told. A list of ids stays in kept history, so that no later load
brings the person back, whatever the source still holds.
"""

from __future__ import annotations

import re
import sqlite3
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from orchestration import data_folder, publish
from orchestration.engines import engine_of
from orchestration.ingest.contract import TABLES
from orchestration.ingest.delivery import LoadError
from orchestration.ingest.forgotten import PERSON, mentions, merged_with, take_out
from orchestration.ingest.history import KeptHistory, attached, transaction
from orchestration.ingest.sources import forget_in_source
from orchestration.lock import RunUnderWay, only_run
from orchestration.plan import forget_basis
from orchestration.run import explain, run_job, summary
from orchestration.run_log import ConsoleLog
from orchestration.settings import Settings, SettingsError, load_settings, set_tool_environment


class ForgetError(RuntimeError):
    """Nobody can be forgotten; the message says why and what to do. Nothing was changed."""


@dataclass(frozen=True)
class Forgotten:
    """What left the data folder, before anything was built anew."""

    contact_ids: Sequence[str]
    """The contact, the records merged into it, and those that it was merged into."""
    raw_rows: int
    versions: int
    texts: int
    """Records of others that lost their text."""
    events: int


def forget(settings: Settings, contact_id: str, now: datetime) -> Forgotten:
    """Remove a person from everything that is kept; the caller holds the lock and builds anew.

    Raises ForgetError if no contact of that id is known. It may be done again after a kill.
    """
    if not settings.build_path.exists():
        raise ForgetError(f"Nothing has been loaded into {settings.data_dir} yet; run `make run` first.")
    with closing(data_folder.open_build(settings.build_path, with_marts=False)) as build:
        build.execute("set TimeZone = 'UTC'")
        source, portal_id = _account(build, settings)
        relations = {name: f"raw_hubspot.{name}" for name in TABLES}
        with attached(build, settings.history_path):
            history = KeptHistory(build, source, portal_id)
            contact_ids = merged_with(build, relations["contacts"], [contact_id])
            _must_be_known(build, relations, history, contact_ids)
            # Before anything goes: no night may build on tables that hold the person.
            publish.withdraw_verdict(build)
            forget_basis(build)
            spoken_of = mentions(build, relations["associations"], contact_ids)
            with transaction(build):
                versions = history.forget(contact_ids, spoken_of, now)
            with transaction(build):
                forgotten = history.forgotten()
                gone = take_out(build, relations, forgotten)
                build.execute("drop schema if exists delivered cascade")  # hashes of rows of theirs
                for table in ("_rejected_rows", "_rejected_values"):
                    build.execute(f"delete from raw_hubspot.{table} where table_name in ({_listed(gone)})")
    data_folder.drop_models(settings)
    data_folder.write_anew(settings.history_path)
    data_folder.write_anew(settings.build_path)
    forget_in_source(settings, forgotten)
    for path in settings.rejects_dir.glob("*.csv"):
        path.unlink()
    events = forget_events(settings.dagster_home, contact_ids)
    return Forgotten(contact_ids, sum(gone.values()), versions, len(spoken_of), events)


def _account(build: duckdb.DuckDBPyConnection, settings: Settings) -> tuple[str, str]:
    try:
        source, portal_id = build.execute("select source, portal_id from raw_hubspot._run").fetchone()
    except duckdb.CatalogException:
        raise ForgetError("Nothing has been loaded yet; run `make run` first.") from None
    if source != settings.source:
        raise ForgetError(
            f"The last load was from the source {source}, and SALES_REPORTS_SOURCE says {settings.source}; "
            f"set SALES_REPORTS_SOURCE={source}, as for `make run`."
        )
    return source, portal_id


def _must_be_known(build, relations, history: KeptHistory, contact_ids: Sequence[str]) -> None:
    known = build.execute(
        f"select count(*) from (select id from {relations['contacts']} union all "
        f"select object_id from ({history.versions(TABLES['contact_property_history'])})) as known "
        "where list_contains($1, id)",
        [contact_ids],
    ).fetchone()[0]
    forgotten = {id_ for type_, id_ in history.forgotten() if type_ == PERSON}
    if not known and not forgotten & set(contact_ids):
        raise ForgetError(
            f"No contact with the id {contact_ids[0]} is known here; the id is HubSpot's record id. "
            "Nothing was changed."
        )


def forget_events(dagster_home: Path, contact_ids: Sequence[str]) -> int:
    """Remove the events of earlier runs in which an id stands; returns their number."""
    id_in_text = re.compile(r"(?<![\w.])(?:" + "|".join(map(re.escape, contact_ids)) + r")(?![\w.])")
    removed = 0
    for path in sorted((dagster_home / "history" / "runs").glob("*.db")):
        with closing(sqlite3.connect(path)) as log:
            if not log.execute("select 1 from sqlite_master where name = 'event_logs'").fetchone():
                continue
            rows = [
                (row,)
                for row, event in log.execute("select id, event from event_logs")
                if id_in_text.search(event)
            ]
            if rows:
                log.executemany("delete from event_logs where id = ?", rows)
                log.commit()
                log.execute("vacuum")
            removed += len(rows)
    return removed


def main(arguments: list[str]) -> int:
    """Returns the exit code: 0 forgotten and published anew, 1 not, with what to do on stderr."""
    if len(arguments) != 1 or not arguments[0].strip():
        print("usage: make forget CONTACT=<HubSpot's record id of the contact>", file=sys.stderr)
        return 2
    begin, settings, forgotten = time.monotonic(), None, None
    try:
        settings = load_settings()
        set_tool_environment(settings)
        data_folder.prepare(settings)
        now = datetime.now(UTC)
        with only_run(settings.lock_path, now):
            forgotten = forget(settings, arguments[0].strip(), now)
            print("\n".join(_words(settings, forgotten)), flush=True)
            log = ConsoleLog()
            run_job(settings, log)
        print(summary(settings, log, time.monotonic() - begin))
        if left := engine_of(settings).left_from_before(publish.oldest_allowed(settings)):
            print(
                "\nWhat is kept and what is published have forgotten the person. What could not be removed "
                f"of earlier builds still holds them: {'; '.join(left)}. See to that and `make run`.",
                file=sys.stderr,
            )
            return 1
        print(f"\nForgotten   {', '.join(forgotten.contact_ids)}; builds from before were removed")
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return _unfinished(forgotten)
    except (ForgetError, SettingsError, RunUnderWay, LoadError, data_folder.DataFolderError) as error:
        print(error, file=sys.stderr)
        return _unfinished(forgotten)
    except Exception as error:
        print(f"\nThe run failed. {explain(error, settings)}", file=sys.stderr)
        return _unfinished(forgotten)
    return 0


def _unfinished(forgotten: Forgotten | None) -> int:
    """What is still to be done is said; the exit code."""
    if forgotten:
        print(
            "What is kept has forgotten the person. The published builds still hold them: they go with the "
            "next good run, so mend the cause and `make run`.",
            file=sys.stderr,
        )
    return 1


def _words(settings: Settings, forgotten: Forgotten) -> list[str]:
    lines = [
        f"Forgetting  contact {', '.join(forgotten.contact_ids)}: {forgotten.raw_rows:,} rows, "
        f"{forgotten.versions:,} versions in kept history, {forgotten.texts:,} records without their text, "
        f"{forgotten.events:,} events of earlier runs"
    ]
    if settings.source == "files":
        lines.append(f"Note        the files in {settings.files_dir} are yours and still hold the person")
    return lines


def _listed(names) -> str:
    return ", ".join(f"'{name}'" for name in names)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
