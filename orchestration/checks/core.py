"""Laws of the tables that all reports are made of: deals, their states and visits, activities.

Belongs here: what must hold of `core` whatever is reported from it: who is in, that a deal's past
is told without gap or overlap, that it agrees with the raw versions, and that the calendar and the
dimensions are whole.
"""

from __future__ import annotations

from orchestration.checks import Invariant, equal_sums
from orchestration.checks.second_road import in_population

INVARIANTS = [
    # --- the population ---
    Invariant(
        name="deals_are_the_raw_deals_that_count",
        report="fct_deals",
        words="C10, P1, H1, C4: fct_deals holds each raw deal that is not archived, deleted, merged "
        "away or created at run_ts or later, once, with its class, owner, pipeline, days and amount.",
        sql="""
            select
                coalesce(core.deal_id, raw.deal_id) as id,
                core.deal_status, raw.deal_status as raw_status,
                core.owner_id, raw.owner_id as raw_owner_id,
                core.pipeline_id, raw.pipeline_id as raw_pipeline_id,
                core.created_date, raw.created_date as raw_created_date,
                core.close_date, raw.close_date as raw_close_date,
                core.company_amount, raw.amount as raw_amount
            from core.fct_deals as core
            full join proof_deals as raw on core.deal_id = raw.deal_id
            where core.deal_id is null
                or raw.deal_id is null
                or core.deal_status <> raw.deal_status
                or core.owner_id <> raw.owner_id
                or core.pipeline_id <> raw.pipeline_id
                or core.created_date is distinct from raw.created_date
                or core.close_date is distinct from raw.close_date
                or core.company_amount is distinct from raw.amount
        """,
    ),
    Invariant(
        name="deals_have_one_row_each",
        report="fct_deals",
        words="One row per deal.",
        sql="""
            select deal_id as id, count(*) as row_count
            from core.fct_deals group by deal_id having count(*) > 1
        """,
    ),
    Invariant(
        name="deals_are_open_won_or_lost_and_nothing_else",
        report="fct_deals",
        by="deal",
        words="P4: each deal is exactly one of open, won and lost, and closed if won or lost.",
        sql="""
            select deal_id as id, deal_status, is_closed, is_won, is_lost
            from core.fct_deals
            where is_won is distinct from (deal_status = 'won')
                or is_lost is distinct from (deal_status = 'lost')
                or is_closed is distinct from (deal_status in ('won', 'lost'))
                or coalesce(deal_status not in ('open', 'won', 'lost'), true)
        """,
    ),
    Invariant(
        name="deals_lost_have_a_reason_or_none_given",
        report="fct_deal_loss_reasons",
        by="deal",
        words="21a: every lost deal, and no other, has at least one reason, each reason once.",
        sql="""
            select coalesce(reasons.deal_id, deals.deal_id) as id, loss_reason, count(*) as row_count
            from core.fct_deal_loss_reasons as reasons
            full join (select deal_id from core.fct_deals where deal_status = 'lost') as deals
                on reasons.deal_id = deals.deal_id
            group by reasons.deal_id, deals.deal_id, loss_reason
            having count(*) > 1 or reasons.deal_id is null or deals.deal_id is null
        """,
    ),
    # --- states ---
    Invariant(
        name="deal_states_tell_each_past_without_gap_or_overlap",
        report="fct_deal_states",
        by="deal",
        words="C1, H8: the states of a deal start at its creation, each ends where the next begins, "
        "and the last one has no end.",
        sql="""
            with chained as (
                select
                    deal_id, valid_from, valid_to,
                    lag(valid_to) over (partition by deal_id order by valid_from) as previous_valid_to,
                    row_number() over (partition by deal_id order by valid_from) as state_number,
                    lead(valid_from) over (partition by deal_id order by valid_from) as next_valid_from
                from core.fct_deal_states
            )
            select coalesce(chained.deal_id, proof_deals.deal_id) as id,
                valid_from, valid_to, previous_valid_to, created_at
            from chained
            full join (select * from proof_deals where created_at is not null) as proof_deals
                on chained.deal_id = proof_deals.deal_id
            where chained.deal_id is null
                or proof_deals.deal_id is null
                or valid_from is null
                or valid_to <= valid_from
                or valid_to is distinct from next_valid_from
                or (state_number = 1 and valid_from <> created_at)
        """,
    ),
    Invariant(
        name="deal_states_begin_where_something_changed",
        report="fct_deal_states",
        by="deal",
        words="H7, H10: after the creation a state begins exactly where the last version of a "
        "timestamp gives a property another value than it had; nothing else begins one.",
        sql="""
            with changes as (
                select deal_id, moment_at, count(*) filter (where value <> value_before) as change_count
                from proof_moments
                inner join proof_deals using (deal_id)
                where moment_at > created_at
                    and name in (
                        'pipeline', 'dealstage', 'amount', 'closedate', 'hubspot_owner_id',
                        'hs_manual_forecast_category', 'hs_deal_stage_probability'
                    )
                group by deal_id, moment_at
            ),
            starts as (
                select deal_id, valid_from as moment_at
                from core.fct_deal_states
                inner join proof_deals using (deal_id)
                where valid_from > created_at
            )
            select deal_id as id, moment_at, change_count, starts.deal_id is not null as has_state
            from changes
            full join starts using (deal_id, moment_at)
            where change_count is null
                or (change_count > 0 and starts.deal_id is null)
        """,
    ),
    Invariant(
        name="deal_states_end_with_the_last_raw_version",
        report="fct_deal_states",
        by="deal",
        words="H6: the last state has the value of the last version of stage, pipeline, amount, close "
        "date, owner and forecast category before run_ts.",
        sql="""
            with last_versions as (
                select deal_id, name, nullif(value, '') as value
                from proof_moments
                where is_last
                    and deal_id in (select deal_id from proof_deals where created_at is not null)
            ),
            last_states as (
                select deal_id, unnest([
                    {'name': 'dealstage', 'value': nullif(stage_id, 'none')},
                    {'name': 'pipeline', 'value': nullif(pipeline_id, 'none')},
                    {'name': 'amount', 'value': cast(amount as varchar)},
                    {'name': 'closedate', 'value': cast(close_at as varchar)},
                    {'name': 'hubspot_owner_id', 'value': nullif(owner_id, 'none')},
                    {
                        'name': 'hs_manual_forecast_category',
                        'value': nullif(forecast_category, '(No category)')
                    }
                ], recursive := true)
                from core.fct_deal_states
                where valid_to is null
            )
            select deal_id as id, name, last_states.value as state_value, last_versions.value as raw_value
            from last_states
            inner join last_versions using (deal_id, name)
            where last_states.value is distinct from last_versions.value
        """,
    ),
    # --- visits ---
    Invariant(
        name="stage_visits_are_disjoint_and_gap_free",
        report="fct_deal_stage_visits",
        by="deal",
        words="11a: the visits of a deal are numbered from 1, each ends where the next begins, the "
        "last one is open until run_ts.",
        sql="""
            with chained as (
                select
                    *,
                    row_number() over (partition by deal_id order by visit_number) as place,
                    lead(entered_at) over (partition by deal_id order by visit_number) as next_entered_at
                from core.fct_deal_stage_visits
            )
            select concat_ws('/', deal_id, visit_number) as id, entered_at, exited_at, next_entered_at
            from chained
            where visit_number <> place
                or exited_at is distinct from next_entered_at
                or exited_at < entered_at
                or is_open_visit is distinct from (next_entered_at is null)
                or is_last_visit is distinct from (next_entered_at is null)
                or duration_ms <> epoch_ms(coalesce(
                    exited_at, (select run_ts from raw_hubspot._run)
                )) - epoch_ms(entered_at)
        """,
    ),
    Invariant(
        name="open_stage_visits_last_until_the_run",
        report="fct_deal_stage_visits",
        words="11a: the last visit of each deal lasts until run_ts, also where nothing else has changed.",
        sql="""
            select concat_ws('/', deal_id, visit_number) as id, entered_at, duration_ms
            from core.fct_deal_stage_visits
            where exited_at is null
                and duration_ms
                    is distinct from epoch_ms((select run_ts from raw_hubspot._run)) - epoch_ms(entered_at)
        """,
    ),
    Invariant(
        name="stage_visits_start_at_the_first_stage_version",
        report="fct_deal_stage_visits",
        by="deal",
        words="11a, 11b, H5, H8: the first visit starts at the first stage version, not before the "
        "creation; without any, at the creation. So the time of all visits runs from there to run_ts.",
        sql="""
            with first_versions as (
                select deal_id, min(moment_at) as first_at
                from proof_moments where name = 'dealstage'
                group by deal_id
            ),
            expected as (
                select deal_id, greatest(created_at, coalesce(first_at, created_at)) as start_at
                from proof_deals
                left join first_versions using (deal_id)
                where created_at is not null
            ),
            visited as (
                select deal_id, min(entered_at) as entered_at, sum(duration_ms) as total_time_ms
                from core.fct_deal_stage_visits
                group by deal_id
            )
            select deal_id as id, entered_at, start_at, total_time_ms
            from expected
            full join visited using (deal_id)
            where entered_at is distinct from start_at
                or total_time_ms
                    <> epoch_ms((select run_ts from raw_hubspot._run)) - epoch_ms(start_at)
        """,
    ),
    Invariant(
        name="stage_visits_change_the_stage_each_time",
        report="fct_deal_stage_visits",
        by="deal",
        words="11b: two visits in a row are to different (pipeline, stage) pairs.",
        sql="""
            select concat_ws('/', later.deal_id, later.visit_number) as id,
                later.pipeline_id, later.stage_id
            from core.fct_deal_stage_visits as earlier
            inner join core.fct_deal_stage_visits as later
                on earlier.deal_id = later.deal_id
                and earlier.visit_number + 1 = later.visit_number
                and earlier.pipeline_id = later.pipeline_id
                and earlier.stage_id = later.stage_id
        """,
    ),
    Invariant(
        name="stage_visits_last_as_long_as_the_raw_versions_say",
        report="fct_deal_stage_visits",
        by="deal",
        words="11: for deals that never changed pipeline, the time in each stage is that between its "
        "raw stage versions and the ones after them.",
        **equal_sums(
            """
            select * from core.fct_deal_stage_visits
            where deal_id in (select deal_id from proof_one_pipeline_deals)
            """,
            """
            with versions as (
                select
                    object_id as deal_id,
                    coalesce(nullif(trim(value), ''), 'none') as stage_id,
                    greatest("timestamp", created_at) as entered_at,
                    greatest(created_at, lead("timestamp", 1, run_ts) over (
                        partition by object_id order by "timestamp", sequence
                    )) as left_at
                from raw_hubspot.deal_property_history
                inner join proof_one_pipeline_deals on object_id = deal_id
                cross join (select run_ts from raw_hubspot._run) as run
                where name = 'dealstage' and "timestamp" < run_ts
            )
            select deal_id, stage_id, sum(epoch_ms(left_at) - epoch_ms(entered_at)) as duration_ms
            from versions
            group by deal_id, stage_id
            """,
            by="deal_id, stage_id",
            measures="duration_ms",
        ),
    ),
    Invariant(
        name="stage_visits_are_counted_from_every_raw_version",
        report="fct_deal_stage_visits",
        by="deal",
        words="H7, 11b: for deals that never changed pipeline and have no version before their "
        "creation, each raw stage version with another stage than the one before starts a visit.",
        **equal_sums(
            """
            select deal_id, stage_id, 1 as visit_count
            from core.fct_deal_stage_visits
            where deal_id in (select deal_id from proof_one_pipeline_deals where not is_early)
            """,
            """
            with versions as (
                select
                    object_id as deal_id,
                    coalesce(nullif(trim(value), ''), 'none') as stage_id,
                    lag(coalesce(nullif(trim(value), ''), 'none')) over (
                        partition by object_id order by "timestamp", sequence
                    ) as stage_id_before
                from raw_hubspot.deal_property_history
                where name = 'dealstage'
                    and "timestamp" < (select run_ts from raw_hubspot._run)
                    and object_id in (select deal_id from proof_one_pipeline_deals where not is_early)
            )
            select deal_id, stage_id, count(*) as visit_count
            from versions
            where stage_id is distinct from stage_id_before
            group by deal_id, stage_id
            """,
            by="deal_id, stage_id",
            measures="visit_count",
        ),
    ),
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
    # --- what the CRM says twice (warnings) ---
    Invariant(
        name="hubspots_won_flag_agrees_with_the_stage",
        report="fct_deals",
        by="deal",
        words="27.1: no live deal whose class by its stage differs from hs_is_closed_won or "
        "hs_is_closed (a stage edited after the last recalculation, or an unknown stage).",
        blocking=False,
        sql="""
            select id, proof_deals.deal_status, hs_is_closed_won, hs_is_closed
            from raw_hubspot.deals
            inner join proof_deals on id = proof_deals.deal_id
            where hs_is_closed_won <> (proof_deals.deal_status = 'won')
                or hs_is_closed <> (proof_deals.deal_status <> 'open')
        """,
    ),
    Invariant(
        name="last_versions_are_the_present_values",
        report="fct_deals",
        by="deal",
        words="27.7.6, H6: the last version of stage, pipeline, amount, close date, owner and forecast "
        "category is what stands on the deal.",
        blocking=False,
        sql="""
            with last_versions as (
                select deal_id, name, value as last_value from proof_moments where is_last
            ),
            present as (
                select id as deal_id, unnest([
                    {'name': 'dealstage', 'value': dealstage},
                    {'name': 'pipeline', 'value': pipeline},
                    {'name': 'amount', 'value': cast(amount as varchar)},
                    {'name': 'closedate', 'value': cast(closedate as varchar)},
                    {'name': 'hubspot_owner_id', 'value': hubspot_owner_id},
                    {'name': 'hs_manual_forecast_category', 'value': hs_manual_forecast_category}
                ], recursive := true)
                from raw_hubspot.deals
            )
            select deal_id as id, name, last_value, value as present_value
            from last_versions
            inner join present using (deal_id, name)
            where last_value <> coalesce(trim(value), '')
        """,
    ),
    Invariant(
        name="hubspots_stage_entry_is_the_last_stage_version",
        report="fct_deals",
        by="deal",
        words="27.7.6: hs_v2_date_entered_current_stage is the time of the last stage version, within "
        "a second.",
        blocking=False,
        sql="""
            select id, hs_v2_date_entered_current_stage, max(moment_at) as last_version_at
            from raw_hubspot.deals
            inner join proof_moments
                on id = deal_id and name = 'dealstage' and value <> coalesce(value_before, '')
            group by id, hs_v2_date_entered_current_stage
            having abs(epoch_ms(max(moment_at)) - epoch_ms(hs_v2_date_entered_current_stage)) > 1000
        """,
    ),
]
