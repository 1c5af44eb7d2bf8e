"""Starts other programs on this project: Dagster's UI and daemon, dbt's docs, the SQL linter, the report
viewer.

Belongs here: their command lines, and the environment that the settings give them. `make dev`,
`make serve`, `make docs`, `make lint` and `make view` come here.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from orchestration import data_folder, dbt_runs
from orchestration.run import prepare_dagster
from orchestration.settings import (
    MARTS_FILE,
    PROJECT_ROOT,
    Settings,
    SettingsError,
    load_settings,
    set_tool_environment,
)

BIN = Path(sys.executable).parent
LINT_BIN = PROJECT_ROOT / ".venv-lint" / "bin"
CODE = ("--module-name", "orchestration.definitions", "--working-directory", str(PROJECT_ROOT))

# Streamlit asks nothing, reports nothing home, and shows readers no code and no stack of calls.
VIEWER_OPTIONS = {
    "server.headless": "true",
    "server.fileWatcherType": "none",
    "browser.gatherUsageStats": "false",
    "client.toolbarMode": "minimal",
    "client.disableDataExport": "true",  # ours (exports.py) writes no formulas
    "runner.magicEnabled": "false",  # a text by itself is a comment, not a part of the page
    "client.showErrorDetails": "none",
    "client.showErrorLinks": "false",  # they lead to search engines
    "logger.hideWelcomeMessage": "true",
    # Said of both themes: said once for all, it would make one theme of its own, which is light at night too.
    **{
        f"theme.{theme}.{name}": value
        for theme in ("light", "dark")
        for name, value in (("primaryColor", "#2f7ebc"), ("headingFontSizes", "1.9rem,1.45rem,1.15rem"))
    },
}


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
    dbt_runs.end_program()
    _become(program, *arguments)


def docs(settings: Settings) -> None:
    """dbt's documentation as one static page in the data folder, of the marts that are published."""
    with tempfile.TemporaryDirectory(dir=settings.data_dir) as scratch:
        marts = Path(scratch) / MARTS_FILE
        if settings.published_link.exists():
            shutil.copyfile(settings.published_link, marts)
        os.environ["SALES_REPORTS_DBT_MARTS_PATH"] = str(marts)
        page = dbt_runs.write_docs(settings)
    print(f"{page}: open it in a browser.")


def lint(settings: Settings) -> None:
    """sqlfluff over the models, in its own environment."""
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["SALES_REPORTS_DBT_PATH"] = f"{scratch}/build.duckdb"
        os.environ["SALES_REPORTS_DBT_MARTS_PATH"] = f"{scratch}/marts.duckdb"
        os.environ["DBT_TARGET_PATH"] = scratch
        status = os.spawnv(os.P_WAIT, LINT_BIN / "sqlfluff", ["sqlfluff", "lint", "models", "tests/dbt"])
    sys.exit(status)


def view(settings: Settings) -> None:
    """The report viewer, until it is stopped."""
    host = f"[{settings.viewer_host}]" if ":" in settings.viewer_host else settings.viewer_host
    print(f"Reports     http://{host}:{settings.viewer_port}  (Ctrl-C ends)")
    options = VIEWER_OPTIONS | {
        "server.address": settings.viewer_host,
        "server.port": str(settings.viewer_port),
    }
    flags = [f"--{key}={value}" for key, value in options.items()]
    _become(BIN / "streamlit", "run", str(PROJECT_ROOT / "orchestration" / "viewer" / "app.py"), *flags)


def _become(program: Path, *arguments: str) -> None:
    """Replace this process, so that signals reach the program itself."""
    sys.stdout.flush()
    os.chdir(PROJECT_ROOT)
    os.execv(program, [program.name, *arguments])


COMMANDS = {
    "ui": ui,
    "daemon": daemon,
    "docs": docs,
    "lint": lint,
    "view": view,
}


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0] not in COMMANDS:
        print(f"usage: python -m orchestration.tools {'|'.join(COMMANDS)}", file=sys.stderr)
        return 2
    try:
        settings = load_settings(reads_source=arguments[0] in ("ui", "daemon"))
        set_tool_environment(settings)
        COMMANDS[arguments[0]](settings)
    except (SettingsError, data_folder.DataFolderError, dbt_runs.DbtError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
