"""A published build of the demo, made without dbt, Dagster and the proof, which other tests look at.

Belongs here: the road from the demo's raw tables to a published database in a data folder of its own.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb

from orchestration.compiled import build_nodes
from orchestration.ingest import demo
from orchestration.ingest.load import load
from orchestration.publish import point_link
from orchestration.settings import Settings
from tests.harness import DATABASE, compiled_manifest, compiled_project, write_marts

END = datetime(2026, 11, 26, 5, tzinfo=UTC)


def publish_demo(data_dir: Path, deals: int) -> Settings:
    """Load, build and publish the demo of this size; returns the settings of its data folder."""
    settings = Settings(data_dir=data_dir, demo_deals=deals, demo_end=END)
    settings.published_dir.mkdir(parents=True)
    build = data_dir / f"{DATABASE}.duckdb"
    with duckdb.connect(build, config={"threads": 2}) as connection:
        connection.execute("set TimeZone = 'UTC'")
        load(connection, demo.read(settings, END), settings, now=END, history_path=settings.history_path)
        build_nodes(connection, compiled_project().nodes.values())
        path = settings.published_dir / "demo.duckdb"
        write_marts(connection, path, compiled_manifest())
    point_link(settings.published_link, path)
    return settings
