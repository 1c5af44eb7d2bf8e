"""The small tables of a generated account: owners, teams, pipelines, stages, goals, rates.

Belongs here: their rows, as queries over the macros of `numbers.py`. Pipelines and stages also stand
there as lists, because deals are made from them.
"""

from __future__ import annotations

from orchestration.bench.numbers import Account

DEAL_PIPELINES = {
    "default": "New business",
    "renewals": "Renewals",
    "81204417": "Channel partners",
}
# Open stages in order, then won and lost. One stage id stands in two pipelines (raw_tables.md, traps).
STAGES = {
    "default": [
        ("appointmentscheduled", "Discovery", "0.1"),
        ("qualifiedtobuy", "Qualified", "0.25"),
        ("presentationscheduled", "Demo", "0.45"),
        ("decisionmakerboughtin", "Proposal", "0.6"),
        ("contractsent", "Negotiation", "0.8"),
        ("closedwon", "Closed won", "1.0"),
        ("closedlost", "Closed lost", "0.0"),
    ],
    "renewals": [
        ("ren_due", "Renewal due", "0.5"),
        ("ren_review", "Usage review", "0.7"),
        ("ren_negotiation", "Negotiation", "0.85"),
        ("ren_won", "Renewed", "1.0"),
        ("ren_churned", "Churned", "0.0"),
    ],
    "81204417": [
        ("178201301", "Registered", "0.15"),
        ("178201302", "Qualified", "0.3"),
        ("178201303", "Proposal", "0.55"),
        ("contractsent", "Negotiation", "0.75"),
        ("178201305", "Closed won", "1.0"),
        ("178201306", "Closed lost", "0.0"),
    ],
}
ARCHIVED_STAGE = ("default", "170553999", "On hold", "0.15")
_FIRST_NAMES = "Ana Ben Chidi Dana Emil Farah Goran Hana Ivo Jun Kofi Lena Mia Nils Olu Priya".split()
_LAST_NAMES = "Adler Brandt Costa Diaz Eze Fuchs Gomez Haas Ito Jansen Kaya Lopez Meyer Novak".split()


def queries(account: Account) -> dict[str, str]:
    """A query per table, by its name in the contract."""
    return {
        "account": f"""
            select '4711' as portal_id, 'America/New_York' as time_zone, 'USD' as company_currency,
                2 as fiscal_year_start_month, 'monday' as week_starts_on,
                timestamptz '{account.as_of.isoformat()}' as _loaded_at
        """,
        "owners": f"""
            select owner_id(n) as id, user_id(n) as user_id,
                'owner' || n || '@bench.example' as email,
                {_names(_FIRST_NAMES)}[1 + n % {len(_FIRST_NAMES)}] as first_name,
                {_names(_LAST_NAMES)}[1 + n // {len(_FIRST_NAMES)} % {len(_LAST_NAMES)}]
                    || ' ' || n as last_name,
                'PERSON' as type,
                u(n, 'owner archived') < 0.1 as archived,
                day_start(0) as created_at,
                day_start(0) as updated_at,
                case when u(n, 'owner archived') < 0.1 then day_start(700 + n % 300) end as archived_at
            from range({account.owners}) as numbers (n)
        """,
        "teams": f"""
            select '100' as id, 'Company' as name, cast(null as varchar) as parent_team_id, false as archived
            union all
            select cast(101 + n as varchar), 'Region ' || n, '100', false from range(4) as numbers (n)
            union all
            select cast(200 + n as varchar), 'Team ' || n, cast(101 + n % 4 as varchar), false
            from range({account.teams}) as numbers (n)
        """,
        "owner_teams": f"""
            select owner_id(n) as owner_id, cast(200 + n % {account.teams} as varchar) as team_id,
                true as is_primary
            from range({account.owners}) as numbers (n)
            where u(n, 'no team') > 0.03
            union all
            select owner_id(n), cast(101 + n % 4 as varchar), false
            from range({account.owners}) as numbers (n)
            where u(n, 'second team') < 0.1
        """,
        "pipelines": _values(
            ["object_type", "id", "label", "display_order", "archived"],
            [("deal", key, label, order, False) for order, (key, label) in enumerate(DEAL_PIPELINES.items())],
        ),
        "pipeline_stages": _values(
            [
                "object_type",
                "pipeline_id",
                "id",
                "label",
                "display_order",
                "probability",
                "is_closed",
                "archived",
            ],
            [
                ("deal", pipeline, key, label, order, probability, probability in ("1.0", "0.0"), False)
                for pipeline, stages in STAGES.items()
                for order, (key, label, probability) in enumerate(stages)
            ]
            + [("deal", *ARCHIVED_STAGE[:3], 99, ARCHIVED_STAGE[3], False, True)],
        ),
        "goal_targets": f"""
            with months as (
                select n, m, date '2024-11-01' + to_months(cast(m as integer)) as starts
                from range({account.owners}) as owners (n), range(24) as months (m)
                where u(n, 'has goals') < 0.8
            )
            select cast(3000000000 + n * 100 + m as varchar) as id,
                day_start(300) as created_at, day_start(300) as updated_at, false as archived,
                'Revenue per rep ' || year(starts) as hs_goal_name,
                cast(5000 * round(4 + 12 * u(n, 'target')) as decimal(18, 2)) as hs_target_amount,
                cast(starts as timestamp) at time zone 'UTC' as hs_start_datetime,
                cast(starts + interval 1 month as timestamp) at time zone 'UTC' - interval 1 millisecond
                    as hs_end_datetime,
                'monthly' as hs_milestone,
                user_id(n) as hs_assignee_user_id,
                'revenue-' || year(starts) as hs_group_correlation_uuid,
                'SUM' as hs_kpi_metric_type, 'DEAL' as hs_kpi_object_type,
                'amount_in_home_currency' as hs_kpi_property_name,
                'closedate' as hs_kpi_time_property_name
            from months
        """,
        "exchange_rates": """
            select currency as from_currency, 'USD' as to_currency, day_start(m * 30) as effective_at,
                cast(base + (m % 7) * 0.004 as decimal(18, 6)) as conversion_rate
            from (values ('EUR', 1.08), ('GBP', 1.27)) as currencies (currency, base), range(36) as months (m)
        """,
        "conversation_channels": _values(
            ["id", "name", "kind"],
            [
                ("1000", "Website", "LIVE_CHAT"),
                ("1001", "Messenger", "FB_MESSENGER"),
                ("1002", "WhatsApp", "other"),
            ],
        ),
        "sequences": """
            select cast(230100 + n as varchar) as id, 'Sequence ' || n as name from range(6) as numbers (n)
        """,
    }


def _names(names: list[str]) -> str:
    return "[" + ", ".join(f"'{name}'" for name in names) + "]"


def _values(columns: list[str], rows: list[tuple]) -> str:
    """A query of literal rows; probabilities come as text and become decimals in the load step."""
    listed = ", ".join("(" + ", ".join(_literal(value) for value in row) + ")" for row in rows)
    return f"select * from (values {listed}) as rows ({', '.join(columns)})"


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else f"'{value}'"
