"""The source `files`: every kind of file, and everything that can be wrong with one."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import zlib
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.ingest.accept import accept, create_reject_tables
from orchestration.ingest.contract import TABLES
from orchestration.ingest.delivery import LoadError, _text
from orchestration.ingest.files import CsvFile
from orchestration.settings import PROJECT_ROOT
from tests.loading import DataFolder, at, crm, deal, version

# Lies outside the repository.
PUBLIC_DATA = PROJECT_ROOT.parent / "shared" / "data" / "crm_sales_opportunities"
NASTY = [
    "🚀 rocket",
    'Say "hi"',
    "two\nlines",
    "two\r\nlines",
    "a;b,c",
    " blanks ",
    "O'Neil",
    "#",
    "\\",
    '"',
    "é",
]


@pytest.fixture
def folder(tmp_path):
    folder = DataFolder(tmp_path / "data")
    folder.path.mkdir()
    yield folder
    folder.close()


@pytest.fixture
def files(tmp_path) -> Path:
    """A folder with the smallest CRM as CSV files."""
    return write_files(tmp_path / "files", crm())


# --- writing files --------------------------------------------------------------------------------


def write_files(path: Path, tables: dict[str, list[dict]], kind: str = "csv") -> Path:
    path.mkdir(exist_ok=True)
    for name, rows in tables.items():
        content = CONTENT[kind.removesuffix(".gz")](rows)
        (path / f"{name}.{kind}").write_bytes(gzip.compress(content) if kind.endswith(".gz") else content)
    return path


def as_csv(rows: list[dict]) -> bytes:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_text(row.get(column)) for column in columns] for row in rows)
    return text.getvalue().encode()


def as_jsonl(rows: list[dict]) -> bytes:
    lines = (json.dumps(row, default=_text, ensure_ascii=False) + "\n" for row in rows)
    return "".join(lines).encode()


def as_parquet(rows: list[dict]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


CONTENT = {"csv": as_csv, "jsonl": as_jsonl, "parquet": as_parquet}


def replace(files: Path, name: str, content: bytes) -> Path:
    """Write a file; one of another kind for the same table goes."""
    for old in files.glob(f"{name.partition('.')[0]}.*"):
        old.unlink()
    (files / name).write_bytes(content)
    return files


# --- good files -----------------------------------------------------------------------------------


def nasty_crm() -> dict[str, list[dict]]:
    return crm(
        deals=[
            deal(
                str(n),
                dealname=name,
                amount=Decimal("12.50"),
                archived=False,
                closedate=at("2026-02-03 04:05"),
            )
            for n, name in enumerate(NASTY)
        ]
        + [deal("x", dealname="plain", amount=None, archived=None, closedate=None)],
        calls=[{"id": "1", "hs_timestamp": at("2026-01-01"), "hs_call_duration": 1500}],
    )


@pytest.mark.parametrize("kind", [kind + end for kind in CONTENT for end in ("", ".gz")])
def test_every_kind_of_file_gives_the_same_rows(folder, tmp_path, kind):
    folder.load_files(write_files(tmp_path / "files", nasty_crm(), kind))
    found = folder.raw_tables()
    folder.load(nasty_crm(), source="files")
    expected = folder.raw_tables()
    for name in expected.keys() - {"_run", "_sync_log", "_available_columns"}:
        assert found[name] == expected[name], name
    assert set(found["_available_columns"]) == set(expected["_available_columns"])


def test_csv_with_byte_order_mark_and_windows_line_ends(folder, files):
    text = 'id,dealname,pipeline,dealstage,createdate\r\n1,"Ä\r\nB",p,s,\r\n2,🚀,p,s,2026-01-02\r\n'
    folder.load_files(replace(files, "deals.csv", b"\xef\xbb\xbf" + text.encode()))
    assert folder.rows("select id, dealname, createdate from deals order by id") == [
        ("1", "Ä\r\nB", None),
        ("2", "🚀", at("2026-01-02")),
    ]


def test_empty_csv_values_are_null_quoted_or_not(folder, files):
    text = 'id,dealname,pipeline,dealstage,createdate,amount\n1,,"",s,,\n2,NULL,null, ,,""\n'
    folder.load_files(replace(files, "deals.csv", text.encode()))
    assert folder.rows("select dealname, pipeline, dealstage, amount from deals order by id") == [
        (None, None, "s", None),
        ("NULL", "null", " ", None),
    ]


def test_nameless_columns_are_nobodys(folder, files):
    text = ",id,dealname,pipeline,dealstage,createdate,\n0,1,a,p,s,,\n1,2,b,p,s,,\n"
    folder.load_files(replace(files, "deals.csv", text.encode()))
    assert folder.rows("select id, dealname from deals order by id") == [("1", "a"), ("2", "b")]
    assert [row[0] for row in folder.rows("describe deals")][-1] == "_loaded_at"


def test_parquet_columns_may_have_other_types(folder, files):
    rows = pa.table(
        {
            "id": pa.array([1, 2]),
            "dealname": pa.array([b"caf\xc3\xa9", b"\xff"], pa.binary()),
            "pipeline": pa.array(["p", "p"]).dictionary_encode(),
            "dealstage": pa.array([True, False]),
            "createdate": pa.array(
                [at("2026-01-02 03:00").replace(tzinfo=None)] * 2, pa.timestamp("ns")
            ),  # no zone: UTC
            "closedate": pa.array([date(2026, 1, 2), None]),
            "hubspot_owner_id": pa.array([101.0, None]),  # what pandas makes of ids next to gaps
            "amount": pa.array([1234567890.12, float("nan")]),
            "hs_exchange_rate": pa.array(["1.5", "x"]),
            "hs_is_closed": pa.array([1, 7]),
            "hs_merged_object_ids": pa.array([["3", "4"], None]),
        }
    )
    buffer = io.BytesIO()
    pq.write_table(rows, buffer)
    folder.load_files(replace(files, "deals.parquet", buffer.getvalue()), max_reject_share=1.0)
    assert folder.rows(
        "select id, dealname, pipeline, dealstage, createdate, closedate, hubspot_owner_id, amount, "
        "hs_exchange_rate, hs_is_closed, hs_merged_object_ids from deals order by id"
    ) == [
        (
            *("1", "café", "p", "true", at("2026-01-02 03:00"), at("2026-01-02"), "101"),
            *(Decimal("1234567890.12"), Decimal("1.5"), True, '["3","4"]'),
        ),
        ("2", None, "p", "false", at("2026-01-02 03:00"), None, None, None, None, None, None),
    ]
    assert folder.rows("select column_name, raw_text from _rejected_values order by column_name") == [
        ("amount", "nan"),
        ("dealname", "\\xFF"),
        ("hs_exchange_rate", "x"),
        ("hs_is_closed", "7"),
    ]


def test_jsonl_objects_may_differ_and_nest(folder, files):
    lines = (
        '{"id": 1, "dealname": "a", "pipeline": "p", "dealstage": "s", "createdate": null, "amount": 1e2}\n\n'
        '{"id": "2", "createdate": "2026-01-02T03:00:00+02:00", "dealname": "b", '
        '"a/b~c": {"x": [1]}, "n": 1.50}\n'
    )
    folder.load_files(replace(files, "deals.jsonl", lines.encode()))
    assert folder.rows('select id, dealname, createdate, amount, "a/b~c", n from deals order by id') == [
        ("1", "a", None, Decimal(100), None, None),
        ("2", "b", at("2026-01-02 01:00"), None, '{"x":[1]}', "1.5"),
    ]


@pytest.mark.parametrize("name", ["tasks.csv", "tasks.jsonl", "tasks.parquet"])
def test_a_file_without_rows_is_there(folder, files, name):
    schema = pa.schema([("id", pa.string()), ("hs_timestamp", pa.string())])
    empty = io.BytesIO()
    pq.write_table(schema.empty_table(), empty)
    content = {"csv": b"id,hs_timestamp\n", "jsonl": b"", "parquet": empty.getvalue()}
    folder.load_files(replace(files, name, content[name.partition(".")[2]]))
    assert folder.value("select count(*) from tasks") == 0
    assert ("tasks", "hs_timestamp") in folder.rows("from _available_columns")


def test_other_files_are_noted_and_names_are_taken_in_any_case(folder, files):
    (files / "README.md").write_text("hello")
    (files / ".hidden").write_text("")
    (files / "companies.xlsx").write_text("")
    (files / "notes").mkdir()
    (files / "deals.csv").rename(files / "Deals.CSV")
    summary = folder.load_files(files)
    assert [note.split()[0] for note in summary.notes] == ["README.md", "companies.xlsx", "notes", "no"]
    assert folder.value("select count(*) from deals") == 2


def test_the_folder_may_be_called_anything(folder, tmp_path):
    folder.load_files(write_files(tmp_path / "we[ir]d* 'n' a=1", crm()))
    assert folder.value("select count(*) from deals") == 2


@pytest.mark.skipif(
    not PUBLIC_DATA.exists() and not os.environ.get("CI"), reason=f"{PUBLIC_DATA} is not here"
)
def test_the_public_data_set_loads_whole(folder):
    summary = folder.load_files(PUBLIC_DATA)
    assert {table.name: table.loaded for table in summary.tables if table.name.startswith("deal")} == {
        "deals": 8800,
        "deal_property_history": 45033,
        "deal_splits": 0,
    }
    assert (summary.rejected, summary.rejected_values, summary.portal_id) == (0, 0, "62515")


# --- broken records (K5 b) ------------------------------------------------------------------------

HEADER = "id,dealname,pipeline,dealstage,createdate\n"
BROKEN = {
    "too few": (b"2,x,p\n", ["3 values for 5 columns"]),
    "too many": (b"2,x,p,s,,y\n", ["6 values for 5 columns"]),
    "not UTF-8": (b"2,caf\xe9,p,s,\n", ["not UTF-8"]),
    "never closed": (b'2,"x,p,s,\n', ["a quote that is not closed, or text after a closing quote"]),
    "text after": (b'2,"x"y,p,s,\n', ["a quote that is not closed, or text after a closing quote"]),
    "two lines": (b'2,"x\n3,y,p,s\n', ["a quote that is not closed", "4 values for 5 columns"]),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_csv_record_costs_itself_only(folder, files, case):
    broken, reasons = BROKEN[case]
    good = b'a1,"one ""1""",p,s,\n', b'a2,"two\nlines",p,s,\n', "a3,três,p,s,\n".encode()
    content = HEADER.encode() + good[0] + good[1] + broken + good[2]
    folder.load_files(replace(files, "deals.csv", content), max_reject_share=1.0)
    assert folder.rows("select id, dealname from deals order by id") == [
        ("a1", 'one "1"'),
        ("a2", "two\nlines"),
        ("a3", "três"),
    ]
    rejected = folder.rows("select row_number, reason, raw from _rejected_rows order by row_number")
    lines = broken.decode("utf-8", "replace").splitlines()
    assert [(number, raw) for number, _, raw in rejected] == list(enumerate(lines, 5))
    for (_, found, _), reason in zip(rejected, reasons, strict=True):
        assert found.startswith(reason)
    (log,) = folder.rows("select offered, loaded, rejected from _sync_log where table_name = 'deals'")
    assert log == (3 + len(lines), 3, len(lines))


def test_a_quote_inside_a_value_and_a_trailing_comma_break_nothing(folder, files):
    text = HEADER + '1,5" pipe,p,s,\n2,x,p,s,,\n3,"broken,p,s,\n'
    folder.load_files(replace(files, "deals.csv", text.encode()), max_reject_share=1.0)
    assert folder.rows("select id, dealname from deals order by id") == [("1", '5" pipe'), ("2", "x")]
    assert folder.value("select count(*) from _rejected_rows") == 1


def test_a_broken_jsonl_line_costs_itself_only(folder, files):
    row = '{"id": "%s", "dealname": "x", "pipeline": "p", "dealstage": "s", "createdate": null}\n'
    broken = ["{", "[1]", "null", '"text"', row.strip() % "a" + ' {"id": "b"}']
    content = (row % "1" + "\n".join(broken) + "\n\n" + row % "2").encode() + b'{"id": "\xff"}\n'
    folder.load_files(replace(files, "deals.jsonl", content), max_reject_share=1.0)
    assert folder.rows("select id from deals order by id") == [("1",), ("2",)]
    assert folder.rows("select row_number, reason from _rejected_rows order by row_number") == [
        *((number, "no JSON object") for number in range(2, 7)),
        (9, "not UTF-8"),
    ]
    assert folder.rows("select offered, rejected from _sync_log where table_name = 'deals'") == [(8, 6)]


def test_rejects_are_written_for_people(folder, files):
    good = "".join(f"{n},x,p,s,2026-01-01\n" for n in range(300))
    text = HEADER + good + "300,x,p,s,someday\n,x,p,s,\n5,x,p,s,\ny\n"
    summary = folder.load_files(replace(files, "deals.csv", text.encode()), max_reject_share=0.02)
    assert summary.rejects_path == folder.rejects / f"{summary.load_id}.csv"
    with summary.rejects_path.open(newline="", encoding="utf-8") as file:
        rejects = list(csv.DictReader(file))
    assert [(r["table_name"], r["record_id"], r["column_name"], r["reason"]) for r in rejects] == [
        ("deals", "", "", "id is missing"),
        ("deals", "5", "", "same key as row 6"),
        ("deals", "", "", "1 values for 5 columns"),
        ("deals", "300", "createdate", "not an instant (ISO 8601)"),
    ]
    assert rejects[-1]["raw"] == "someday"
    assert (summary.rejected, summary.rejected_values) == (3, 1)


def test_no_rejects_no_file(folder, files):
    assert folder.load_files(files).rejects_path is None
    assert not folder.rejects.exists()


# What can make records of lines that are none, and the other way round.
PIECES = st.sampled_from(['"', '""', ",", ",", "\n", "\r\n", "x", "é", "7", " ", '"a"', '"b\n"', "\udcff"])
MANGLED = st.lists(PIECES, max_size=30).map("".join)


@pytest.mark.thorough
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(MANGLED, min_size=1, max_size=6))
def test_every_line_of_a_mangled_csv_file_is_loaded_or_rejected(tmp_path, parts):
    text = HEADER + "1,good,p,s,\n" + "\n2,good,p,s,\n".join(parts) + "\n3,good,p,s,\n"
    path = tmp_path / "deals.csv"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("set TimeZone = 'UTC'")
        create_reject_tables(connection)
        result = accept(connection, TABLES["deals"], CsvFile(path, "deals"), "load", fill_required=False)
        loaded = connection.execute(f"select * exclude (__row) from {result.relation}").fetchall()
        rejected = [raw for (raw,) in connection.execute("select raw from rejected_rows").fetchall()]
    assert result.offered == len(loaded) + len(rejected)
    assert (result.loaded, result.rejected) == (len(loaded), len(rejected))

    # Counted by another road: a record is as many lines as its values have line breaks, and one more.
    turned_away = [json.loads(raw).values() for raw in rejected if raw.startswith("{")]
    values = [value for row in [*loaded, *turned_away] for value in row if isinstance(value, str)]
    breaks = sum(len(f"{value}.".splitlines()) - 1 for value in values)
    lines = text.splitlines()[1:]
    written = [line for line in lines if line]  # a blank line may be a part of a value, or nothing
    assert len(written) <= result.offered + breaks <= len(lines)

    # What stands apart from the damage is there.
    assert "3" in {row[0] for row in loaded}


# --- files that cannot be read (K5 a) -------------------------------------------------------------


def damaged(name: str) -> bytes:
    rows = [deal(str(n), dealname="x" * 50 + str(n)) for n in range(2000)]
    kind = name.partition(".")[2]
    content = CONTENT[kind.removesuffix(".gz")](rows)
    return gzip.compress(content) if kind.endswith(".gz") else content


def wrong_checksum(content: bytes) -> bytes:
    return content[:-8] + zlib.crc32(b"something else").to_bytes(4, "little") + content[-4:]


UNREADABLE = {
    "cut parquet": ("deals.parquet", lambda c: c[: len(c) // 2], "deals.parquet"),
    "holed parquet": ("deals.parquet", lambda c: c[:40] + b"\0" * 2000 + c[2040:], "deals.parquet"),
    "no parquet": ("deals.parquet", lambda c: b"id,dealname\n", "deals.parquet"),
    "cut csv": ("deals.csv", lambda c: c[:-40], "the file is cut off"),
    "cut jsonl": ("deals.jsonl", lambda c: c[:-20], "the file is cut off"),
    "cut csv.gz": ("deals.csv.gz", lambda c: c[: len(c) // 2], "cut off or damaged"),
    "cut at the end": ("deals.csv.gz", lambda c: c[:-4], "cut off or damaged"),
    "wrong checksum": ("deals.jsonl.gz", wrong_checksum, "CRC check failed"),
    "cut parquet.gz": ("deals.parquet.gz", lambda c: c[: len(c) // 2], "cut off or damaged"),
    "no gzip": ("deals.csv.gz", lambda c: b"id,dealname\n", "Not a gzipped file"),
    "no bytes": ("deals.csv", lambda c: b"", "it has no header row"),
    "UTF-16": ("deals.csv", lambda c: c.decode().encode("utf-16"), "it is UTF-16"),
    "semicolons": ("deals.csv", lambda c: c.replace(b",", b";"), "separated by semicolons"),
    "no header": ("deals.csv", lambda c: c.partition(b"\n")[2], "required columns missing"),
    "Latin-1 header": ("deals.csv", lambda c: b"\xe4" + c, "it is not UTF-8; save it as UTF-8"),
    "twin columns": ("deals.csv", lambda c: c.replace(b"dealname", b"ID"), "two columns are called 'id'"),
    "Latin-1": ("deals.csv", lambda c: c.replace(b"xx", b"\xe4"), "2,000 of 2,000 rows rejected"),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_a_file_that_cannot_be_read_stops_the_load(folder, files, case):
    name, damage, words = UNREADABLE[case]
    folder.load_files(files)
    before = folder.raw_tables()
    replace(files, name, damage(damaged(name)))
    with pytest.raises(LoadError) as stopped:
        folder.load_files(files)
    assert words in str(stopped.value)
    assert len(stopped.value.problems) == 1
    assert folder.raw_tables() == before
    assert not folder.rejects.exists()


@pytest.mark.parametrize("name", ["deals.parquet", "deals.csv.gz"])
def test_the_same_file_undamaged_loads(folder, files, name):
    folder.load_files(replace(files, name, damaged(name)))
    assert folder.value("select count(*) from deals") == 2000


def test_one_message_names_everything_that_is_wrong_with_the_folder(folder, files):
    (files / "owners.csv").unlink()
    (files / "owners.xls").write_text("")
    (files / "pipelines.csv.gz").write_bytes(b"")
    replace(files, "deals.csv", b"id,dealname,pipeline,createdate\n")
    replace(files, "teams.parquet", b"")
    replace(files, "notes.csv.gz", gzip.compress(b"id,hs_timestamp\n")[:-3])
    with pytest.raises(LoadError) as stopped:
        folder.load_files(files)
    message = str(stopped.value)
    for words in (
        "pipelines: both pipelines.csv and pipelines.csv.gz are there; keep one of them",
        f"owners: this table is required and missing in {files} as <table>.parquet, .csv or .jsonl",
        "deals.csv: required column missing: dealstage (found: id, dealname, pipeline, createdate)",
        "teams.parquet: ",
        "notes.csv.gz: ",
    ):
        assert words in message
    assert folder.raw_tables() == {}
    assert not folder.history.exists()


@pytest.mark.parametrize("place", ["nowhere", "file", "empty"])
def test_a_missing_or_empty_folder_stops_the_load(folder, tmp_path, place):
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    with pytest.raises(LoadError) as stopped:
        folder.load_files(tmp_path / place)
    (problem,) = stopped.value.problems
    assert str(tmp_path / place) in problem
    assert ("no table at all" if place == "empty" else "SALES_REPORTS_FILES_DIR") in problem


def test_a_cut_file_whose_last_record_is_whole_is_good(folder, files):
    replace(files, "deals.csv", as_csv([deal("1"), deal("2")]).rstrip(b"\n"))
    folder.load_files(files)
    assert folder.value("select count(*) from deals") == 2


def test_history_files_give_versions_in_their_order(folder, files):
    rows = [version("1", "dealstage", value, at("2026-01-01")) for value in "cab"]
    folder.load_files(replace(files, "deal_property_history.csv", as_csv(rows)))
    assert folder.value("select string_agg(value, '' order by sequence) from deal_property_history") == "cab"


def test_a_careful_reading_gives_what_the_quick_one_gives(folder, files):
    """One broken line more changes nothing else."""
    rows = [deal(str(n), dealname=NASTY[n % len(NASTY)], amount=n if n % 3 else None) for n in range(500)]
    replace(files, "deals.csv", as_csv(rows))
    folder.load_files(files)
    quick = folder.raw_tables()["deals"]
    replace(files, "deals.csv", as_csv(rows) + b'"never closed\n')
    folder.load_files(files)
    assert folder.raw_tables()["deals"] == quick
    assert folder.value("select count(*) from _rejected_rows") == 1


def test_duckdb_still_loses_what_follows_an_open_quote(tmp_path):
    """The reason for counting quotes: when this fails, the count in `CsvFile` can go."""
    (tmp_path / "x.csv").write_text('a,b\n1,2\n3,"4\n5,6\n')
    lost = duckdb.execute(
        f"select count(*) from read_csv('{tmp_path}/x.csv', auto_detect = false, header = true, "
        "delim = ',', quote = '\"', escape = '\"', strict_mode = true, ignore_errors = true, "
        "columns = {'a': 'varchar', 'b': 'varchar'})"
    ).fetchone()
    assert lost == (1,)
