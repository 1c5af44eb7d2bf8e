"""How dbt is called: by what the account's size asks for."""

from __future__ import annotations

import pytest

from orchestration import dbt_runs
from orchestration.dbt_invocation import Outcome
from orchestration.dbt_runs import Build
from orchestration.settings import Settings

MIB = 2**20


@pytest.mark.parametrize(
    ("engine", "size", "limit", "is_one"),
    [
        ("duckdb", None, "1GiB", False),
        ("duckdb", 102 * MIB, "1GiB", False),
        ("duckdb", 104 * MIB, "1GiB", True),
        ("duckdb", 104 * MIB, "2GiB", False),
        ("postgres", 104 * MIB, "1GiB", False),
    ],
)
def test_models_of_a_large_account_are_built_one_at_a_time(
    monkeypatch, tmp_path, engine, size, limit, is_one
):
    """Beside each other they could take more than DuckDB's memory, and fail."""
    heard: list[list[str]] = []

    def invoke(command: list[str], *_) -> Outcome:
        heard.append(list(command))
        return Outcome(True, "")

    monkeypatch.setattr(dbt_runs._program, "invoke", invoke)
    settings = Settings(data_dir=tmp_path, engine=engine, memory_limit=limit)
    if size:
        with settings.build_path.open("wb") as file:
            file.truncate(size)
    assert list(Build(settings, ["--no-write-json"]).events()) == []
    (command,) = heard
    assert command[:2] == ["build", "--exclude-resource-type"]
    assert (command[command.index("--threads") + 1] if "--threads" in command else None) == (
        "1" if is_one else None
    )
