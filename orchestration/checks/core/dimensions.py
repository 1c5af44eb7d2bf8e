"""Laws of activities, owners, teams, stages and the calendar, and of the build itself."""

from __future__ import annotations

from orchestration.checks import Invariant, equal_sums
from orchestration.checks.second_road import in_population

INVARIANTS = [
    # --- activities ---
    Invariant(
        name="activities_are_the_raw_ones_that_count",
        report="fct_activities",
        words="C10, P1, H1: fct_activities holds each raw call, meeting, task, e-mail and note that "
        "counts, once, under its owner.",
        **equal_sums(
            "select activity_type, activity_id, owner_id, 1 as row_count from core.fct_activities",
            " union all ".join(
                f"""
                select '{table.removesuffix("s")}' as activity_type, id as activity_id,
                    coalesce(nullif(hubspot_owner_id, ''), 'none') as owner_id, 1 as row_count
                from raw_hubspot.{table} as activity
                where {in_population("activity", created)}
                """
                for table, created in [
                    ("calls", "coalesce(activity.hs_createdate, activity.created_at)"),
                    ("meetings", "coalesce(activity.hs_createdate, activity.created_at)"),
                    ("tasks", "coalesce(activity.hs_createdate, activity.created_at)"),
                    ("emails", "coalesce(activity.hs_createdate, activity.created_at)"),
                    ("notes", "activity.created_at"),
                ]
            ),
            by="activity_type, activity_id, owner_id",
            measures="row_count",
        ),
    ),
    # --- dimensions and calendar ---
    Invariant(
        name="owners_have_the_raw_name_and_main_team",
        report="dim_owners",
        words="P6, P7, K2: an owner's name is first and last name, else e-mail, else Owner <id>, with "
        "(deactivated) if archived; the team is the primary one, of several the lowest id.",
        sql="""
            select coalesce(core.owner_id, raw.owner_id) as id,
                core.owner_name, raw.owner_name as raw_name, core.team_id, raw.team_id as raw_team_id,
                core.team_name, raw.team_name as raw_team_name
            from core.dim_owners as core
            full join proof_owners as raw on core.owner_id = raw.owner_id
            where core.owner_id is null
                or (raw.owner_id is not null and (
                    core.owner_name <> raw.owner_name
                    or core.team_id <> raw.team_id
                    or core.team_name <> raw.team_name
                ))
                or (raw.owner_id is null and (core.team_id <> 'none' or core.owner_name <> case
                    when core.owner_id like 'user:%' then 'User ' || substr(core.owner_id, 6)
                    else 'Owner ' || core.owner_id
                end))
        """,
    ),
    Invariant(
        name="teams_are_below_themselves_and_their_parents",
        report="bridge_team_ancestors",
        words="27.2: every team is its own ancestor at distance 0, its parent's ancestors are its own "
        "one step further, and no pair stands twice.",
        sql="""
            with pairs as (
                select team_id, ancestor_team_id, min(distance) as distance, count(*) as row_count
                from core.bridge_team_ancestors
                group by team_id, ancestor_team_id
            ),
            expected as (
                select team_id, team_id as ancestor_team_id, 0 as distance from core.dim_teams
                union
                select teams.team_id, parents.ancestor_team_id, parents.distance + 1
                from core.dim_teams as teams
                inner join pairs as parents on teams.parent_team_id = parents.team_id
            )
            select concat_ws('/', team_id, ancestor_team_id) as id,
                pairs.distance, expected.distance as expected_distance, row_count
            from pairs
            full join expected using (team_id, ancestor_team_id)
            where pairs.distance is distinct from expected.distance or row_count > 1
        """,
    ),
    Invariant(
        name="stages_have_the_class_of_their_probability",
        report="dim_stages",
        words="C4, P3: every configured deal stage is in dim_stages once, won from 1 up, lost from 0 "
        "down, open between, unknown without a probability.",
        sql="""
            select concat_ws('/', pipeline_id, stage_id) as id,
                core.stage_class, raw.stage_class as raw_class
            from (
                select pipeline_id, stage_id, min(stage_class) as stage_class, count(*) as row_count
                from core.dim_stages
                group by pipeline_id, stage_id
            ) as core
            full join proof_stages as raw using (pipeline_id, stage_id)
            where core.stage_class is null
                or row_count > 1
                or core.stage_class <> coalesce(raw.stage_class, 'unknown')
        """,
    ),
    Invariant(
        name="dates_are_every_day_once_with_fiscal_periods_that_nest",
        report="dim_dates",
        words="27.4: the calendar has no gap; fiscal quarters are three months long and partition the "
        "fiscal year, which starts in the account's month; starting in January it is the calendar year.",
        sql="""
            with run as (select fiscal_year_start_month from raw_hubspot._run),
            days as (
                select *, lead(date_day) over (order by date_day) as next_day from core.dim_dates
            )
            select date_day as id, next_day, month_start, fiscal_quarter_start, fiscal_year_start
            from days
            cross join run
            where next_day <> date_day + 1
                or month_start <> date_trunc('month', date_day)
                or fiscal_year_start <> cast(date_trunc(
                    'year', date_day - to_months(fiscal_year_start_month - 1)
                ) + to_months(fiscal_year_start_month - 1) as date)
                or date_day < fiscal_quarter_start
                or date_day >= fiscal_quarter_start + interval 3 months
                or datediff('month', fiscal_year_start, fiscal_quarter_start) not in (0, 3, 6, 9)
        """,
    ),
    Invariant(
        name="build_info_says_what_this_build_was_told",
        report="build_info",
        words="marts.md: one row, with the run_ts, time zone and currency that the build was made with.",
        sql="""
            select coalesce(core.build_id, run.build_id) as id, core.run_ts, run.run_ts as told_run_ts
            from core.build_info as core
            full join raw_hubspot._run as run on core.build_id = run.build_id
            where core.build_id is null
                or run.build_id is null
                or core.run_ts <> run.run_ts
                or core.time_zone <> run.time_zone
                or core.company_currency <> run.company_currency
        """,
    ),
    Invariant(
        name="loads_lose_no_row",
        report="build_info",
        words="raw_tables.md: rows offered = rows loaded + rows rejected, per table and load, and "
        "every rejected row is on record.",
        sql="""
            with recorded as (
                select load_id, table_name, count(*) as recorded
                from raw_hubspot._rejected_rows
                group by load_id, table_name
            )
            select concat_ws('/', load_id, table_name) as id, offered, loaded, rejected, recorded
            from raw_hubspot._sync_log
            semi join raw_hubspot._run using (load_id) -- rejects are kept of the last load alone
            left join recorded using (load_id, table_name)
            where offered <> loaded + rejected or rejected <> coalesce(recorded, 0)
        """,
    ),
]
