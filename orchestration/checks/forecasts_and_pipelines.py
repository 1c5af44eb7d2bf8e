"""Laws of the reports on forecasts and pipelines (12 to 19).

Belongs here: what `reports.md` states under "Invariants" of these reports, each under the report's
name. Laws between reports stand in `across_reports.py`, laws of every mart in `universal.py`.
"""

from __future__ import annotations

from orchestration.checks import Invariant, unequal_sums
from orchestration.checks.second_road import day

OWNED = "owner_id, pipeline_id"
PERIOD = "period_grain, period_start"
WHOLE = "getvariable('first_day'), getvariable('end_day')"
RUN = "getvariable('run_date')"
QUARTER, QUARTER_END = "getvariable('quarter_start')", "getvariable('quarter_end')"

# Every state as of an instant, strictly (C1).
AS_OF = "valid_from < {at} and (valid_to is null or valid_to >= {at})"
HISTORY_IS_LOST = """
    (is_stage_unknown or is_pipeline_unknown or is_amount_unknown or is_forecast_category_unknown)
"""
# The periods that the waterfall has, with the instant at which each ends so far (14b).
WATERFALL_PERIODS = """
    select dim_periods.*, least(end_at, run_ts) as known_until
    from core.dim_periods
    cross join core.build_info
    where begin_at <= run_ts
        and end_at > (select min(created_at) from core.fct_deals)
"""
CHANGED_AFTERWARDS = f"""
    select changes.*, {day("created_at")} as creation_day
    from reports.rpt_deal_change_history as changes
    inner join (select deal_id, created_at from core.fct_deals) as deals using (deal_id)
    where changed_date > {day("created_at")}
"""
# A deal at the end of its first day and now: what all later changes lead from and to.
FIRST_AND_LAST_STATES = f"""
    select first_day.deal_id,
        coalesce(first_day.company_amount, 0) as first_amount,
        coalesce(last_state.company_amount, 0) as last_amount,
        first_day.close_date as first_close_date,
        last_state.close_date as last_close_date
    from core.fct_deal_states as first_day
    inner join core.fct_deal_states as last_state using (deal_id)
    inner join (select deal_id, {day("created_at")} as creation_day from core.fct_deals) as deals
        using (deal_id)
    where last_state.valid_to is null
        and first_day.valid_from_date <= creation_day
        and (first_day.valid_to_date is null or first_day.valid_to_date > creation_day)
"""

CHANGE_HISTORY = [
    Invariant(
        name="amount_changes_lead_from_the_first_to_the_last_amount",
        report="rpt_deal_change_history",
        words="12(a): after the day of its creation the amount changes of a deal add up to its last "
        "amount less the one at the end of that day, at the present rate.",
        sql=f"""
            select deal_id as id, first_amount, last_amount, delta_amount
            from ({FIRST_AND_LAST_STATES}) as ends
            left join (
                select deal_id, sum(delta_amount) as delta_amount
                from ({CHANGED_AFTERWARDS}) as changes
                group by deal_id
            ) as changes using (deal_id)
            where coalesce(delta_amount, 0) <> last_amount - first_amount
        """,
    ),
    Invariant(
        name="close_date_changes_lead_from_the_first_to_the_last_close_date",
        report="rpt_deal_change_history",
        words="12(b): the same for days, for deals whose close date was never empty meanwhile.",
        sql=f"""
            select deal_id as id, first_close_date, last_close_date, delta_days
            from ({FIRST_AND_LAST_STATES}) as ends
            left join (
                select deal_id, sum(delta_days) as delta_days,
                    bool_or(delta_days is null) as was_without_close_date
                from ({CHANGED_AFTERWARDS}) as changes
                where property = 'closedate' and category <> 'lapsed'
                group by deal_id
            ) as changes using (deal_id)
            where coalesce(delta_days, 0) <> last_close_date - first_close_date
                and was_without_close_date is not true
        """,
    ),
    Invariant(
        name="won_and_lost_changes_hold_those_of_the_waterfall",
        report="rpt_deal_change_history",
        words="12(c): a deal that is won or lost in the waterfall of a period has such a change in it; "
        "a deal with one such change in its life, and no reopening, is in the waterfall of its period.",
        sql=f"""
            with outcomes as (
                select deal_id, category, changed_date, count(*) over (partition by deal_id) as change_count
                from reports.rpt_deal_change_history
                where category in ('won', 'lost', 'reopened')
            ),
            in_periods as (
                select {PERIOD}, deal_id, category, change_count
                from outcomes
                inner join ({WATERFALL_PERIODS}) as periods
                    on changed_date >= period_start and changed_date < period_end
            ),
            waterfall as (
                select {PERIOD}, deal_id, category
                from reports.rpt_deal_pipeline_waterfall_deals
                where category in ('won', 'lost')
            )
            select deal_id as id, {PERIOD}, category
            from waterfall
            where not exists (
                select 1 from in_periods
                where in_periods.period_grain = waterfall.period_grain
                    and in_periods.period_start = waterfall.period_start
                    and in_periods.deal_id = waterfall.deal_id
                    and in_periods.category = waterfall.category
            )
            union all
            (
                select deal_id, {PERIOD}, category from in_periods where change_count = 1
                except
                select deal_id, {PERIOD}, category from waterfall
            )
        """,
    ),
    Invariant(
        name="created_changes_are_the_deals_created",
        report="rpt_deal_change_history",
        words="12(d): created here = report 4, by day, owner and pipeline.",
        sql=unequal_sums(
            f"""
            select changed_date, {OWNED}, 1 as deal_count
            from reports.rpt_deal_change_history where category = 'created'
            """,
            "select *, created_date as changed_date from reports.rpt_deals_created",
            by=f"changed_date, {OWNED}",
            measures="deal_count",
        ),
    ),
    Invariant(
        name="changes_inside_and_outside_are_all_changes",
        report="rpt_deal_change_history",
        words="12(e): inside + outside = all, per category, whichever close-date range is asked for.",
        sql=unequal_sums(
            f"""
            select category, change_count
            from reports.deal_change_history_summary(
                {WHOLE}, group_by := 'none', close_from := {QUARTER}, close_to := {QUARTER_END}
            )
            """,
            """
            select category, 1 as change_count
            from reports.rpt_deal_change_history
            where changed_date >= getvariable('first_day') and changed_date < getvariable('end_day')
            """,
            by="category",
            measures="change_count",
        ),
    ),
]

WATERFALL = [
    Invariant(
        name="waterfall_balances_for_every_deal_in_amounts",
        report="rpt_deal_pipeline_waterfall_deals",
        words="14(a): begin + created + pulled + reopened + moved in + increased - decreased - pushed - "
        "lost - won - moved out - removed = end, to the cent, for every deal and so for every group.",
        sql=f"""
            select deal_id as id, {PERIOD},
                sum(case category when 'end' then -amount else amount end) as difference
            from reports.rpt_deal_pipeline_waterfall_deals
            group by deal_id, {PERIOD}
            having difference <> 0
        """,
    ),
    Invariant(
        name="waterfall_balances_for_every_deal_in_counts",
        report="rpt_deal_pipeline_waterfall_deals",
        words="14(b), (d): who is there at the beginning or comes in, is there at the end or goes out: "
        "each deal once, with at most one change of amount.",
        sql=f"""
            select deal_id as id, {PERIOD},
                count(*) filter (
                    where category in ('begin', 'created', 'pulled', 'reopened', 'moved_in')
                ) as come_count,
                count(*) filter (
                    where category in ('end', 'pushed', 'lost', 'won', 'moved_out', 'removed')
                ) as gone_count,
                count(*) filter (where category in ('increased', 'decreased')) as changed_count
            from reports.rpt_deal_pipeline_waterfall_deals
            group by deal_id, {PERIOD}
            having come_count <> 1 or gone_count <> 1 or changed_count > 1
        """,
    ),
    Invariant(
        name="waterfall_begins_with_the_pipeline_of_the_first_moment",
        report="rpt_deal_pipeline_waterfall",
        words="14(c): begin is what is open as of the period's first instant with a close day in it, so "
        "that the end of one window is the beginning of the next.",
        sql=unequal_sums(
            "select * from reports.rpt_deal_pipeline_waterfall where category = 'begin'",
            f"""
            select {PERIOD}, deals.owner_id, deals.pipeline_id, 1 as deal_count,
                states.company_amount as amount
            from core.fct_deal_states as states
            inner join core.fct_deals as deals using (deal_id)
            inner join ({WATERFALL_PERIODS}) as periods
                on states.close_date >= period_start and states.close_date < period_end
            where states.deal_status = 'open' and {AS_OF.format(at="begin_at")}
            """,
            by=f"{PERIOD}, {OWNED}",
            measures="deal_count, amount",
        ),
    ),
    Invariant(
        name="waterfall_ends_with_the_pipeline_of_today",
        report="rpt_deal_pipeline_waterfall",
        words="14, 14b: a finished period ends with nothing; a running one with what is open as of run_ts "
        "and due in it from today on.",
        sql=unequal_sums(
            "select * from reports.rpt_deal_pipeline_waterfall where category = 'end'",
            f"""
            select {PERIOD}, deals.owner_id, deals.pipeline_id, 1 as deal_count,
                states.company_amount as amount
            from core.fct_deal_states as states
            inner join core.fct_deals as deals using (deal_id)
            inner join ({WATERFALL_PERIODS}) as periods
                on states.close_date >= period_start and states.close_date < period_end
            where states.deal_status = 'open'
                and states.valid_to is null
                and states.close_date >= {RUN}
                and end_at > known_until
            """,
            by=f"{PERIOD}, {OWNED}",
            measures="deal_count, amount",
        ),
    ),
    Invariant(
        name="waterfall_has_one_sum_per_cell_of_its_deals",
        report="rpt_deal_pipeline_waterfall",
        words="14: every line is the sum of its deals.",
        sql=unequal_sums(
            "select * from reports.rpt_deal_pipeline_waterfall",
            "select * from reports.rpt_deal_pipeline_waterfall_deals",
            by=f"{PERIOD}, category, {OWNED}",
            measures="deal_count, amount",
        ),
    ),
    Invariant(
        name="waterfall_wins_and_losses_are_the_closings_of_the_period",
        report="rpt_deal_pipeline_waterfall",
        words="14(e): won = the amounts of deals that are won at the end by a stage change in the "
        "period, and were not won at its beginning; lost likewise.",
        sql=unequal_sums(
            f"""
            select *, -amount as closed_amount
            from reports.rpt_deal_pipeline_waterfall where category in ('won', 'lost')
            """,
            f"""
            select {PERIOD}, closings.deal_status as category, deals.owner_id, deals.pipeline_id,
                1 as deal_count, states.company_amount as closed_amount
            from core.fct_deal_closings as closings
            inner join ({WATERFALL_PERIODS}) as periods
                on closed_date >= period_start and closed_date < period_end
                and (ended_at is null or ended_at >= known_until)
            inner join core.fct_deals as deals using (deal_id)
            inner join core.fct_deal_states as states
                on closings.deal_id = states.deal_id and {AS_OF.format(at="known_until")}
            where not exists (
                select 1 from core.fct_deal_closings as earlier
                where earlier.deal_id = closings.deal_id
                    and earlier.deal_status = closings.deal_status
                    and earlier.closed_at < begin_at
                    and (earlier.ended_at is null or earlier.ended_at >= begin_at)
            )
            """,
            by=f"{PERIOD}, category, {OWNED}",
            measures="deal_count, closed_amount",
        ),
    ),
    Invariant(
        name="waterfall_signs_are_those_of_the_balance",
        report="rpt_deal_pipeline_waterfall_deals",
        words="14(f), 14c: of deals whose amount was never negative, what is there or comes in is not "
        "negative, and what goes out carries minus.",
        sql=f"""
            select deal_id as id, {PERIOD}, category, amount
            from reports.rpt_deal_pipeline_waterfall_deals
            where case
                    when category in ('begin', 'created', 'pulled', 'reopened', 'moved_in', 'increased', 'end')
                        then amount < 0
                    else amount > 0
                end
                and deal_id not in (select deal_id from core.fct_deal_states where company_amount < 0)
        """,
    ),
    Invariant(
        name="waterfall_of_a_close_period_that_is_over_is_empty",
        report="rpt_deal_pipeline_waterfall",
        words="14(g): a close-date period entirely before the change period has no pipeline in it.",
        sql=f"""
            select category as id, deal_count, amount
            from reports.deal_pipeline_waterfall(
                {QUARTER}, {QUARTER_END}, group_by := 'none',
                close_from := getvariable('first_day'), close_to := {QUARTER}
            )
            where deal_count <> 0
        """,
    ),
    Invariant(
        name="waterfall_of_the_quarter_is_the_same_by_any_group",
        report="rpt_deal_pipeline_waterfall",
        words="14(h), U1: by owner, by team and in all the function gives the mart's lines of the quarter.",
        sql=unequal_sums(
            " union all ".join(
                f"""
                select '{way}' as way, category, deal_count, amount
                from reports.deal_pipeline_waterfall({QUARTER}, {QUARTER_END}, group_by := '{way}')
                """
                for way in ("none", "owner", "team")
            ),
            f"""
            select way, mart.*
            from reports.rpt_deal_pipeline_waterfall as mart
            cross join (select unnest(['none', 'owner', 'team']) as way) as ways
            where period_grain = 'quarter' and period_start = {QUARTER}
            """,
            by="way, category",
            measures="deal_count, amount",
        ),
    ),
    Invariant(
        name="waterfall_tiles_at_the_beginning_of_the_quarter",
        report="rpt_deal_pipeline_waterfall",
        words="14(c): up to the quarter and from it on, for one close-date period: the end of "
        "the first window is the beginning of the second, by owner.",
        sql=unequal_sums(
            f"""
            select group_id, deal_count, amount
            from reports.deal_pipeline_waterfall(
                {QUARTER} - 90, {QUARTER}, close_from := {QUARTER} - 90, close_to := {QUARTER_END} + 90
            )
            where category = 'end'
            """,
            f"""
            select group_id, deal_count, amount
            from reports.deal_pipeline_waterfall(
                {QUARTER}, {QUARTER_END}, close_from := {QUARTER} - 90, close_to := {QUARTER_END} + 90
            )
            where category = 'begin'
            """,
            by="group_id",
            measures="deal_count, amount",
        ),
    ),
    Invariant(
        name="waterfall_leaves_out_created_deals_only_where_they_were_never_due",
        report="rpt_deal_pipeline_waterfall_deals",
        words="14, 14g: of the deals created in a period exactly those have no created line that, within "
        "it, were neither due nor closed in it (the memo).",
        sql=f"""
            with created as (
                select {PERIOD}, periods.period_end, periods.known_until, deals.deal_id
                from core.fct_deals as deals
                inner join ({WATERFALL_PERIODS}) as periods
                    on created_date >= period_start and created_date < period_end
            ),
            touched as (
                select {PERIOD}, created.deal_id
                from created
                inner join core.fct_deal_states as states using (deal_id)
                inner join core.dim_dates as dates on states.close_date = dates.date_day
                where states.deal_status = 'open'
                    and states.close_date >= period_start
                    and states.close_date < period_end
                    and states.valid_from < known_until
                    and states.valid_from < dates.ends_at
                union
                select {PERIOD}, created.deal_id
                from created
                inner join core.fct_deal_closings as closings using (deal_id)
                where closed_date < period_end
                    and closed_at < known_until
                    and (ended_at is null or ended_at >= known_until)
            ),
            shown as (
                select {PERIOD}, deal_id
                from reports.rpt_deal_pipeline_waterfall_deals where category = 'created'
            )
            select deal_id as id, {PERIOD}, 'missing' as what
            from (select * from touched except select * from shown) as missing
            union all
            select deal_id, {PERIOD}, 'not created or never due'
            from (select * from shown except select * from touched) as too_many
        """,
    ),
]

PUSH_RATE = [
    Invariant(
        name="push_rate_takes_in_every_deal_that_was_ever_due",
        report="rpt_deal_push_rate",
        words="15: whoever had a close day in the period is eligible; what history shows at one timestamp "
        "only for a moment counts as well, but deals that never had one do not.",
        sql=f"""
            with due as (
                select distinct {PERIOD}, deal_id
                from core.fct_deal_states
                inner join core.dim_periods on close_date >= period_start and close_date < period_end
            ),
            written as (
                select {PERIOD}, object_id as deal_id
                from raw_hubspot.deal_property_history
                inner join core.dim_periods
                    on {day("instant_value")} >= period_start and {day("instant_value")} < period_end
                where name = 'closedate'
                union
                select * from due
            )
            select deal_id as id, {PERIOD}, 'missing' as what
            from (select * from due except select {PERIOD}, deal_id from core.fct_deal_pushes) as missing
            union all
            select deal_id, {PERIOD}, 'never due'
            from (
                select {PERIOD}, deal_id from core.fct_deal_pushes
                except
                select * from written
            ) as too_many
        """,
    ),
    Invariant(
        name="pushes_are_the_close_date_changes_that_leave_the_period",
        report="rpt_deal_push_rate",
        words="15, 12: pushes of all periods = the changes of report 12 that move a close date out of its "
        "month, quarter or year to a later one, or clear it, by owner.",
        sql=unequal_sums(
            "select * from reports.rpt_deal_push_rate",
            f"""
            select {PERIOD}, {OWNED}, 1 as push_count, delta_days as pushed_days
            from reports.rpt_deal_change_history
            inner join core.dim_periods
                on cast(old_value as date) >= period_start and cast(old_value as date) < period_end
            where property = 'closedate'
                and category <> 'lapsed'
                and (new_value is null or cast(new_value as date) >= period_end)
            """,
            by=f"{PERIOD}, {OWNED}",
            measures="push_count, pushed_days",
        ),
    ),
    Invariant(
        name="push_rate_of_the_quarter_is_the_same_by_any_group",
        report="rpt_deal_push_rate",
        words="15, U1: by stage, owner and team the function's rows add up to the mart of the quarter, "
        "and there is a rate exactly where a deal is eligible.",
        sql=unequal_sums(
            " union all ".join(
                f"""
                select '{way}' as way, eligible_count, pushed_count, returned_count, pulled_out_count,
                    push_count, pushed_days, pushed_amount,
                    case when (push_rate is null) <> (eligible_count = 0) then 1 end as wrong_rate_count
                from reports.deal_push_rate({QUARTER}, {QUARTER_END}, group_by := '{way}')
                """
                for way in ("none", "stage", "owner", "team")
            ),
            f"""
            select way, mart.*, 0 as wrong_rate_count
            from reports.rpt_deal_push_rate as mart
            cross join (select unnest(['none', 'stage', 'owner', 'team']) as way) as ways
            where period_grain = 'quarter' and period_start = {QUARTER}
            """,
            by="way",
            measures="eligible_count, pushed_count, returned_count, pulled_out_count, push_count, "
            "pushed_days, pushed_amount, wrong_rate_count",
        ),
    ),
]

SNAPSHOTS = [
    Invariant(
        name="snapshots_hold_every_deal_that_existed",
        report="rpt_historical_snapshots",
        words="17(b), K7: on every reconstructed date open + won + lost + unknown = the deals created by "
        "then, by present owner.",
        sql=unequal_sums(
            """
            select snapshot_date, owner_id, deal_count + unknown_count as deal_count
            from reports.rpt_historical_snapshots where not is_stored
            """,
            """
            with created as (
                select owner_id, created_date, count(*) as deal_count
                from core.fct_deals where created_date is not null
                group by owner_id, created_date
            )
            select snapshot_date, owner_id, deal_count
            from created
            inner join core.dim_snapshot_dates on created_date <= snapshot_date
            where not is_stored
            """,
            by="snapshot_date, owner_id",
            measures="deal_count",
        ),
    ),
    Invariant(
        name="snapshots_change_by_what_is_created_closed_and_reopened",
        report="rpt_historical_snapshots",
        words="17(c), K7: open deals on a reconstructed date = created - closed + reopened by then, by "
        "present owner, for owners none of whose deals have lost history.",
        sql=f"""
            with lost_owners as (
                select distinct deals.owner_id
                from core.fct_deal_states as states
                inner join core.fct_deals as deals using (deal_id)
                where {HISTORY_IS_LOST}
            ),
            moves as (
                select deal_id, created_date as move_date, 1 as deal_count
                from core.fct_deals where created_date is not null
                union all
                select deal_id, closed_date, -1 from core.fct_deal_closings
                union all
                select deal_id, {day("ended_at")}, 1 from core.fct_deal_closings where ended_at is not null
            ),
            daily as (
                select owner_id, move_date, sum(moves.deal_count) as deal_count
                from moves
                inner join core.fct_deals using (deal_id)
                group by owner_id, move_date
            )
            select * from ({
            unequal_sums(
                '''
                select snapshot_date, owner_id, deal_count
                from reports.rpt_historical_snapshots
                where not is_stored and deal_status = 'open'
                ''',
                '''
                select snapshot_date, owner_id, deal_count
                from daily
                inner join core.dim_snapshot_dates on move_date <= snapshot_date
                where not is_stored
                ''',
                by="snapshot_date, owner_id",
                measures="deal_count",
            )
        }) as differences
            where owner_id not in (select owner_id from lost_owners)
        """,
    ),
    Invariant(
        name="snapshots_are_the_same_in_sum_however_they_are_broken_down",
        report="rpt_historical_snapshots",
        words="17(a): stages, amount bands and forecast categories add up to the same deals and amounts "
        "on every date, and to the mart's.",
        sql=unequal_sums(
            " union all ".join(
                f"""
                select '{way}' as way, snapshot_date, deal_count, total_amount, weighted_amount, unknown_count
                from reports.historical_snapshots(
                    {QUARTER}, {QUARTER_END}, every := 'day', group_by := 'none', break_down_by := '{way}'
                )
                where snapshot_date in (select snapshot_date from core.dim_snapshot_dates)
                """
                for way in ("stage", "amount_band", "forecast_category")
            ),
            f"""
            select way, mart.*
            from reports.rpt_historical_snapshots as mart
            cross join (select unnest(['stage', 'amount_band', 'forecast_category']) as way) as ways
            where snapshot_date >= {QUARTER} and snapshot_date < {QUARTER_END}
            """,
            by="way, snapshot_date",
            measures="deal_count, total_amount, weighted_amount, unknown_count",
        ),
    ),
    Invariant(
        name="last_snapshot_is_the_live_count",
        report="rpt_historical_snapshots",
        words="17(e): today's point = the deals as they are now, by status and owner; they differ where "
        "the last version of a property is not its present value.",
        blocking=False,
        sql=unequal_sums(
            f"""
            select owner_id, deal_status, deal_count, total_amount
            from reports.rpt_historical_snapshots
            where snapshot_date = {RUN} and unknown_count = 0
            """,
            f"""
            select deals.owner_id, deals.deal_status, 1 as deal_count, deals.company_amount as total_amount
            from core.fct_deals as deals
            inner join core.fct_deal_states as states using (deal_id)
            where states.valid_to is null and not {HISTORY_IS_LOST}
            """,
            by="owner_id, deal_status",
            measures="deal_count, total_amount",
        ),
    ),
    Invariant(
        name="stored_snapshots_never_change",
        report="rpt_historical_snapshots",
        words="17(f), K7: a kept day shows what was kept, and is never reconstructed.",
        sql=unequal_sums(
            """
            select *, case when is_stored then 0 else 1 end as reconstructed_count
            from reports.rpt_historical_snapshots
            where snapshot_date in (select snapshot_date from raw_hubspot._stored_snapshots)
            """,
            """
            select *, 0 as reconstructed_count
            from raw_hubspot._stored_snapshots
            where snapshot_date in (select snapshot_date from core.dim_snapshot_dates)
            """,
            by="snapshot_date, owner_id, pipeline_id, stage_id, forecast_category, amount_band, deal_status",
            measures="deal_count, total_amount, weighted_amount, unknown_count, reconstructed_count",
        ),
    ),
    Invariant(
        name="stored_snapshots_hold_the_deals_that_history_knows",
        report="rpt_historical_snapshots",
        words="K7: kept days against reconstruction: deals per day; they differ for deals deleted, merged "
        "or dated back since. Reported, not enforced.",
        blocking=False,
        sql=unequal_sums(
            """
            select snapshot_date, deal_count + unknown_count as deal_count
            from reports.rpt_historical_snapshots where is_stored
            """,
            """
            select snapshot_date, deal_count
            from (
                select created_date, count(*) as deal_count
                from core.fct_deals where created_date is not null group by created_date
            ) as created
            inner join core.dim_snapshot_dates on created_date <= snapshot_date
            where is_stored
            """,
            by="snapshot_date",
            measures="deal_count",
        ),
    ),
]

# Deals that got several values of a property in the instant of their creation: changes start from the
# first of them (12j), states know only the last (H7).
TIED_AT_CREATION = """
    select object_id
    from raw_hubspot.deal_property_history
    inner join proof_deals on object_id = deal_id and "timestamp" = created_at
    where name = '{property}'
    group by object_id
    having count(*) > 1
"""

INVARIANTS = [*CHANGE_HISTORY, *WATERFALL, *PUSH_RATE, *SNAPSHOTS]
