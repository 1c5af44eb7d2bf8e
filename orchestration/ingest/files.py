"""The source `files`: a folder with one file per table, Parquet, CSV or JSONL, also gzipped.

Belongs here: which file is which table, and getting rows out of files that are good, half broken or
broken. What the rows mean is the load step's business.

A file is read by DuckDB. Where DuckDB complains, or could have lost something in silence, CSV and
JSONL are read again here, record by record: a broken record is turned away with its first line, and
reading goes on with the next one. A file that is cut off, damaged or in another encoding cannot be
read at all.
"""

from __future__ import annotations

import csv
import glob
import gzip
import shutil
import tempfile
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import duckdb
import pyarrow as pa

from orchestration.ingest.contract import TABLES
from orchestration.ingest.delivery import ROW_NUMBER, Delivery, OfferedTable, Unreadable, python_rows
from orchestration.ingest.values import literal, quoted
from orchestration.settings import Settings

_CSV_FORMAT = (
    "auto_detect = false, header = true, delim = ',', quote = '\"', escape = '\"', strict_mode = true"
)
# How far a value with line breaks is followed before its opening quote counts as a mistake.
_LONGEST_RECORD, _MOST_LINES = 2_000_000, 1_000
_BATCH = 50_000  # records
# Within a tick of the file system's clock two contents of one size would look the same.
_SETTLED_AFTER = timedelta(seconds=2)


def read(settings: Settings, now: datetime) -> Delivery:
    """What the folder `SALES_REPORTS_FILES_DIR` has. No file is opened yet."""
    folder = settings.files_dir
    if folder is None or not folder.is_dir():
        return Delivery(
            {},
            problems=[
                f"{folder} is not a folder; set SALES_REPORTS_FILES_DIR to the folder with one file per table"
            ],
        )
    tables: dict[str, OfferedTable] = {}
    problems, notes = [], []
    for path in sorted(folder.iterdir()):
        name, _, ending = path.name.lower().partition(".")
        kind = _KINDS.get(ending.removesuffix(".gz"))
        if name not in TABLES or kind is None or not path.is_file():
            if not path.name.startswith("."):
                notes.append(f"{path.name} is no file of the contract (raw_tables.md) and was not read")
        elif name in tables:
            problems.append(f"{name}: both {tables[name].place} and {path.name} are there; keep one of them")
        else:
            tables[name] = kind(path, name, _mark(path, now))
    place = f"in {folder} as <table>.parquet, .csv or .jsonl (also .gz)"
    return Delivery(tables, place=place, problems=problems, notes=notes)


def _mark(path: Path, now: datetime) -> str | None:
    """Path, number, size and instants of the last change; None where a change might still follow unseen."""
    status = path.stat()
    if status.st_mtime > (now - _SETTLED_AFTER).timestamp():
        return None
    # The time of change of the file itself cannot be kept by those who copy its time of writing.
    times = f"{status.st_mtime_ns} {status.st_ctime_ns}"
    return f"{path.resolve()} {status.st_ino} {status.st_size} {times}"


# --- the three kinds of files ---------------------------------------------------------------------


@dataclass(frozen=True)
class _File:
    path: Path
    table: str
    mark: str | None = None

    @property
    def place(self) -> str:
        return self.path.name

    def stage(self, connection: duckdb.DuckDBPyConnection, into: str) -> bool:
        try:
            with _unpacked(self.path) as path:
                return self._stage(connection, path, into)
        except (OSError, EOFError, zlib.error) as error:
            raise Unreadable(f"{error} (if the file is cut off or damaged, fetch it again)") from error

    def _stage(self, connection: duckdb.DuckDBPyConnection, path: Path, into: str) -> bool:
        raise NotImplementedError


class ParquetFile(_File):
    """Typed columns, in whatever types they come."""

    def _stage(self, connection, path, into):
        rows = f"from read_parquet({_sql_path(path)}, hive_partitioning = false)"
        if path == self.path:
            connection.execute(f"create temp view {into} as select *, file_row_number as {ROW_NUMBER} {rows}")
        else:  # an unpacked file is gone when the rows are read
            connection.execute(f"create temp table {into} as select * {rows}")
        return False


class CsvFile(_File):
    """Text in UTF-8 with a header row; an empty value is NULL."""

    def _stage(self, connection, path, into):
        names = _header(path)
        fields = [f"field_{number}" for number in range(len(names))]
        # A column without a name is nobody's: a trailing comma, or the row numbers of pandas.
        columns = ", ".join(
            f"nullif({field}, '') as {quoted(name)}"
            for field, name in zip(fields, names, strict=True)
            if name.strip()
        )
        # DuckDB drops, without a word, what follows a quote that is never closed.
        if _count(path, b'"') % 2 == 0:
            types = ", ".join(f"{literal(field)}: 'varchar'" for field in fields)
            try:
                connection.execute(
                    f"create temp table {into} as select {columns} from read_csv("
                    f"{_sql_path(path)}, columns = {{{types}}}, hive_partitioning = false, {_CSV_FORMAT})"
                )
                return False
            except (duckdb.InvalidInputException, duckdb.ConversionException):
                pass  # some record is broken
        with _lines(path) as lines:
            records = _csv_records(lines, len(names))
            next(records)  # the header
            _insert_records(connection, path, records, fields, into)
        connection.execute(f"create temp table {into} as select {columns} from careful_rows")
        return True


class JsonlFile(_File):
    """One JSON object per line, in UTF-8; values of any JSON type are taken as their text."""

    def _stage(self, connection, path, into):
        _refuse_utf_16(path)
        try:
            connection.execute(
                f"create or replace temp table careful_rows as select json as line "
                f"from read_ndjson_objects({_sql_path(path)}, hive_partitioning = false)"
            )
            (others,) = connection.execute(
                "select count(*) from careful_rows where json_type(line) <> 'OBJECT'"
            ).fetchone()
        except duckdb.InvalidInputException:
            others = 1  # some line is no JSON at all
        if others:
            with _lines(path) as lines:
                records = _json_records(connection, lines)
                _insert_records(connection, path, records, ["line"], into)
        key_lists = connection.execute("select distinct json_keys(line) from careful_rows").fetchall()
        keys = sorted({key for (keys,) in key_lists for key in keys})
        if not keys:  # a present file without rows lacks nothing (K11)
            python_rows(self.table, []).stage(connection, into)
            return bool(others)
        columns = ", ".join(
            f"json_extract_string(line, {literal(_json_pointer(key))}) as {quoted(key)}" for key in keys
        )
        connection.execute(f"create temp table {into} as select {columns} from careful_rows")
        return bool(others)


_KINDS = {"parquet": ParquetFile, "csv": CsvFile, "jsonl": JsonlFile}


# --- record by record -----------------------------------------------------------------------------


class _Record(NamedTuple):
    """A record with the line on which it begins: its fields, or what is wrong with that line."""

    line_number: int
    fields: list[str] | None
    text: str = ""
    reason: str = ""


class _Lines:
    """The lines of a file, with their ends. Bytes that are no UTF-8 become lone surrogates."""

    def __init__(self, file: Iterable[str]) -> None:
        self._file = iter(file)
        self._ahead: deque[str] = deque()
        self.number = 0

    def take(self) -> str | None:
        line = self._ahead.popleft() if self._ahead else next(self._file, None)
        self.number += line is not None
        return line

    def put_back(self, lines: list[str]) -> None:
        self._ahead.extendleft(reversed(lines))
        self.number -= len(lines)


@contextmanager
def _lines(path: Path) -> Iterator[_Lines]:
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        yield _Lines(file)


def _csv_records(lines: _Lines, width: int) -> Iterator[_Record]:
    """Every record of a CSV file with `width` columns, the header included; blank lines are none."""
    csv.field_size_limit(_LONGEST_RECORD)
    while (line := lines.take()) is not None:
        number, text, following = lines.number, line, []
        fields, is_open = _csv_fields(text)
        while is_open and len(text) < _LONGEST_RECORD and len(following) < _MOST_LINES:
            if (more := lines.take()) is None:
                break
            following.append(more)
            text += more
            if '"' in more:
                fields, is_open = _csv_fields(text)
        if fields and len(fields) == width + 1 and not fields[-1]:
            fields.pop()  # a trailing comma
        reason = _csv_fault(text, fields, width)
        if reason:
            lines.put_back(following)
            yield _Record(number, None, line, reason)
        elif fields:
            yield _Record(number, fields)


def _csv_fields(text: str) -> tuple[list[str] | None, bool]:
    """The fields of a record, None where they cannot be told; and whether a quote is still open."""
    if '"' not in text:
        line = text.rstrip("\r\n")
        return (line.split(",") if line else []), False
    try:
        return next(csv.reader([text], strict=True)), False
    except csv.Error as error:
        return None, "unexpected end of data" in str(error)


def _csv_fault(text: str, fields: list[str] | None, width: int) -> str:
    if not _is_utf_8(text):
        return "not UTF-8"
    if fields is None:
        return "a quote that is not closed, or text after a closing quote"
    if fields and len(fields) != width:
        return f"{len(fields)} values for {width} columns"
    return ""


def _json_records(connection: duckdb.DuckDBPyConnection, lines: _Lines) -> Iterator[_Record]:
    """Every line of a JSONL file; blank lines are none."""
    while batch := list(islice(iter(lines.take, None), _BATCH)):
        first = lines.number - len(batch) + 1
        texts = [line.strip() if _is_utf_8(line) else None for line in batch]
        connection.register("json_texts", pa.table({"text": pa.array(texts, pa.string())}))
        valid = connection.execute(
            "select coalesce(case when json_valid(text) then json_type(text) end = 'OBJECT', false) "
            "from json_texts"
        ).fetchall()
        connection.unregister("json_texts")
        for number, (line, text, (is_object,)) in enumerate(zip(batch, texts, valid, strict=True), first):
            if text is None:
                yield _Record(number, None, line, "not UTF-8")
            elif is_object:
                yield _Record(number, [text])
            elif text:
                yield _Record(number, None, line, "no JSON object")


def _insert_records(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    records: Iterator[_Record],
    fields: list[str],
    into: str,
) -> None:
    """Table `careful_rows` of the good records, and `<into>_unreadable` of the broken ones."""
    listed = ", ".join(f"{field} varchar" for field in fields)
    connection.execute(f"create or replace temp table careful_rows ({listed})")
    connection.execute(
        f"create or replace temp table {into}_unreadable (row_number bigint, reason varchar, raw varchar)"
    )
    last = None
    while batch := list(islice(records, _BATCH)):
        last = batch[-1]
        _append(connection, "careful_rows", [r.fields for r in batch if r.fields is not None])
        broken = [(str(r.line_number), r.reason, _shown(r.text)) for r in batch if r.fields is None]
        _append(connection, f"{into}_unreadable", broken)
    if last and last.fields is None and not _ends_with_newline(path):
        raise Unreadable(
            f"line {last.line_number}, the last one, is incomplete ({last.reason}): the file is cut off; "
            f"fetch it again, or end it with a newline if it is whole"
        )


def _append(connection: duckdb.DuckDBPyConnection, table: str, rows: list) -> None:
    if rows:
        columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
        connection.register("rows_to_append", pa.table(columns, [f"c{n}" for n in range(len(columns))]))
        connection.execute(f"insert into {table} select * from rows_to_append")
        connection.unregister("rows_to_append")


# --- bytes ----------------------------------------------------------------------------------------


@contextmanager
def _unpacked(path: Path) -> Iterator[Path]:
    """The file itself, or what a gzipped one holds: read to its end, where its checksum stands."""
    if path.suffix.lower() != ".gz":
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain"
        with gzip.open(path) as packed, plain.open("wb") as unpacked:
            shutil.copyfileobj(packed, unpacked, 1 << 20)
        yield plain


def _header(path: Path) -> list[str]:
    """The column names of a CSV file."""
    _refuse_utf_16(path)
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        try:
            names = next(csv.reader(file, strict=True), None)
        except csv.Error as error:
            raise Unreadable(f"its header row is broken: {error}") from error
    if not names or not any(name.strip() for name in names):
        raise Unreadable("it has no header row")
    if not all(map(_is_utf_8, names)):
        raise Unreadable("it is not UTF-8; save it as UTF-8")
    if len(names) == 1 and ";" in names[0]:
        raise Unreadable("its columns are separated by semicolons; write it with commas")
    known = [name.strip().lower() for name in names]
    for name in known:
        if name and known.count(name) > 1:
            raise Unreadable(f"two columns are called {name!r}; keep one of them")
    return names


def _refuse_utf_16(path: Path) -> None:
    with path.open("rb") as file:
        if file.read(2) in (b"\xff\xfe", b"\xfe\xff"):
            raise Unreadable("it is UTF-16; save it as UTF-8")


def _count(path: Path, byte: bytes) -> int:
    with path.open("rb") as file:
        return sum(chunk.count(byte) for chunk in iter(lambda: file.read(1 << 20), b""))


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read() in (b"\n", b"\r")


def _is_utf_8(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(text: str) -> str:
    """The text of a broken record, with a mark for each byte that is no UTF-8."""
    return text.rstrip("\r\n").encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _json_pointer(key: str) -> str:
    return "/" + key.replace("~", "~0").replace("/", "~1")


def _sql_path(path: Path) -> str:
    """A path as an SQL literal that means this one file, whatever characters it has."""
    return literal(glob.escape(str(path)))
