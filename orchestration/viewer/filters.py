"""The filter panel of a report.

Belongs here: which control each argument of a report function has, what it is called, and how what is
chosen becomes a `ReportState`. What the choices are, the published database says (`catalog.py`); what
they mean, the argument's description there.

A control's value lives in the session under `<report>:<argument>` while the page is open. The address
is where it comes from and where it goes (`report_page.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import streamlit

from orchestration.viewer.catalog import Argument, Report, Step, choices, steps
from orchestration.viewer.database import Build
from orchestration.viewer.periods import FIRST_DAY, LAST_DAY, PRESETS, Period
from orchestration.viewer.state import ReportState

_CUSTOM, _NONE = "custom", "none"
# What stands for NULL in a box: to Streamlit, None means that nothing has been chosen yet.
_ALL_VALUES = ""
_LABELS = {
    "group_by": "Group by",
    "bucket": "Over time",
    "owners": "Reps",
    "teams": "Teams",
    "include_subteams": "With sub-teams",
    "pipelines": "Pipelines",
    "include_via_close": "Count pushes by closing",
    "include_closed": "Closed deals",
    "every": "One point per",
}
_GROUPS = {"none": "Nothing", "owner": "Rep"}
_ALL = {"bucket": "In all", "include_closed": "Unless pipelines are chosen"}
# Reports with two ranges of dates: when something changed, and when the deals are to close.
_CHANGE_PERIOD = {"deal_change_history", "deal_pipeline_waterfall"}
_STEPS = "stages"
_FIRST_SIGHT = ("group_by", "bucket", "cumulative")


def put(report: Report, state: ReportState) -> None:
    """Set all controls to a state: the one of an address that has just been opened."""
    values = streamlit.session_state
    _put_period(report, "period", state.period)
    _put_period(report, "close_period", state.close_period)
    for key, value in state.values(report).items():
        if report.arguments[key].is_list:
            values[_key(report, key)] = list(value or [])
        else:
            values[_key(report, key)] = _ALL_VALUES if value is None else value


def panel(build: Build, report: Report, before: ReportState) -> ReportState:
    """Show the filter panel and return what is chosen in it.

    `before` is what was chosen before this run; a range of dates that is being typed leaves it as it was.
    """
    with streamlit.container(horizontal=True, vertical_alignment="bottom", key="filters"):
        period = _period(build, report, "period", before)
        close_period = _period(build, report, "close_period", before) if report.has_close_period else None
        first = {name: _control(build, report, name, {}) for name in _FIRST_SIGHT if name in report.arguments}
        rest = _more(build, report, before)
    state = replace(before, period=period or before.period, close_period=close_period)
    return state.choose(report, **first, **rest)


def is_open(report: Report) -> bool:
    """Whether the panel of this report is on the page already, with its controls' values."""
    return _key(report, "period") in streamlit.session_state


def is_touched(report: Report) -> bool:
    """Whether a control was used since the last time that this was asked."""
    return streamlit.session_state.pop(_key(report, "touched"), False)


def _touch(report: Report) -> None:
    streamlit.session_state[_key(report, "touched")] = True


def words(build: Build, report: Report, state: ReportState) -> list[tuple[str, str]]:
    """What is chosen, as name and value for people: above the chart and in exports."""
    said = [(range_label(report, state), state.period.words(build.calendar))]
    if state.close_period:
        said.append(("Close dates", state.close_period.words(build.calendar)))
    for name, argument in report.arguments.items():
        value = state.value(report, name)
        if value in (None, []) or argument.kind == "date":
            continue
        if value is False and argument.function_default is False:
            continue
        if argument.kind == "one_of" and name not in ("group_by", "bucket") and value == argument.default:
            continue
        labels = _labels(build, report, argument, state.values(report))
        texts = [labels(each) for each in value] if isinstance(value, list | tuple) else [labels(value)]
        said.append((label(name), ", ".join(texts)))
    return said


def label(name: str) -> str:
    """An argument's name in words."""
    return _LABELS.get(name) or name.replace("_", " ").capitalize()


def range_label(report: Report, state: ReportState) -> str:
    """What the date range works on: the property is named, as in HubSpot's panel."""
    if report.name in _CHANGE_PERIOD:
        return "Change period"
    return f"Date range by {report.date_property(state.values(report))}"


def ranges(report: Report) -> list[tuple[str, str]]:
    """The ranges of dates that the report has, and what each works on where nothing else is chosen."""
    if report.name in _CHANGE_PERIOD:
        return [("Change period", "time of the change"), ("Close dates", "closedate")]
    found = [("Date range", report.date_property({}) or "–")]
    return [*found, ("Close dates", "closedate")] if report.has_close_period else found


# --- date ranges -----------------------------------------------------------------------------------


def _put_period(report: Report, kind: str, period: Period | None) -> None:
    values = streamlit.session_state
    if period is None:
        values[_key(report, kind)] = _NONE
    else:
        values[_key(report, kind)] = period.preset or _CUSTOM
        if period.preset is None:
            values[_key(report, f"{kind}_days")] = (period.date_from, _last(period))


def _last(period: Period) -> date:
    """The last day as a person chooses it; the range itself ends with the day after."""
    return max(period.date_from, period.date_to - timedelta(days=1))


def _period(build: Build, report: Report, kind: str, before: ReportState) -> Period | None:
    is_close = kind == "close_period"
    present = before.close_period if is_close else before.period
    options = [*PRESETS, _CUSTOM]
    if is_close:
        options.insert(0, _NONE)
    none = "Same as change period" if report.name in _CHANGE_PERIOD else "All close dates"
    names = {**PRESETS, _CUSTOM: "Custom range …", _NONE: none}
    chosen = streamlit.selectbox(
        "Close dates (closedate)" if is_close else range_label(report, before),
        options,
        format_func=names.__getitem__,
        key=_key(report, kind),
        on_change=_touch,
        args=(report,),
        width=230,
    )
    if chosen == _NONE:
        return None
    if chosen != _CUSTOM:
        return Period(chosen)
    days_key = _key(report, f"{kind}_days")
    if days_key not in streamlit.session_state:
        first, end = (present or before.period).days(build.calendar)
        streamlit.session_state[days_key] = (first, max(first, end - timedelta(days=1)))
    days = streamlit.date_input(
        "First and last day",
        key=days_key,
        on_change=_touch,
        args=(report,),
        min_value=FIRST_DAY,
        max_value=LAST_DAY - timedelta(days=1),
        format="YYYY-MM-DD",
        width=240,
    )
    if not isinstance(days, tuple) or len(days) != 2:  # the second day is still to be chosen
        return present
    return Period(None, days[0], days[1] + timedelta(days=1))


# --- other controls --------------------------------------------------------------------------------


def _more(build: Build, report: Report, before: ReportState) -> dict[str, Any]:
    """All filters that are not needed at first sight, behind one button that counts them."""
    names = [
        name
        for name, argument in report.arguments.items()
        if name not in _FIRST_SIGHT and argument.kind != "date"
    ]
    chosen = sum(name in before.arguments for name in names)
    given: dict[str, Any] = {}
    title = f"Filters ({chosen})" if chosen else "Filters"
    with streamlit.popover(title, icon=":material/filter_list:", key=_key(report, "more")):
        for name in names:
            argument = report.arguments[name]
            if argument.among:
                continue
            if name == _STEPS:
                given |= _steps(build, report, {**before.values(report), **given})
            else:
                given[name] = _control(build, report, name, {**before.values(report), **given})
        streamlit.button("Reset", on_click=_reset, args=(report,), key=_key(report, "reset"))
    return given


def _reset(report: Report) -> None:
    put(report, ReportState.default(report))
    _touch(report)


def _control(build: Build, report: Report, name: str, given: Mapping[str, Any]) -> Any:
    argument = report.arguments[name]
    key, about = _key(report, name), argument.description or None
    named = _labels(build, report, argument, given)
    if argument.kind == "flag" and argument.default is not None:
        without = name == "cumulative" and not streamlit.session_state.get(_key(report, "bucket"))
        return streamlit.toggle(
            label(name), key=key, help=about, disabled=without, on_change=_touch, args=(report,)
        )
    present = streamlit.session_state[key]
    known = list(choices(build, argument, given)) if argument.choices else list(argument.values)
    if argument.is_list:
        options = _with(known, present)
        return streamlit.multiselect(
            label(name),
            options,
            format_func=named,
            key=key,
            placeholder="All",
            help=about,
            on_change=_touch,
            args=(report,),
        )
    match argument.kind:
        case "flag":
            options = [_ALL_VALUES, True, False]
        case "one_of":
            options = [_ALL_VALUES if value is None else value for value in known]
        case _:
            options = [_ALL_VALUES, *_with(known, [present] if present else [])]
    chosen = streamlit.selectbox(
        label(name),
        options,
        format_func=lambda value: named(None if value == _ALL_VALUES else value),
        key=key,
        help=about,
        on_change=_touch,
        args=(report,),
        width=160 if name in _FIRST_SIGHT else "stretch",
    )
    return None if chosen == _ALL_VALUES else chosen


def _with(known: Sequence[str], present: Iterable[str]) -> list[str]:
    """The known values and those that an address names besides, so that they can be taken off again."""
    return [*known, *(value for value in present if value not in known)]


def _labels(
    build: Build, report: Report, argument: Argument, given: Mapping[str, Any]
) -> Callable[[Any], str]:
    """How the values of an argument are called."""
    if argument.choices or argument.among:
        source = report.arguments[argument.among] if argument.among else argument
        named = choices(build, source, given)
        return lambda value: "All" if value is None else named.get(value, f"{value} (unknown)")
    special = {None: _ALL.get(argument.name, "All"), True: "Yes", False: "No"}
    if argument.name == "group_by":
        special |= _GROUPS
    return lambda value: special.get(value) or _words(str(value))


def _words(value: str) -> str:
    """A fixed value in words: `live_chat`, `INBOUND`; what is in brackets stays."""
    plain = value.replace("_", " ")
    return plain if plain.startswith("(") else plain[:1].upper() + plain[1:].lower()


# --- stages of a journey or a funnel ----------------------------------------------------------------


def _steps(build: Build, report: Report, given: Mapping[str, Any]) -> dict[str, Any]:
    """Choose stages, bring them into an order, mark some optional. Untouched, the report's own hold."""
    own = steps(build, report.arguments[_STEPS], given)
    stages_key, optional_key = _key(report, _STEPS), _key(report, "optional_stages")
    session = streamlit.session_state
    chosen = list(session.get(stages_key) or [])
    optional = list(session.get(optional_key) or [])
    named = choices(build, report.arguments[_STEPS], given)
    shown = chosen or [step.id for step in own]
    marked = optional if optional or chosen else [step.id for step in own if step.is_optional]
    streamlit.markdown("**Stages**", help=report.arguments[_STEPS].description)

    def keep(order: Sequence[str], optional_ones: Iterable[str]) -> None:
        _touch(report)
        ones = set(optional_ones) & set(order[1:])
        if _is_own(own, order, ones):
            session[stages_key], session[optional_key] = [], []
        else:
            session[stages_key], session[optional_key] = list(order), [x for x in order if x in ones]

    for index, stage in enumerate(shown):
        name = named.get(stage, f"{stage} (unknown)")
        rest = [x for x in shown if x != stage]
        with streamlit.container(horizontal=True, vertical_alignment="center"):
            streamlit.markdown(f"{index + 1}. {name}", width="stretch")
            is_marked = stage in marked
            streamlit.button(
                "Optional" if is_marked else "Required",
                key=_key(report, f"optional:{stage}"),
                type="tertiary",
                disabled=index == 0,
                help="Press to change; the first stage is always required.",
                on_click=keep,
                args=(shown, [x for x in marked if x != stage] if is_marked else [*marked, stage]),
            )
            streamlit.button(
                "Up",
                icon=":material/arrow_upward:",
                key=_key(report, f"up:{stage}"),
                type="tertiary",
                disabled=index == 0,
                on_click=keep,
                args=([*rest[: max(index - 1, 0)], stage, *rest[max(index - 1, 0) :]], marked),
            )
            streamlit.button(
                "Remove",
                icon=":material/close:",
                key=_key(report, f"remove:{stage}"),
                type="tertiary",
                disabled=len(shown) == 1,
                on_click=keep,
                args=(rest, marked),
            )
    if missing := [x for x in named if x not in shown]:
        add_key = _key(report, "add_stage")
        streamlit.selectbox(
            "Add a stage",
            [None, *missing],
            format_func=lambda x: "–" if x is None else named[x],
            key=add_key,
            on_change=lambda: keep([*shown, session[add_key]], marked) if session[add_key] else None,
        )
    return {_STEPS: chosen, "optional_stages": optional if chosen else []}


def _is_own(own: Sequence[Step], order: Sequence[str], optional: set[str]) -> bool:
    return list(order) == [step.id for step in own] and optional == {
        step.id for step in own[1:] if step.is_optional
    }


def _key(report: Report, name: str) -> str:
    return f"{report.name}:{name}"
