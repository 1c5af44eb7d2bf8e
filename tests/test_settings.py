"""Settings: every name of decisions.md §5, every problem in one message."""

from __future__ import annotations

import os
import re
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestration.settings import PROJECT_ROOT, Settings, SettingsError, load_settings, set_tool_environment

# decisions.md §5
NAMES = (
    "SOURCE FILES_DIR DATA_DIR TIME_ZONE CURRENCY FISCAL_YEAR_START_MONTH WEEK_STARTS_ON RUN_TS DEMO_SEED "
    "DEMO_DEALS DEMO_END KEEP_BUILDS FULL_REFRESH MAX_REJECT_SHARE ACCEPT_DROP INCLUDE_PERSONAL_DATA "
    "CUSTOM_PROPERTIES MEMORY_LIMIT ENGINE POSTGRES_URL ON_FAILURE SPARK_URL SPARK_WAREHOUSE SPARK_CORES "
    "HUBSPOT_URL HUBSPOT_API_VERSION HUBSPOT_REQUESTS_PER_10_S HUBSPOT_FULL_REFRESH "
    "VIEWER_HOST VIEWER_PORT VIEWER_USER_HEADER VIEWER_ACCESS_FILE"
).split()


def read(**values: str) -> Settings:
    return load_settings({f"SALES_REPORTS_{name}": value for name, value in values.items()})


def test_there_is_a_setting_for_every_name_and_no_other():
    named = {name.lower() for name in NAMES} | {"hubspot_token"}  # whose name is HUBSPOT_TOKEN
    assert {field.name for field in fields(Settings)} == named


def test_without_any_the_demo_goes_into_data():
    settings = load_settings({})
    assert settings == Settings()
    assert settings.source == "demo"
    assert settings.data_dir == PROJECT_ROOT / "data"


def test_values_are_read_into_their_types():
    settings = read(
        SOURCE="FILES",
        FILES_DIR="incoming",
        DATA_DIR="/var/lib/reports",
        TIME_ZONE="Europe/Berlin",
        CURRENCY="eur",
        FISCAL_YEAR_START_MONTH="4",
        WEEK_STARTS_ON="Sunday",
        RUN_TS="2026-07-01T00:00:00+02:00",
        KEEP_BUILDS="5",
        MAX_REJECT_SHARE="0.05",
        ACCEPT_DROP="1",
        INCLUDE_PERSONAL_DATA="true",
        CUSTOM_PROPERTIES="region, tier,",
        ON_FAILURE="mail -s failed me@example.com",
    )
    assert settings == Settings(
        source="files",
        files_dir=PROJECT_ROOT / "incoming",  # relative paths start at the project's root
        data_dir=Path("/var/lib/reports"),
        time_zone="Europe/Berlin",
        currency="EUR",
        fiscal_year_start_month=4,
        week_starts_on="sunday",
        run_ts=datetime(2026, 6, 30, 22, tzinfo=UTC),
        keep_builds=5,
        max_reject_share=0.05,
        accept_drop=True,
        include_personal_data=True,
        custom_properties=("region", "tier"),
        on_failure="mail -s failed me@example.com",
    )


def test_an_empty_value_is_none():
    assert read(TIME_ZONE="", CUSTOM_PROPERTIES=" ") == Settings()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("SORUCE", "demo", "SALES_REPORTS_SORUCE is not a setting; known are .*SALES_REPORTS_SOURCE"),
        ("SOURCE", "excel", "must be one of: demo, files"),
        ("SOURCE", "files", "needs SALES_REPORTS_FILES_DIR"),
        ("TIME_ZONE", "Berlin", "unknown time zone; use a tz database name"),
        ("TIME_ZONE", "../etc/passwd", "unknown time zone"),
        ("TIME_ZONE", "localtime", "unknown time zone"),
        ("FISCAL_YEAR_START_MONTH", "13", "must be 1 to 12"),
        ("WEEK_STARTS_ON", "tuesday", "must be one of: monday, sunday, iso"),
        ("RUN_TS", "2026-07-01T00:00:00", "an offset is missing"),
        ("RUN_TS", "yesterday", "yesterday"),
        ("KEEP_BUILDS", "0", "must be at least 1"),
        ("DEMO_DEALS", "many", "many"),
        ("MAX_REJECT_SHARE", "5", "share between 0 and 1"),
        ("ACCEPT_DROP", "maybe", "must be 1 or 0"),
        ("ENGINE", "oracle", "must be one of"),
        ("SPARK_URL", "http://host:15002", "sc://host:15002"),
        ("SPARK_URL", "sc://host:15002", "needs SALES_REPORTS_SPARK_WAREHOUSE"),
        ("SPARK_CORES", "0", "must be at least 1"),
        ("ENGINE", "postgres", "needs SALES_REPORTS_POSTGRES_URL"),
        ("SOURCE", "hubspot", "needs HUBSPOT_TOKEN.*crm.objects.deals.read"),
        ("HUBSPOT_URL", "api.hubapi.com", "must be an address"),
        ("HUBSPOT_URL", "http://api.hubapi.com", "must begin with https"),
        ("HUBSPOT_URL", "https://me:word@api.hubapi.com", "the token goes into HUBSPOT_TOKEN"),
        ("HUBSPOT_API_VERSION", "v2", "must be one of: 2026-09, v3"),
        ("HUBSPOT_REQUESTS_PER_10_S", "500", "must be 10 to 190"),
    ],
)
def test_a_wrong_value_is_an_error_that_says_what_is_right(name, value, message):
    with pytest.raises(SettingsError, match=message):
        read(**{name: value})


def test_readers_of_what_is_published_need_no_token_and_no_folder():
    for source in ("hubspot", "files"):
        assert load_settings({"SALES_REPORTS_SOURCE": source}, reads_source=False).source == source


def test_the_hubspot_token_is_read_and_never_said():
    token = "pat-eu1-planted"
    settings = load_settings({"SALES_REPORTS_SOURCE": "hubspot", "HUBSPOT_TOKEN": f" {token}\n"})
    assert settings.hubspot_token == token
    assert token not in repr(settings) and token not in str(settings)


@pytest.mark.parametrize("broken", ["pat-eu1\nplanted", "pat eu1 planted", "pat-eu1-plantéd"])
def test_a_broken_hubspot_token_is_refused_without_being_quoted(broken):
    with pytest.raises(SettingsError, match="HUBSPOT_TOKEN holds characters that no token has") as caught:
        load_settings({"SALES_REPORTS_SOURCE": "hubspot", "HUBSPOT_TOKEN": broken})
    assert "plant" not in str(caught.value)


def test_all_problems_come_in_one_message():
    with pytest.raises(SettingsError) as caught:
        read(SORUCE="demo", KEEP_BUILDS="0", TIME_ZONE="Berlin")
    for name in ("SORUCE", "KEEP_BUILDS", "TIME_ZONE"):
        assert f"SALES_REPORTS_{name}" in str(caught.value)


def test_only_settings_reads_the_environment():
    """Elsewhere the environment is handed on whole to another program, never looked into."""
    readers = [
        (path.relative_to(PROJECT_ROOT).as_posix(), line.strip())
        for path in sorted((PROJECT_ROOT / "orchestration").rglob("*.py"))
        for line in path.read_text().splitlines()
        if re.search(r"os\.getenv|os\.environ(\.get|\[[^\]]*\](?! =))", line) and path.name != "settings.py"
    ]
    assert readers == []


@pytest.mark.parametrize("letter", [*"%?#'"])
def test_a_data_folder_that_dagster_and_dbt_would_not_find_is_refused(tmp_path, letter):
    with pytest.raises(SettingsError) as error:
        load_settings({"SALES_REPORTS_DATA_DIR": str(tmp_path / f"100{letter}20")})
    assert f"Dagster and dbt take {letter!r} in a path for something else" in str(error.value)


@pytest.mark.parametrize("letter", [*"[]{}*?\\;:,\n", "😀"])
@pytest.mark.parametrize("name", ["data_dir", "spark_warehouse"])
def test_a_folder_that_spark_would_not_find_is_refused(tmp_path, monkeypatch, name, letter):
    monkeypatch.setattr(os, "environ", {})
    settings = Settings(engine="spark", **{"data_dir": tmp_path} | {name: tmp_path / f"a{letter}b"})
    with pytest.raises(SettingsError) as error:
        set_tool_environment(settings)
    assert f"Spark takes {letter!r} in a path for something else; set SALES_REPORTS_" in str(error.value)
    assert f"{name.upper()} to another folder than {tmp_path}" in str(error.value)
