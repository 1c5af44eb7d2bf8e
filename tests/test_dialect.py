"""Each macro of `macros/dialect/` means the same on DuckDB and on Postgres.

Belongs here: odd values, one macro at a time. Whole models have `test_postgres.py`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import product
from zoneinfo import ZoneInfo

import duckdb
import jinja2
import psycopg
import pytest

from orchestration.ingest.values import literal
from orchestration.settings import PROJECT_ROOT
from tests.crm_generator import ZONES
from tests.postgres_server import postgres_server

SOURCE = "".join(path.read_text() for path in sorted((PROJECT_ROOT / "macros" / "dialect").glob("*.sql")))
OVERVIEW = (PROJECT_ROOT / "models" / "overview.md").read_text()

# All spaces and all letters that have a case; not the tens of thousands of signs in between.
CHARACTERS = [chr(n) for n in (*range(1, 0x3040), *range(0xA640, 0xABC0), *range(0xFE00, 0x10500), 0x1F680)]
WORDS = ["Zoe", "zoe", "_b", "a_b", "ab", "a b", "10", "9", "é", "e\u0301", "ΣΑΣ", "σας", "🚀🚀", ""]
IDS = ["1", "9", "10", "010", "2a", "a", "B", "", "99999999999", "none", "é"]
LISTS = ["a", "a;b", ";", " a ; ;b", "🚀;é", "a,b", None]
AMOUNTS = ["0", "2.675", "-2.665", "0.005", "-0.0049999999", "999999999999.995", "9999999999999999", None]
FACTORS = ["1", "0", "-1", "0.5", "1.0000000001", "0.0000234567", None]
TOO_MUCH = "9" * 27  # times itself more than any type of amount holds
INSTANTS = [
    *("1969-12-31 23:59:59.9995+00", "1970-01-01 00:00:00.000999+00", "0024-01-01 00:00:00+00"),
    *("2026-03-29 00:59:59.999999+00", "2026-03-29 01:00:00.123+00", "2400-02-29 12:00:00+00", None),
]
DAYS = ["1969-12-31", "2024-02-29", "2024-03-31", "2026-01-01", None]
# What sets a value, to NULL too, and what sets none.
SET_AND_CLEARED = [
    *[("cast(null as bigint)", "cast(null as varchar)"), ("1", "'x'"), ("null", "null"), ("2", "null")],
    *[("null", "null"), ("3", "'a'"), ("null", "null"), ("4", "'b'")],
]

Values = list[tuple[str, ...]]


# --- cases: an expression over the columns a and b, and their values --------------------------------


def column(kind: str, values: list[str | None]) -> Values:
    return [(f"cast({'null' if value is None else literal(value)} as {kind})",) for value in values]


def columns(one: Values, other: Values) -> Values:
    return [first + second for first, second in product(one, other)]


def clock_changes(zone: str) -> list[datetime]:
    """Local midnights before a clock of the zone changes, and one without a change."""
    days = [datetime(2024, 1, 1, tzinfo=ZoneInfo(zone)) + timedelta(days=n) for n in range(3 * 365)]
    return [days[0], *(day for day in days if day.utcoffset() != (day + timedelta(days=1)).utcoffset())]


def instants_around(zone: str) -> list[str]:
    """Every quarter of an hour around the days on which the clock changes, and the millisecond before."""
    quarters = product(clock_changes(zone), range(-8, 112), (0, 1))
    return [
        str(day.astimezone(UTC) + timedelta(minutes=15 * step, milliseconds=-before))
        for day, step, before in quarters
    ]


def days_around(zone: str) -> list[str]:
    return [str(day.date() + timedelta(days=n)) for day in clock_changes(zone) for n in (-1, 0, 1, 2)]


def cases() -> Iterator[tuple[str, Values]]:
    characters = column("varchar", [f"{one} a{one}{one}b{one}" for one in CHARACTERS])
    words = column("varchar", CHARACTERS + WORDS)
    decimals = "decimal(38, 10)"
    yield "cast(a as {{ instant_type() }})", column("varchar", INSTANTS)
    yield "cast(n as {{ text_type() }})", column("varchar", ["a"])
    yield "{{ epoch_ms('a') }}", column("timestamptz", INSTANTS)
    yield "{{ trimmed('a') }}", characters
    yield "{{ collapse_whitespace('a') }}", characters
    yield "{{ without_case('a') }}", characters + words
    yield "row_number() over (order by {{ code_points('a') }}, n)", words
    yield "row_number() over (order by {{ id_order('a') }}, n)", column("varchar", IDS)
    yield "{{ money('a', 'b') }}", columns(column(decimals, AMOUNTS), column(decimals, FACTORS))
    yield "{{ money('a', 'a') }}", column(decimals, [TOO_MUCH])
    yield "{{ split_to_rows('a', ';') }} from given {{ from_split('a', ';') }}", column("varchar", LISTS)
    yield "{{ text_part('a', ';', 2) }}", column("varchar", LISTS)
    yield "{{ number_text('a') }}", column(decimals, AMOUNTS)
    yield "cast(a as {{ decimal_type(2) }})", column(decimals, AMOUNTS)
    yield "cast(a as {{ double_type() }}) / 3", column("integer", ["7", "0", None])
    yield "{{ shifted('a', -1, 'millisecond') }}", column("timestamptz", INSTANTS)
    yield (
        "{{ shifted('cast(a as timestamp)', 'b', 'minute') }}",
        columns(column("date", DAYS), column("integer", ["90"])),
    )
    yield "{{ days_after('a', -1) }}", column("date", DAYS)
    yield "{{ days_from('a', 'b') }}", columns(column("date", DAYS), column("date", DAYS))
    yield "{{ months_after('a', '-b') }}", columns(column("date", DAYS), column("integer", ["0", "1", "11"]))
    yield "cast({{ iso_weekday('a') }} as integer)", column("date", DAYS)
    yield "{{ date_of('a', 12, 31) }}", column("integer", ["1969", "2024"])
    for period in ("week", "month", "quarter", "year"):
        yield f"{{{{ start_of('{period}', 'a') }}}}", column("date", DAYS)
    for macro in ("least_known", "greatest_known"):
        yield (
            f"{{{{ {macro}(['a', 'b']) }}}}",
            columns(column("timestamptz", INSTANTS), column("timestamptz", INSTANTS)),
        )
    yield "(select {{ joined_texts('a', 'n') }} from given)", column("varchar", LISTS)
    yield (
        "{{ days_between('a', 'b') }} from given {{ from_days_between('a', 'b') }}",
        columns(column("date", ["2026-10-30"]), column("date", ["2028-03-02"])),
    )
    yield (
        "{{ value_in_force('b', 'a', '(order by n rows between unbounded preceding and current row)') }}",
        SET_AND_CLEARED,
    )
    yield "(select {{ latest('b', 'a') }} from given)", [("1", "'x'"), ("3", "'a'"), ("2", "'z'")]
    yield "'{{ spelled_out() }}' in ('table', 'view')", column("varchar", ["a"])
    yield "'{{ added_up() }}' in ('table', 'sums')", column("varchar", ["a"])
    grown = "recursive_cte('grown', ['m'], 'select 1 as m', 'select 2 * m as m from [rows] where m < 9')"
    yield (
        f"(select sum(m) from ({{{{ with_recursive() }}}} {{{{ {grown} }}}} select * from grown) as of_all)",
        column("integer", ["1"]),
    )
    yield (  # 1 → 2 → 3 → 1 is a cycle
        "(select sum(10 * n + a) from ({{ all_reached('given', 'given', 'a', 'b', 'a', 'n') }}) as of_all)",
        [("1", "2"), ("2", "3"), ("3", "1"), ("4", "5"), ("4", "6")],
    )
    for zone in ZONES:
        yield f"{{{{ local_date('a', \"'{zone}'\") }}}}", column("timestamptz", instants_around(zone))
        yield f"{{{{ raw_midnight('a', \"'{zone}'\") }}}}", column("date", days_around(zone))
        yield f"{{{{ local_midnight('a', \"'{zone}'\") }}}}", column("date", days_around(zone))


# --- engines --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def engines():
    """What runs a query, by engine. The session of Postgres is in another time zone."""
    with postgres_server() as url, psycopg.connect(url, autocommit=True) as server, duckdb.connect() as duck:
        duck.execute("set TimeZone = 'UTC'")
        yield {"duckdb": duck.execute, "postgres": server.execute}


@cache
def macros_of(engine: str) -> dict:
    """The project's macros, as dbt would dispatch them for the engine."""

    class Adapter:
        @staticmethod
        def dispatch(name: str):
            return getattr(macros, f"{engine}__{name}", None) or getattr(macros, f"default__{name}")

    template = jinja2.Environment().from_string(
        SOURCE, globals={"adapter": Adapter, "return": lambda value: value}
    )
    macros = template.module
    return vars(macros)


def rendered(case: str, engine: str) -> str:
    """A case as dbt would compile it for the engine."""
    return jinja2.Environment().from_string(case, globals=macros_of(engine)).render()


def with_from(sql: str) -> str:
    return sql if " from given " in sql else f"{sql} from given"


@pytest.mark.parametrize(("case", "values"), [pytest.param(*case, id=case[0]) for case in cases()])
def test_macro_is_the_same(engines, case, values):
    names = ", ".join(["n", "a", "b"][: len(values[0]) + 1])
    rows = ",\n".join(f"({n}, {', '.join(row)})" for n, row in enumerate(values))
    duckdb_has, postgres_has = (
        Counter(
            (n, result.astimezone(UTC) if isinstance(result, datetime) and result.tzinfo else result)
            for n, result in execute(
                f"with given ({names}) as (values {rows}) select n, {with_from(rendered(case, engine))}"
            ).fetchall()
        )
        for engine, execute in engines.items()
    )
    assert duckdb_has
    assert not duckdb_has - postgres_has
    assert not postgres_has - duckdb_has


def test_every_difference_is_tried_and_told():
    dispatched = set(re.findall(r"adapter\.dispatch\('(\w+)'\)", SOURCE))
    assert dispatched
    statements = {"analyzed", "marts_suffix"}  # not in a query; test_postgres.py sees what they have done
    assert dispatched - statements <= set(re.findall(r"\w+", " ".join(case for case, _ in cases()))), (
        "no case"
    )
    assert dispatched <= set(re.findall(r"`(\w+)`", OVERVIEW)), "not in the table of models/overview.md"
