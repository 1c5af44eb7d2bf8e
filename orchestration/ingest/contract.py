"""The input contract: every raw table, its key, its columns and their types.

Belongs here: what `raw_tables.md` promises about `raw_hubspot`, as data, and nothing else.
Everything that reads or writes raw tables (load step, sources, demo, references, tests) takes
names and types from here, so that a column is written down once.

Types: text, decimal = DECIMAL(38,10), integer = BIGINT, boolean, date, instant = TIMESTAMPTZ (UTC).
"""

from __future__ import annotations

from dataclasses import dataclass, field

TEXT, DECIMAL, INTEGER, BOOLEAN, DATE, INSTANT = (
    "text",
    "decimal",
    "integer",
    "boolean",
    "date",
    "instant",
)
_LETTERS = {"s": TEXT, "n": DECIMAL, "i": INTEGER, "b": BOOLEAN, "d": DATE, "t": INSTANT}


@dataclass(frozen=True)
class Table:
    """One raw table. `columns` maps name to type, keys and common columns included."""

    name: str
    key: tuple[str, ...]
    columns: dict[str, str]
    required_columns: frozenset[str]
    required: bool = False
    is_object: bool = False
    """Object tables have the common columns; files of them are complete (K4)."""
    history_of: str | None = None
    """For property histories: the object table whose versions these are."""
    tracked: tuple[str, ...] = field(default=())
    """For property histories: the property names that the reports use."""


_COMMON = "id s, created_at t, updated_at t, archived b, archived_at t, merged_into_id s, hard_deleted_at t"
_LOADED = {"_loaded_at": INSTANT}


def _columns(text: str) -> tuple[dict[str, str], frozenset[str]]:
    """Parse `name type` pairs; a name with `*` is required where the table is present."""
    columns, required = {}, set()
    for item in text.split(","):
        name, letter = item.split()
        if name.startswith("*"):
            name = name[1:]
            required.add(name)
        columns[name] = _LETTERS[letter]
    return columns, frozenset(required)


def _object(name: str, text: str, *, required: bool = False) -> Table:
    columns, needed = _columns(text)
    common, _ = _columns(_COMMON)
    return Table(name, ("id",), {**common, **columns, **_LOADED}, needed | {"id"}, required, is_object=True)


def _plain(name: str, key: str, text: str, *, required: bool = False) -> Table:
    columns, needed = _columns(text)
    keys = tuple(key.split())
    optional = {k for k in keys if (name, k) == ("associations", "type_id")}
    return Table(name, keys, {**columns, **_LOADED}, needed | (set(keys) - optional), required)


def _history(name: str, of: str, tracked: str, *, required: bool = False) -> Table:
    columns, needed = _columns(
        "*object_id s, *name s, *value s, *timestamp t, sequence i, "
        "source_type s, source_id s, updated_by_user_id s"
    )
    return Table(
        name,
        ("object_id", "name", "timestamp", "sequence"),
        {**columns, **_LOADED},
        needed,
        required,
        history_of=of,
        tracked=tuple(tracked.split()),
    )


_TABLES = [
    _plain(
        "account",
        "portal_id",
        "*portal_id s, *time_zone s, *company_currency s, fiscal_year_start_month i, week_starts_on s",
    ),
    _object(
        "deals",
        "*dealname s, *pipeline s, *dealstage s, amount n, deal_currency_code s, "
        "amount_in_home_currency n, hs_exchange_rate n, closedate t, *createdate t, hs_createdate t, "
        "hs_lastmodifieddate t, hubspot_owner_id s, hubspot_team_id s, dealtype s, "
        "closed_lost_reason s, closed_won_reason s, hs_deal_stage_probability n, "
        "hs_manual_forecast_category s, hs_forecast_amount n, hs_forecast_probability n, "
        "hs_analytics_source s, hs_analytics_source_data_1 s, hs_is_closed_won b, hs_is_closed b, "
        "hs_projected_amount n, hs_is_deal_split b, hs_merged_object_ids s, "
        "hs_attributed_team_ids s, hs_priority s, hs_v2_date_entered_current_stage t",
        required=True,
    ),
    _history(
        "deal_property_history",
        "deals",
        "dealstage pipeline amount closedate hubspot_owner_id hs_manual_forecast_category "
        "deal_currency_code hs_exchange_rate hs_deal_stage_probability",
        required=True,
    ),
    _object(
        "contacts",
        "email s, firstname s, lastname s, lifecyclestage s, hs_lead_status s, hubspot_owner_id s, "
        "hubspot_owner_assigneddate t, *createdate t, lastmodifieddate t, associatedcompanyid s, "
        "hs_analytics_source s, hs_sa_first_engagement_date t, hs_sa_first_engagement_object_type s, "
        "hs_sa_first_engagement_descr s, hs_first_engagement_object_id s, "
        "hs_time_to_first_engagement i, hs_latest_sequence_enrolled s, "
        "hs_latest_sequence_enrolled_date t, hs_latest_sequence_finished_date t, "
        "hs_latest_sequence_unenrolled_date t, hs_merged_object_ids s",
    ),
    _history(
        "contact_property_history",
        "contacts",
        "lifecyclestage hubspot_owner_id hs_lead_status hs_latest_sequence_enrolled "
        "hs_latest_sequence_enrolled_date hs_latest_sequence_finished_date "
        "hs_latest_sequence_unenrolled_date",
    ),
    _object("companies", "name s, domain s, industry s, country s, hubspot_owner_id s, createdate t"),
    _object(
        "leads",
        "hs_lead_name s, hs_pipeline s, hs_pipeline_stage s, hubspot_owner_id s, hs_createdate t, "
        "hs_lead_first_outreach_date t, hs_lead_time_to_first_outreach i",
    ),
    _history("lead_property_history", "leads", "hs_pipeline_stage hubspot_owner_id"),
    _object(
        "calls",
        "*hs_timestamp t, hs_createdate t, hubspot_owner_id s, hs_call_title s, "
        "hs_call_direction s, hs_call_disposition s, hs_call_status s, hs_call_duration i, "
        "hs_activity_type s, hs_call_source s",
    ),
    _plain("call_dispositions", "id", "id s, label s, deleted b"),
    _object(
        "meetings",
        "*hs_timestamp t, hs_createdate t, hs_meeting_start_time t, hs_meeting_end_time t, "
        "hs_meeting_outcome s, hs_meeting_title s, hs_activity_type s, hs_meeting_source s, "
        "hubspot_owner_id s",
    ),
    _history("meeting_property_history", "meetings", "hs_meeting_outcome"),
    _object(
        "tasks",
        "*hs_timestamp t, hs_createdate t, hs_task_subject s, hs_task_status s, hs_task_type s, "
        "hs_task_priority s, hs_task_completion_date t, hubspot_owner_id s",
    ),
    _history("task_property_history", "tasks", "hs_task_status"),
    _object(
        "emails",
        "*hs_timestamp t, hs_createdate t, hs_email_direction s, hs_email_status s, "
        "hs_email_subject s, hubspot_owner_id s, hs_email_open_count i, hs_email_click_count i, "
        "hs_email_reply_count i, hs_email_sent_via s",
    ),
    _object("notes", "*hs_timestamp t, hubspot_owner_id s"),
    _object("communications", "*hs_timestamp t, hubspot_owner_id s, hs_communication_channel_type s"),
    _object(
        "conversation_threads",
        "*created_at t, closed_at t, status s, original_channel_id s, assigned_to s, "
        "associated_contact_id s, spam b, archived b",
    ),
    _plain("conversation_channels", "id", "id s, name s, *kind s"),
    _plain(
        "conversation_messages",
        "thread_id id",
        "thread_id s, id s, *created_at t, direction s, sender s",
    ),
    _plain(
        "associations",
        "from_type from_id to_type to_id type_id",
        "*from_type s, *from_id s, *to_type s, *to_id s, type_id s, label s",
    ),
    _plain(
        "owners",
        "id",
        "id s, user_id s, email s, first_name s, last_name s, type s, archived b, "
        "created_at t, updated_at t, archived_at t",
        required=True,
    ),
    _plain("teams", "id", "id s, *name s, parent_team_id s, archived b"),
    _plain("owner_teams", "owner_id team_id", "owner_id s, team_id s, is_primary b"),
    _plain(
        "pipelines",
        "object_type id",
        "object_type s, id s, *label s, display_order i, archived b",
        required=True,
    ),
    _plain(
        "pipeline_stages",
        "object_type pipeline_id id",
        "object_type s, pipeline_id s, id s, *label s, *display_order i, *probability n, "
        "is_closed b, archived b",
        required=True,
    ),
    _object(
        "goal_targets",
        "*hs_goal_name s, *hs_target_amount n, *hs_start_datetime t, *hs_end_datetime t, "
        "hs_milestone s, hs_assignee_user_id s, hs_assignee_team_id s, hs_pipeline_ids s, "
        "hs_group_correlation_uuid s, hs_goal_target_group_id s, hs_goal_target_currency_code s, "
        "hs_kpi_metric_type s, hs_kpi_object_type s, hs_kpi_property_name s, "
        "hs_kpi_time_property_name s, hs_kpi_is_team_rollup s",
    ),
    _plain(
        "exchange_rates",
        "from_currency to_currency effective_at",
        "from_currency s, to_currency s, effective_at t, *conversion_rate n",
    ),
    _object("deal_splits", "deal_id s, owner_id s, percentage n"),
    _object(
        "forecasts",
        "hubspot_owner_id s, hs_amount n, hs_deal_pipeline_id s, hs_forecast_start_date t, "
        "hs_forecast_end_date t, hs_team_id s",
    ),
    _plain("sequences", "id", "id s, name s"),
]

TABLES: dict[str, Table] = {table.name: table for table in _TABLES}
"""Every table of the contract by name, in the order in which they are loaded."""

# Kept for good once seen, because HubSpot has no history of them (K1, K2).
KEPT_SNAPSHOTS = ("owners", "owner_teams", "teams", "pipelines", "pipeline_stages", "goal_targets")
KEPT_HISTORIES = tuple(name for name, table in TABLES.items() if table.history_of)

# HubSpot's version caps per property (27.7, K3).
VERSION_CAP = {
    "deals": 20,
    "contacts": 45,
    "leads": 20,
    "meetings": 20,
    "tasks": 20,
}

# The six call outcomes that every account starts with, for sources without call_dispositions (§1).
DEFAULT_CALL_DISPOSITIONS = {
    "9d9162e7-6cf3-4944-bf63-4dff82258764": "Busy",
    "f240bbac-87c9-4f6e-bf70-924b57d47db7": "Connected",
    "a4c4c377-d246-4b32-a13b-75a56a4cd0ff": "Left live message",
    "b2cf5968-551e-4856-9783-52b3da59a7d0": "Left voicemail",
    "73a0d17f-1163-4015-bdd5-ec830791da20": "No answer",
    "17b47fee-58de-441e-a44c-c6300d46f273": "Wrong number",
}
