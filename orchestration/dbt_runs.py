"""Runs dbt: parses the project, builds the models and tests them.

Belongs here: how dbt is called, where its files lie, and how what it says becomes an error that a
person can read. It runs in a program of its own (`dbt_program.py`), beside this process.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from orchestration import dbt_invocation, table_rules
from orchestration.dbt_invocation import Node, Outcome
from orchestration.dbt_program import DbtProgram
from orchestration.settings import PROJECT_ROOT, Settings, memory_in_mib

# What a manifest is made of. A change in any of them makes it stale.
_SOURCES = (
    *("dbt_project.yml", "profiles.yml", "requirements.lock", "requirements-spark.lock"),
    *("models", "macros", "seeds", "tests/dbt"),
)
_SHOWN_PROBLEMS = 5
_LARGE = 0.1
"""The share of DuckDB's memory from which a build database is large: some 230,000 deals in 6 GiB."""
_program = DbtProgram()


class DbtError(RuntimeError):
    """dbt could not parse the project, or nodes of a build failed; the message names them."""


@dataclass(frozen=True)
class NodeResult:
    """What became of one node of a build, or of one rule of a table."""

    unique_id: str
    name: str
    kind: str
    """model, seed, test …"""
    status: str
    """success, pass, warn, fail, error, skipped."""
    message: str
    failures: int
    seconds: float

    @property
    def is_bad(self) -> bool:
        return self.status in ("fail", "error", "runtime error")

    def __str__(self) -> str:
        if self.status == "fail":
            return f"{self.kind} {self.name}: {self.failures} rows"
        # Lines with > are dbt's own macros, down to the model.
        lines = [line.strip() for line in self.message.splitlines() if not line.lstrip().startswith(">")]
        return f"{self.kind} {self.name}: {' '.join(lines)}"


# --- manifest -------------------------------------------------------------------------------------


def parse_ahead(settings: Settings) -> None:
    """Have dbt read the project while this process does something else, for the next command."""
    if settings.engine != "spark":  # whose dbt has a program for each command
        command = _command(settings, ["parse", "--no-write-json"])
        _program.parse_ahead(command, _project(settings), _log(settings))


def end_program() -> None:
    """Let go of what dbt has parsed, for a process that builds nothing, and end a command under way."""
    _program.close()


def load_manifest(settings: Settings) -> dict[str, Any]:
    """dbt's manifest of the project as it is now; parsed if it is missing or stale.

    Raises DbtError if the project cannot be parsed.
    """
    folder = settings.dbt_target_dir
    path = folder / f"manifest-{project_hash(settings)}.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder):
            if not path.exists():  # another process may have been faster
                _write_manifest(settings, ["parse"], path)
    return json.loads(path.read_bytes())


def compiled_manifest(settings: Settings) -> dict[str, Any]:
    """The manifest of the project as it is now, with the SQL of every node as a whole build runs it.

    Compiled where no whole build has left it. Raises DbtError if the project cannot be compiled.
    """
    path = _compiled_path(settings)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path.parent):
            _write_manifest(settings, ["compile", "--full-refresh"], path)
    return json.loads(path.read_bytes())


def _compiled_path(settings: Settings) -> Path:
    return settings.dbt_target_dir / f"compiled-{project_hash(settings)}.json"


def write_docs(settings: Settings) -> Path:
    """Write dbt's documentation as one page into the data folder and return its path."""
    problems: list[str] = []
    outcome = _invoke(
        settings, ["docs", "generate", "--static"], lambda event: _collect_problem(event, problems)
    )
    if not outcome.success:
        raise DbtError("dbt cannot write the docs: " + _first(problems or [outcome.problem]))
    page = settings.data_dir / "docs" / "index.html"
    page.parent.mkdir(exist_ok=True)
    page.write_bytes((settings.dbt_target_dir / "static_index.html").read_bytes())
    return page


def _write_manifest(settings: Settings, command: Sequence[str], path: Path) -> None:
    """Have dbt parse or compile the project, and keep its manifest in place of those of earlier projects."""
    problems: list[str] = []
    outcome = _invoke(settings, command, lambda event: _collect_problem(event, problems))
    if not outcome.success:
        raise DbtError(f"dbt cannot {command[0]} the project: " + _first(problems or [outcome.problem]))
    _keep_manifest(path)


def _keep_manifest(path: Path) -> None:
    # Under its own name and in one step: a build rewrites manifest.json while others read.
    scratch = path.with_suffix(".tmp")
    scratch.write_bytes((path.parent / "manifest.json").read_bytes())
    for stale in path.parent.glob(path.name.partition("-")[0] + "-*.json"):
        stale.unlink()
    os.replace(scratch, path)


def project_hash(settings: Settings) -> str:
    """Changes with whatever dbt makes the models of."""
    # dbt writes absolute paths into the manifest.
    digest = hashlib.sha256(json.dumps([str(PROJECT_ROOT), settings.engine, _variables(settings)]).encode())
    for source in _SOURCES:
        path = PROJECT_ROOT / source
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                digest.update(str(file.relative_to(PROJECT_ROOT)).encode() + file.read_bytes())
    return digest.hexdigest()[:16]


class _locked:
    """Hold a folder until the block ends; others wait."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> None:
        self._descriptor = os.open(self._folder, os.O_RDONLY)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def __exit__(self, *error: object) -> None:
        os.close(self._descriptor)


# --- build ----------------------------------------------------------------------------------------


class Build:
    """One `dbt build`: iterate over its events, then ask for its results."""

    def __init__(
        self, settings: Settings, selection: Sequence[str] = (), *, only_changes: bool = False
    ) -> None:
        """`selection` are dbt's arguments, such as `--select`; without any, everything is built.

        `only_changes`: keyed models compute changed records only (macros/incremental.sql).

        Unit tests are left out: they test the SQL, not the data, and pytest runs them.
        """
        self._settings = settings
        self._arguments = ["build", "--exclude-resource-type", "unit_test", *selection]
        if not only_changes:
            self._arguments.append("--full-refresh")
        # What `compiled_manifest` gives is the same in every whole build; writing it takes dbt seconds.
        self._keeps_compiled = not selection and not only_changes and not _compiled_path(settings).exists()
        if not self._keeps_compiled:
            self._arguments.append("--no-write-json")
        self._problems: list[str] = []
        self.results: list[NodeResult] = []

    def events(self) -> Iterator[Mapping[str, Any]]:
        """dbt's event of each model, seed and test that ends, as it ends.

        Raises DbtError after the last one if any node failed.
        """
        events: queue.Queue[Mapping[str, Any] | None] = queue.Queue()
        outcome: list[Outcome] = []
        arguments = [*self._arguments, *(["--threads", "1"] if _is_large(self._settings) else [])]

        def run() -> None:
            try:
                outcome.append(_invoke(self._settings, arguments, hear))
            finally:
                events.put(None)

        def hear(event: Mapping[str, Any]) -> None:
            if event["info"]["name"] in dbt_invocation.RESULT_EVENTS:
                events.put(event)
            _collect_problem(event, self._problems)

        # A thread, so that events go out while dbt works. It dies with the process.
        thread = threading.Thread(target=run, name="dbt", daemon=True)
        thread.start()
        while (event := events.get()) is not None:
            yield event
        thread.join()
        self._conclude(outcome[0] if outcome else Outcome(False, "dbt has ended without a word"))

    def _conclude(self, outcome: Outcome) -> None:
        found = self._show([node.name for node in outcome.nodes if _has_findings(node)])
        self.results = [result for node in outcome.nodes for result in _results(node, found)]
        bad = [result for result in self.results if result.is_bad]
        if bad:
            raise DbtError(f"{len(bad)} of {len(self.results)} dbt nodes failed: " + _first(map(str, bad)))
        if not outcome.success:
            raise DbtError("dbt build failed: " + _first(self._problems or [outcome.problem]))
        if self._keeps_compiled:
            _keep_manifest(_compiled_path(self._settings))

    def _show(self, tests: Sequence[str]) -> dict[str, int]:
        """What tests of rules give: by the name of each broken rule, how many keys or rows break it."""
        if not tests:
            return {}
        arguments = ["show", "--select", *tests, "--limit", "-1"]
        shown = _invoke(self._settings, arguments, lambda event: _collect_problem(event, self._problems))
        nodes = shown.nodes if shown.success else []
        return {rule: int(count) for node in nodes for rule, count in node.rows}


def _has_findings(node: Node) -> bool:
    return node.status in ("fail", "warn") and table_rules.has_rules(vars(node))


def _results(node: Node, found: Mapping[str, int]) -> list[NodeResult]:
    """dbt's result of a node; that of a test of rules for each of its rules, where dbt could run it."""
    whole = NodeResult(
        node.unique_id, node.name, node.kind, node.status, node.message, node.failures, node.seconds
    )
    if whole.kind != "test" or whole.status not in ("pass", "fail", "warn"):
        return [whole]
    rules = table_rules.rules_of(vars(node))
    if whole.status != "pass" and not found.keys() & set(rules):
        return [whole]
    return [
        replace(
            whole,
            name=rule,
            status=whole.status if rule in found else "pass",
            message=f"{found[rule]} rows" if rule in found else "",
            failures=found.get(rule, 0),
            seconds=whole.seconds / len(rules),
        )
        for rule in rules
    ]


def _invoke(
    settings: Settings, arguments: Sequence[str], hear: Callable[[Mapping[str, Any]], None]
) -> Outcome:
    """Run a dbt command. Prints and logs nothing."""
    command = _command(settings, arguments)
    if settings.engine == "spark":
        from orchestration.engines import spark_process  # which needs this module's like

        return spark_process.invoke_dbt(settings, command, hear)
    return _program.invoke(command, _project(settings), _log(settings), hear)


def _command(settings: Settings, arguments: Sequence[str]) -> list[str]:
    command = [
        *arguments,
        *("--target", settings.engine),
        *("--project-dir", str(PROJECT_ROOT), "--profiles-dir", str(PROJECT_ROOT)),
        *("--target-path", str(settings.dbt_target_dir), "--log-path", str(settings.dbt_target_dir)),
        *("--quiet", "--log-level", "none", "--log-level-file", "none", "--no-print"),
    ]
    if variables := _variables(settings):
        command += ["--vars", json.dumps(variables)]
    return command


def _project(settings: Settings) -> str:
    """What tells one state of the project, as it is parsed, from another."""
    return f"{project_hash(settings)} in {settings.dbt_target_dir}"


def _log(settings: Settings) -> Path:
    return settings.dbt_target_dir / "dbt.log"


def _is_large(settings: Settings) -> bool:
    """Whether DuckDB should work on one model at a time, and give it all its memory and both cores.

    Models beside each other share the limit, and what cannot be spilled of two may exceed it; each spills
    more. A small account gains by several at a time: DuckDB then computes while dbt's Python runs.
    """
    if settings.engine != "duckdb" or not settings.build_path.exists():
        return False
    size = settings.build_path.stat().st_size // 2**20
    return size > memory_in_mib(settings.memory_limit) * _LARGE


def _variables(settings: Settings) -> dict[str, Any]:
    """The dbt variables that come from settings."""
    return {"custom_properties": list(settings.custom_properties)} if settings.custom_properties else {}


def _collect_problem(event: Mapping[str, Any], problems: list[str]) -> None:
    if event["info"]["level"] == "error":
        words, _, _ = event["info"].get("msg", "").partition("Traceback (most recent call last)")
        if words := " ".join(words.split()):
            problems.append(words)


def _first(problems: Sequence[str] | Iterator[str]) -> str:
    problems = list(problems)
    more = f"; and {len(problems) - _SHOWN_PROBLEMS} more" if len(problems) > _SHOWN_PROBLEMS else ""
    return "; ".join(problems[:_SHOWN_PROBLEMS]) + more
