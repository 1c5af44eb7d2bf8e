"""Starts other programs on this project: Dagster's UI and daemon, dbt's docs, the SQL linter.

Belongs here: their command lines, and the environment that the settings give them. `make dev`,
`make serve`, `make docs` and `make lint` come here.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from orchestration import data_folder, dbt_runs
from orchestration.run import prepare_dagster
from orchestration.settings import PROJECT_ROOT, Settings, SettingsError, load_settings, set_tool_environment

BIN = Path(sys.executable).parent
LINT_BIN = PROJECT_ROOT / ".venv-lint" / "bin"
CODE = ("--module-name", "orchestration.definitions", "--working-directory", str(PROJECT_ROOT))


def ui(settings: Settings) -> None:
    """Dagster's UI with its daemon, until it is stopped."""
    _start_dagster(settings, BIN / "dagster", "dev", *CODE)


def daemon(settings: Settings) -> None:
    """The daily schedule without a UI, until it is stopped."""
    _start_dagster(settings, BIN / "dagster-daemon", "run", *CODE)


def _start_dagster(settings: Settings, program: Path, *arguments: str) -> None:
    data_folder.prepare(settings)
    prepare_dagster(settings)
    dbt_runs.load_manifest(settings)  # parse once, here, rather than in each process
    _become(program, *arguments)


def docs(settings: Settings) -> None:
    """dbt's documentation as one static page in the data folder."""
    page = dbt_runs.write_docs(settings)
    print(f"{page}: open it in a browser.")


def lint(settings: Settings) -> None:
    """sqlfluff over the models, in its own environment."""
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["SALES_REPORTS_DBT_PATH"] = f"{scratch}/build.duckdb"
        os.environ["DBT_TARGET_PATH"] = scratch
        status = os.spawnv(os.P_WAIT, LINT_BIN / "sqlfluff", ["sqlfluff", "lint", "models", "tests/dbt"])
    sys.exit(status)


def _become(program: Path, *arguments: str) -> None:
    """Replace this process, so that signals reach the program itself."""
    sys.stdout.flush()
    os.chdir(PROJECT_ROOT)
    os.execv(program, [program.name, *arguments])


COMMANDS = {"ui": ui, "daemon": daemon, "docs": docs, "lint": lint}


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0] not in COMMANDS:
        print(f"usage: python -m orchestration.tools {'|'.join(COMMANDS)}", file=sys.stderr)
        return 2
    try:
        settings = load_settings()
        set_tool_environment(settings)
        COMMANDS[arguments[0]](settings)
    except (SettingsError, data_folder.DataFolderError, dbt_runs.DbtError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
