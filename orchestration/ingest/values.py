"""How a delivered value becomes a value of the contract, as SQL expressions.

Belongs here: the one meaning of every type of `raw_tables.md` for values that come as text or in
whatever type an Arrow or Parquet column has. All expressions give NULL where a value cannot be cast;
none raises. What happens to such a value is the load step's business.

- decimal: DECIMAL(38,10), rounded half away from zero; exponents are read, thousands separators not.
- integer: whole numbers only; 5.0 is 5, and 5.5 is no integer.
- boolean: true, false, t, f, 1, 0 in any case.
- instant: ISO 8601 with offset or Z; without one it is UTC; a date alone is its UTC midnight. Years 1
  to 9999, because readers of the marts know no others.
- text: verbatim. A whole number that comes as floating point (pandas does that to ids next to empty
  cells) is written without a decimal point.

The session's time zone must be UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime

from orchestration.ingest.contract import BOOLEAN, DATE, DECIMAL, INSTANT, INTEGER, TABLES, TEXT, Table

SQL_TYPES = {
    TEXT: "varchar",
    DECIMAL: "decimal(38, 10)",
    INTEGER: "bigint",
    BOOLEAN: "boolean",
    DATE: "date",
    INSTANT: "timestamptz",
}
WANTED = {
    DECIMAL: "a number",
    INTEGER: "a whole number",
    BOOLEAN: "true or false",
    DATE: "a date",
    INSTANT: "an instant (ISO 8601)",
}
"""What a value of a type should be, for people."""
_BLANKS = r"' ' || chr(9) || chr(10) || chr(13)"
_INTEGER_TYPES = frozenset(
    f"{sign}{name}" for sign in ("", "U") for name in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
)
_CLOCK = "([01][0-9]|2[0-3])"
_ISO = (  # the shapes of ISO 8601 that every engine and language reads alike
    f"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}([T ]{_CLOCK}:[0-5][0-9](:[0-5][0-9]([.][0-9]+)?)?"
    f"(Z|[+-]{_CLOCK}(:?[0-5][0-9])?)?)?"
)
_FIRST_INSTANT, _LAST_INSTANT = "0001-01-02", "9999-12-30"  # their local days exist in every zone


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def instant(value: datetime) -> str:
    """An instant as an SQL literal."""
    return f"timestamptz {literal(value.astimezone(UTC).isoformat())}"


def is_filled(column: str, source_type: str, kind: str) -> str:
    """Whether a delivered value is there at all; blanks are no value unless text is wanted."""
    if source_type == "VARCHAR" and kind != TEXT:
        return f"trim({column}, {_BLANKS}) <> ''"
    return f"{column} is not null"


def typed(column: str, source_type: str, kind: str) -> str:
    """The value of a column of this DuckDB type in the type `kind` of the contract."""
    text = _text(column, source_type)
    if kind == TEXT:
        return text
    trimmed = f"trim({text}, {_BLANKS})"
    if kind == DECIMAL:
        exact = source_type in _INTEGER_TYPES or source_type.startswith("DECIMAL")
        return _number(column if exact else trimmed)
    if kind == INTEGER:
        if source_type in _INTEGER_TYPES:
            return f"try_cast({column} as bigint)"
        number = _number(trimmed)
        return f"case when {number} = trunc({number}) then try_cast({number} as bigint) end"
    if kind == BOOLEAN:
        return _boolean(trimmed)
    is_time = source_type.startswith("TIMESTAMP") or source_type == "DATE"
    if source_type == "TIMESTAMP WITH TIME ZONE":
        instant = _in_range(column)
    else:
        instant = _iso_instant(column if is_time else trimmed)
    return f"cast({instant} as date)" if kind == DATE else instant


def version_values(table: Table, name: str = "name", value: str = "value") -> dict[str, str]:
    """The columns of a property history that hold a version's text in its own type (H10).

    `name` and `value` are the property and the text as expressions. Neither column has a value where the
    property has no numbers, or no instants; instants come in ISO 8601 (`2026-09-02`, followed or not by
    `T03:04`, seconds, their fraction, and an offset) or as epoch milliseconds.
    """
    trimmed = f"trim({value}, {_BLANKS})"
    # What most texts look like is read as it is: taking blanks away costs more than the number.
    number = f"coalesce({_number(value)}, {_number(trimmed)})"
    is_plain = f"{value}[1:4] between '0002' and '9998' and regexp_full_match({value}, '{_ISO}')"
    epoch = f"try(make_timestamptz(try_cast({trimmed} as bigint) * 1000))"
    instant = (
        f"coalesce(case when {is_plain} then try_cast({value} as timestamptz) end, "
        f"case when regexp_full_match({trimmed}, '-?[0-9]+') then {_in_range(epoch)} "
        f"when regexp_full_match({trimmed}, '{_ISO}') then {_iso_instant(trimmed)} end)"
    )
    return {
        column: f"case when {name} in ({names}) then {typed} end" if names else f"cast(null as {sql_type})"
        for column, names, typed, sql_type in (
            ("number_value", _property_names(table, (DECIMAL, INTEGER)), number, "decimal(38, 10)"),
            ("instant_value", _property_names(table, (INSTANT,)), instant, "timestamptz"),
        )
    }


def is_uncastable_version(table: Table) -> str:
    """Whether a version's text should be a number or an instant and is not, from its typed values."""
    names = _property_names(table, (DECIMAL, INTEGER, INSTANT))
    return (
        f"name in ({names}) and number_value is null and instant_value is null "
        f"and trim(value, {_BLANKS}) <> ''"
    )


def may_be_uncastable(table: Table, name: str, value: str) -> str:
    """1 for a version whose text is not blank, should be a number or an instant, and may not be one; else
    0 or NULL. A product and no conjunction: DuckDB then computes values once that stand beside it."""
    typed = " * ".join(
        f"cast({typed} is null as integer)" for typed in version_values(table, name, value).values()
    )
    names = _property_names(table, (DECIMAL, INTEGER, INSTANT))
    return f"cast({name} in ({names}) as integer) * cast({value} <> '' as integer) * {typed}"


def _property_names(history: Table, kinds: tuple[str, ...]) -> str:
    columns = TABLES[history.history_of].columns
    return ", ".join(literal(name) for name, kind in columns.items() if kind in kinds)


def _text(column: str, source_type: str) -> str:
    if source_type in ("VARCHAR", "JSON"):
        return column
    if source_type in ("FLOAT", "DOUBLE"):
        return (
            f"case when {column} = trunc({column}) and abs({column}) < 1e15 "
            f"then cast(try_cast({column} as bigint) as varchar) else cast({column} as varchar) end"
        )
    if source_type == "BLOB":
        return f"try(decode({column}))"
    if source_type.endswith("]") or source_type.startswith(("STRUCT", "MAP", "UNION")):
        return f"cast(to_json({column}) as varchar)"
    return f"cast({column} as varchar)"


def _number(value: str) -> str:
    return f"try_cast({value} as decimal(38, 10))"


def _boolean(text: str) -> str:
    return (
        f"case when lower({text}) in ('true', 't', '1') then true "
        f"when lower({text}) in ('false', 'f', '0') then false end"
    )


def _iso_instant(value: str) -> str:
    return _in_range(f"try_cast({value} as timestamptz)")


def _in_range(instant: str) -> str:
    return (
        f"case when {instant} between timestamptz '{_FIRST_INSTANT}' and timestamptz '{_LAST_INSTANT}' "
        f"then {instant} end"
    )
