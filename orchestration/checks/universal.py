"""Laws that every report obeys, made from its definition (`config.meta.report` of its YAML).

Belongs here: the rules of `marts.md` for marts and U4 of `reports.md`, each as one invariant per
report; those for functions stand in `universal_functions.py`. A new report is held to them as soon as
its YAML stands beside its SQL.
U5 (same input, same output) and U6 (another time zone) need a second build: `tests/checks`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from orchestration.checks import Invariant, difference, unequal_sums, weighed, weight
from orchestration.checks.definitions import Definition, definitions
from orchestration.checks.universal_functions import function_laws

# Points that were kept have no records behind them (K7), and all others are a row per deal and date:
# tests/test_window_functions.py follows the drill-down on small CRMs.
NO_RECORDS_BEHIND = {"rpt_historical_snapshots"}
# Ids that a drill-down finds several times in a cell by their nature: deals by their visits, say. For
# others that is an error, and rare enough to be looked into only where it happens.
REPEATED_IDS = {
    "rpt_prospecting_calls": {"activity_date || '/' || owner_id"},
    "rpt_prospecting_sequences": {"contact_id"},
    "rpt_time_in_deal_stage": {"deal_id"},
}
# Marts of which each row is one record's, or one day's.
KEYED = {
    "rpt_deal_change_history": "deal",
    "rpt_deal_pipeline_waterfall_deals": "deal",
    "rpt_historical_snapshots": "day",
    "rpt_lead_response_time": "contact",
    "rpt_team_activity_timeline": "activity",
}
# Of these tables a row per record and grain is proven by a law of its own, so that counting the rows of a
# cell counts its records. Others are counted both ways.
EACH_ONCE = {
    "core.fct_activities": "activities_are_the_raw_ones_that_count",
    "core.fct_deals": "deals_have_one_row_each",
    "core.fct_deal_funnel_steps": "deals_take_each_step_of_the_funnel_once",
    "core.fct_deal_loss_reasons": "deals_lost_have_a_reason_or_none_given",
    "core.fct_deal_pushes": "deals_are_eligible_once_per_period",
    "core.fct_deal_stage_visits": "stage_visits_are_disjoint_and_gap_free",
    "core.fct_lead_conversions": "contacts_have_one_row_of_conversions_each",
    "core.fct_lead_journey_steps": "contacts_take_each_step_of_the_journey_once",
    "reports.rpt_deal_pipeline_waterfall_deals": (
        "rpt_deal_pipeline_waterfall_deals_has_one_row_per_grain_and_no_missing_key"
    ),
}
# Columns by which marts name owners, teams and pipelines, and whether a row is an owner's (K14).
NAMES = {
    *("owner_id", "owner_name", "team_id", "team_name", "assignee_kind"),
    *("pipeline_id", "pipeline_label"),
}
# Rows that say something without counting: a missing input (K11), a goal of 0 (one row per target, 18a).
MAY_HAVE_ZEROS = {"rpt_data_quality", "rpt_quota_attainment"}


def universal_invariants() -> list[Invariant]:
    """The laws of all marts, each under a name that begins with the mart's."""
    return [law for definition in definitions() for law in _laws(definition)]


def _laws(definition: Definition) -> Iterator[Invariant]:
    yield _grain(definition)
    if definition.measures and definition.mart not in MAY_HAVE_ZEROS:
        yield _no_empty_rows(definition)
    if "owner_name" in definition.columns:
        yield _owner_labels(definition)
    if "pipeline_label" in definition.columns:
        yield _pipeline_labels(definition)
    if definition.mart != "rpt_data_quality":
        yield _is_empty_without_its_input(definition)
    if definition.drill_down and definition.mart not in NO_RECORDS_BEHIND:
        yield _records_behind_cells(definition)
    yield from function_laws(definition)


def _grain(definition: Definition) -> Invariant:
    grain = ", ".join(definition.grain)
    missing = " or ".join(f"{column} is null" for column in definition.grain)
    return Invariant(
        name=f"{definition.mart}_has_one_row_per_grain_and_no_missing_key",
        report=definition.mart,
        by=KEYED.get(definition.mart, ""),
        words=f"marts.md: one row per {grain}; no part of it is NULL.",
        sql=f"""
            select concat_ws('/', {grain}) as id, {grain}, count(*) as row_count
            from reports.{definition.mart}
            group by {grain}
            having count(*) > 1 or {missing}
        """,
        screen=f"""
            select count(*) - count(distinct hash({grain})), count(*) filter (where {missing})
            from reports.{definition.mart}
        """,
    )


def _no_empty_rows(definition: Definition) -> Invariant:
    zero = " and ".join(f"coalesce({measure}, 0) = 0" for measure in definition.measures)
    return Invariant(
        name=f"{definition.mart}_has_no_row_of_zeros",
        report=definition.mart,
        by=KEYED.get(definition.mart, ""),
        words="P13: a row stands only where some measure is not zero.",
        sql=f"""
            select concat_ws('/', {", ".join(definition.grain)}) as id
            from reports.{definition.mart}
            where {zero}
        """,
    )


def names() -> dict[str, str]:
    """Per mart the relation `proof_names_<function>`: the names that its rows show of owners, teams and
    pipelines. Two laws read them, and some marts are large and computed when they are read."""
    return {
        _names_of(definition): f"""
            select distinct {", ".join(column for column in definition.columns if column in NAMES)}
            from reports.{definition.mart}
        """
        for definition in definitions()
        if "owner_name" in definition.columns
    }


def _names_of(definition: Definition) -> str:
    return f"proof_names_{definition.function}"


def _owner_labels(definition: Definition) -> Invariant:
    # Rows of team goals have a team and no owner (K14).
    of_owners = "assignee_kind = 'owner'" if "assignee_kind" in definition.columns else "true"
    return Invariant(
        name=f"{definition.mart}_shows_each_owner_with_one_name_and_main_team",
        report=definition.mart,
        by=KEYED.get(definition.mart, ""),
        words="C6, P6, P7: owner and team stand in every row as the raw tables name them.",
        sql=f"""
            with shown as (
                select distinct owner_id, owner_name, team_id, team_name
                from {_names_of(definition)}
                where {of_owners}
            )
            select shown.owner_id as id, shown.owner_name, shown.team_id, shown.team_name,
                expected.owner_name as expected_name, expected.team_id as expected_team_id
            from shown
            left join proof_owners as expected on shown.owner_id = expected.owner_id
            where shown.owner_name is distinct from coalesce(expected.owner_name, case
                    when shown.owner_id like 'user:%' then 'User ' || substr(shown.owner_id, 6)
                    else 'Owner ' || shown.owner_id
                end)
                or shown.team_id is distinct from coalesce(expected.team_id, 'none')
                or shown.team_name is distinct from coalesce(expected.team_name, '(No team)')
        """,
    )


def _pipeline_labels(definition: Definition) -> Invariant:
    return Invariant(
        name=f"{definition.mart}_shows_each_pipeline_with_one_label",
        report=definition.mart,
        by=KEYED.get(definition.mart, ""),
        words="P12, 17c: a pipeline stands in every row under its raw label, (No pipeline), "
        "(Deleted pipeline <id>), or (Unknown) where history has lost it.",
        sql=f"""
            with shown as (
                select distinct pipeline_id, pipeline_label from {_names_of(definition)}
            )
            select shown.pipeline_id as id, shown.pipeline_label,
                expected.pipeline_label as expected_label
            from shown
            left join proof_pipelines as expected on shown.pipeline_id = expected.pipeline_id
            where shown.pipeline_label is distinct from coalesce(
                expected.pipeline_label,
                case shown.pipeline_id
                    when 'unknown' then '(Unknown)'
                    else '(Deleted pipeline ' || shown.pipeline_id || ')'
                end
            )
        """,
    )


def _is_empty_without_its_input(definition: Definition) -> Invariant:
    return Invariant(
        name=f"{definition.mart}_is_empty_where_an_input_is_missing",
        report=definition.mart,
        words="K11, P17: not available instead of wrong zeros: where data quality names a missing "
        "table or column, the mart has no rows.",
        sql=f"""
            select issue as id, (select count(*) from reports.{definition.mart}) as row_count
            from ({_missing_inputs(definition)}) as missing_inputs
            where exists (select 1 from reports.{definition.mart})
        """,
        screen=f"select count(*) from ({_missing_inputs(definition)}) as missing_inputs",
    )


def _missing_inputs(definition: Definition) -> str:
    return f"""
        select issue from reports.rpt_data_quality
        where report = '{definition.mart}' and regexp_matches(issue, '^missing_(table|column):')
    """


def _records_behind_cells(definition: Definition) -> Invariant:
    """U4, from the drill-down that the YAML gives for each measure."""
    cells = f"select {', '.join([*definition.grain, *definition.drill_down])} from reports.{definition.mart}"
    grain = ", ".join(definition.grain)
    return Invariant(
        name=f"{definition.mart}_has_the_records_behind_its_cells",
        report=definition.mart,
        by=KEYED.get(definition.mart, ""),
        words="U4: the records that the drill-down of a cell finds are distinct and as many, or worth "
        "as much, as the cell says.",
        sql=" union all by name ".join(
            unequal_sums(cells, _once_each(definition, ways), by=grain, measures=", ".join(ways))
            for ways in _kinds_of_records(definition)
        ),
        screen=" union all by name ".join(_screens(definition)),
    )


def _kinds_of_records(definition: Definition) -> Iterator[dict[str, dict]]:
    """The drill-downs by measure, those together that find the same kind of record under the same keys:
    they are counted in one pass."""
    ways: dict[tuple, dict[str, dict]] = {}
    for measure, way in definition.drill_down.items():
        found = (way["relation"], way["id"], tuple(way.get("keys", {}).items()))
        ways.setdefault(found, {})[measure] = way
    yield from ways.values()


def cells_of_records(definition: Definition) -> str:
    """SQL of a mart's cells with all measures that have a drill-down, added up from the records behind
    them: what U4 says the mart holds."""
    grain = ", ".join(definition.grain)
    sums = ", ".join(f"sum({measure}) as {measure}" for measure in definition.drill_down)
    parts = " union all by name ".join(
        f"({_once_each(definition, ways)})" for ways in _kinds_of_records(definition)
    )
    return f"select {grain}, {sums} from ({parts}) as records group by {grain}"


def _records(definition: Definition, ways: dict[str, dict]) -> str:
    """SQL of the records behind the cells: the grain, record_id, and what each counts in each measure.

    All of `ways` name the same relation, keys and id.
    """
    (way, *_) = ways.values()
    return f"{_found(definition, ways, way['id'])} and not exists ({_missing_inputs(definition)})"


def _found(definition: Definition, ways: dict[str, dict], record_id: str) -> str:
    """SQL of the same records, whatever inputs are missing. Those of several ids stand under one of them."""
    (way, *_) = ways.values()
    keys = ", ".join(f"{way.get('keys', {}).get(column, column)} as {column}" for column in definition.grain)
    wheres = {measure: f"({way['where']}) and {_is_known(way['id'])}" for measure, way in ways.items()}
    found = ", ".join(
        f"case when {where} then {ways[measure].get('value', 1)} end as {measure}"
        for measure, where in wheres.items()
    )
    # The day of a record that has none is no cell of the mart.
    present = " and ".join(f"{column} is not null" for column in definition.dates) or "true"
    return f"""
        select * from (
            select {keys}, {record_id} as record_id, {found}
            from {way["relation"]}
            where ({definition.population}) and ({" or ".join(dict.fromkeys(wheres.values()))})
        ) as found
        where {present}
    """


def _is_known(key: str) -> str:
    """SQL predicate: whether no part of an id is missing. Putting it together would cost more."""
    return " and ".join(f"{part} is not null" for part in _parts(key))


def _parts(key: str) -> list[str]:
    return [part for part in key.split(" || ") if not part.startswith("'")]


def _once_each(definition: Definition, ways: dict[str, dict]) -> str:
    """SQL of the same records, each once per cell: a count is of distinct records."""
    grain = ", ".join(definition.grain)
    once = ", ".join(
        f"{'sum' if 'value' in way else 'max'}({measure}) as {measure}" for measure, way in ways.items()
    )
    return (
        f"select {grain}, {once} from ({_records(definition, ways)}) as records group by {grain}, record_id"
    )


def _screens(definition: Definition) -> Iterator[str]:
    """Screens of U4, one for all kinds of records that the same relation finds under the same keys."""
    sources: dict[tuple, list[dict[str, dict]]] = {}
    for ways in _kinds_of_records(definition):
        (way, *_) = ways.values()
        source = (way["relation"], tuple(way.get("keys", {}).items()))
        sources.setdefault(source, []).append(ways)
    repeated = REPEATED_IDS.get(definition.mart, set())
    for kinds in sources.values():
        counted = [ways for ways in kinds if next(iter(ways.values()))["id"] in repeated]
        others = [ways for ways in kinds if ways not in counted]
        for first in counted[:-1]:
            yield _screen(definition, first, once=set(first))
        # The last of the kinds that repeat takes those along that do not: they are added up all the same.
        last = counted[-1] if counted else {}
        yield _screen(
            definition, {**last, **{m: way for ways in others for m, way in ways.items()}}, set(last)
        )
        yield from (_repeated(definition, ways) for ways in others if not _are_distinct(ways))


def _are_distinct(ways: dict[str, dict]) -> bool:
    """Whether ids of records need not be counted: other laws prove them to stand once, or amounts are all."""
    (way, *_) = ways.values()
    tables = re.findall(r"\b(?:core|reports)\.\w+", way["relation"])
    return all("value" in way for way in ways.values()) or set(tables) <= EACH_ONCE.keys()


def _repeated(definition: Definition, ways: dict[str, dict]) -> str:
    """SQL of one number: how many records stand in a cell where they stood before."""
    return f"""
        select count(*) - count(distinct hash({", ".join(definition.grain)}, record_id)) as repeated
        from ({_records(definition, ways)}) as records
    """


def _screen(definition: Definition, ways: dict[str, dict], once: set[str]) -> str:
    """SQL of one number per measure, 0 where it is what records add up to; those `once` count each id once.

    See `screened_sums`.
    """
    grain = ", ".join(definition.grain)
    # A sum of the weights of those that count is cheaper than one of products.
    sums = ", ".join(
        f"sum(weight) filter (where {measure} = 1) as {measure}"
        if "value" not in way and (measure in once or not once)
        else f"sum({measure} * cast(weight as decimal(18, 0))) as {measure}"
        for measure, way in ways.items()
    )
    (way, *_) = ways.values()
    found = _found(definition, ways, f"hash({', '.join(_parts(way['id']))})")
    records = f"select *, {weight(grain)} as weight from ({found}) as records"
    if once:
        each = ", ".join(
            f"{'max' if measure in once and 'value' not in way else 'sum'}({measure}) as {measure}"
            for measure, way in ways.items()
        )
        records = f"""
            select any_value(weight) as weight, {each}
            from ({records}) as weighed_records
            group by hash({grain}, record_id)
        """
    return difference(
        f"select {weighed(by=grain, measures=', '.join(ways))} from reports.{definition.mart}",
        # Once, of the sums: DuckDB would join the missing inputs to each record.
        f"from (select {sums} from ({records}) as records) as sums "
        f"where not exists ({_missing_inputs(definition)})",
        measures=ways,
    )
