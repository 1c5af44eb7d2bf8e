"""Laws of the reports on forecasts and pipelines (12 to 19).

Belongs here: what `reports.md` states under "Invariants" of these reports, each under the report's
name. Laws between reports stand in `across_reports.py`, laws of every mart in `universal.py`.
"""

from __future__ import annotations

from orchestration.checks import Invariant, unequal_sums
from orchestration.checks.second_road import available, day

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

# Whether amounts were never negative: what orders amounts holds only then.
NO_NEGATIVE_AMOUNT = """
    not exists (select 1 from core.fct_deal_states where company_amount < 0)
    and not exists (select 1 from proof_deals where amount < 0)
"""
GOALS_OF_SOME_PIPELINES = """
    select coalesce(nullif(hs_group_correlation_uuid, ''), id)
    from raw_hubspot.goal_targets where hs_pipeline_ids <> ''
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
            """
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
                    when category in ('decreased', 'pushed', 'lost', 'won', 'moved_out', 'removed')
                        then amount > 0
                    else amount < 0
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
            with days as (
                select date_day, {PERIOD}
                from core.dim_dates
                inner join core.dim_periods
                    on period_start = case period_grain
                        when 'month' then month_start
                        when 'quarter' then fiscal_quarter_start
                        else fiscal_year_start
                    end
            ),
            due as (
                select distinct {PERIOD}, deal_id
                from core.fct_deal_states
                inner join days on close_date = date_day
            ),
            written as (
                select {PERIOD}, object_id as deal_id
                from raw_hubspot.deal_property_history
                inner join days on {day("instant_value")} = date_day
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

# Days that this build computed; also those that it is about to store, which the mart shows as stored.
COMPUTED_DAY = "snapshot_date in (select snapshot_date from core.dim_snapshot_dates where not is_stored)"

SNAPSHOTS = [
    Invariant(
        name="snapshots_hold_every_deal_that_existed",
        report="rpt_historical_snapshots",
        words="17(b), K7: on every reconstructed date open + won + lost + unknown = the deals created by "
        "then, by present owner.",
        sql=unequal_sums(
            f"""
            select snapshot_date, owner_id, deal_count + unknown_count as deal_count
            from reports.rpt_historical_snapshots where {COMPUTED_DAY}
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
                f'''
                select snapshot_date, owner_id, deal_count
                from reports.rpt_historical_snapshots
                where {COMPUTED_DAY} and deal_status = 'open'
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
            f"""
            select snapshot_date, deal_count + unknown_count as deal_count
            from reports.rpt_historical_snapshots where not {COMPUTED_DAY}
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

FUNNEL = [
    Invariant(
        name="funnel_steps_are_reached_by_entering_or_skipping",
        report="rpt_deal_funnel",
        words="13a, 13f: reached = entered + skipped; strict <= entered <= reached; skipped at creation "
        "<= skipped.",
        sql="""
            select concat_ws('/', created_date, stage_id, owner_id, pipeline_id) as id,
                reached_count, entered_count, skipped_count, strict_count
            from reports.rpt_deal_funnel
            where reached_count <> entered_count + skipped_count
                or strict_count > entered_count
                or skipped_at_creation_count > skipped_count
        """,
    ),
    Invariant(
        name="funnel_deals_that_go_no_further_are_lost_or_open_there",
        report="rpt_deal_funnel",
        words="13b, 13c: next reached is what the next step says; reached never grows, and by as much as "
        "it shrinks deals are lost or open at the step.",
        sql="""
            select concat_ws('/', step.created_date, step.owner_id, step.pipeline_id, step.stage_id) as id,
                step.reached_count, step.next_reached_count, later.reached_count as reached_later,
                step.lost_here_count, step.open_here_count
            from reports.rpt_deal_funnel as step
            left join reports.rpt_deal_funnel as later
                on step.created_date = later.created_date
                and step.owner_id = later.owner_id
                and step.pipeline_id = later.pipeline_id
                and step.stage_position + 1 = later.stage_position
            where step.next_reached_count <> coalesce(later.reached_count, 0)
                or (
                    step.stage_id <> 'won'
                    and step.reached_count - step.next_reached_count
                        <> step.lost_here_count + step.open_here_count
                )
                or step.reached_count < step.next_reached_count
        """,
    ),
    Invariant(
        name="funnel_deals_are_won_or_lost_or_open_somewhere",
        report="rpt_deal_funnel",
        words="13d: of the deals of a day, those that reached the first step are those that are won, "
        "lost here or open here, over all steps.",
        sql="""
            select concat_ws('/', created_date, owner_id, pipeline_id) as id,
                sum(reached_count) filter (where stage_position = 1) as reached_first,
                sum(reached_count) filter (where stage_id = 'won') as won,
                sum(lost_here_count + open_here_count) as left_count
            from reports.rpt_deal_funnel
            group by created_date, owner_id, pipeline_id
            having coalesce(reached_first, 0) <> coalesce(won, 0) + left_count
        """,
    ),
    Invariant(
        name="funnel_rates_lie_between_0_and_1_and_multiply",
        report="rpt_deal_funnel",
        words="13e, 13g: rates lie within [0, 1]; a step's cumulative rate is the product of the "
        "next-step rates before it.",
        sql=f"""
            with rates as (
                select group_id, stage_position, next_step_rate, cumulative_rate,
                    lead(cumulative_rate) over (
                        partition by group_id order by stage_position
                    ) as next_cumulative_rate
                from reports.deal_funnel({WHOLE}, pipelines := [getvariable('one_pipeline')])
            )
            select concat_ws('/', group_id, stage_position) as id,
                next_step_rate, cumulative_rate, next_cumulative_rate
            from rates
            where next_step_rate not between 0 and 1
                or cumulative_rate not between 0 and 1
                or abs(cumulative_rate * next_step_rate - next_cumulative_rate) > 1e-9
        """,
    ),
]

FORECAST_CATEGORY = [
    Invariant(
        name="forecast_categories_are_the_deals_that_close_in_the_range",
        report="rpt_forecast_category",
        words="16: the categories of a day add up to the raw deals that close on it and their amounts.",
        sql=unequal_sums(
            "select * from reports.rpt_forecast_category",
            f"""
            select close_date, {OWNED}, deal_status, count(*) as deal_count, sum(amount) as total_amount
            from proof_deals
            where close_date is not null and {available("rpt_forecast_category")}
            group by close_date, {OWNED}, deal_status
            """,
            by=f"close_date, {OWNED}, deal_status",
            measures="deal_count, total_amount",
        ),
    ),
    Invariant(
        name="forecast_weighs_won_deals_in_full_and_lost_ones_not_at_all",
        report="rpt_forecast_category",
        words="16: lost deals weigh 0, won ones their amount, and none more than its amount where no "
        "amount is negative.",
        sql=f"""
            select concat_ws('/', close_date, {OWNED}, deal_status, forecast_category) as id,
                weighted_amount, total_amount
            from reports.rpt_forecast_category
            where (deal_status = 'lost' and weighted_amount <> 0)
                or (deal_status = 'won' and weighted_amount <> total_amount)
                or ({NO_NEGATIVE_AMOUNT} and weighted_amount not between 0 and total_amount)
        """,
    ),
    Invariant(
        name="forecast_closed_is_won_unless_deals_are_in_conflict",
        report="rpt_forecast_category",
        words="16a: where no deal of a cell conflicts with its stage, the amount under CLOSED is the won "
        "amount.",
        sql=f"""
            select concat_ws('/', close_date, {OWNED}) as id,
                sum(total_amount) filter (where forecast_category = 'CLOSED') as closed_amount,
                sum(total_amount) filter (where deal_status = 'won') as won_amount
            from reports.rpt_forecast_category
            group by close_date, {OWNED}
            having sum(conflict_count) = 0
                and coalesce(closed_amount, 0) <> coalesce(won_amount, 0)
        """,
    ),
]

QUOTA = [
    Invariant(
        name="quota_running_totals_are_the_sums_of_the_slices",
        report="rpt_quota_attainment",
        words="18a: cumulative target and actual of a slice are the sums over the assignee's slices of "
        "the goal that have begun by then.",
        sql="""
            with sums as (
                select *,
                    sum(target_amount) over slices_so_far as target_so_far,
                    sum(actual_amount) over slices_so_far as actual_so_far
                from reports.rpt_quota_attainment
                window slices_so_far as (
                    partition by goal_id, assignee_kind, owner_id, team_id order by period_start
                )
            )
            select concat_ws('/', goal_id, period_start, owner_id, team_id) as id,
                cumulative_target_amount, target_so_far, cumulative_actual_amount, actual_so_far
            from sums
            where cumulative_target_amount <> target_so_far
                or cumulative_actual_amount <> actual_so_far
        """,
    ),
    Invariant(
        name="quota_running_totals_never_fall",
        report="rpt_quota_attainment",
        words="18d: cumulative targets and actuals do not fall where no target and no amount is "
        "negative; the elapsed share of a slice lies within [0, 1].",
        sql=f"""
            with slices as (
                select *,
                    lag(cumulative_target_amount) over slices_in_order as target_before,
                    lag(cumulative_actual_amount) over slices_in_order as actual_before,
                    min(target_amount) over () as smallest_target
                from reports.rpt_quota_attainment
                window slices_in_order as (
                    partition by goal_id, assignee_kind, owner_id, team_id order by period_start
                )
            )
            select concat_ws('/', goal_id, period_start, owner_id, team_id) as id,
                cumulative_target_amount, target_before, cumulative_actual_amount, actual_before,
                elapsed_share
            from slices
            where elapsed_share not between 0 and 1
                or (smallest_target >= 0 and cumulative_target_amount < target_before)
                or ({NO_NEGATIVE_AMOUNT} and cumulative_actual_amount < actual_before)
        """,
    ),
    Invariant(
        name="quota_actuals_are_what_the_owner_won_in_the_slice",
        report="rpt_quota_attainment",
        words="18: the actual of an owner's slice, of a goal for all pipelines, is the amount of the raw "
        "deals that the owner won with a close date on its days.",
        sql=f"""
            with slices as (
                select *
                from reports.rpt_quota_attainment
                where assignee_kind = 'owner' and goal_id not in ({GOALS_OF_SOME_PIPELINES})
            ),
            won as (
                select goal_id, period_start, period_end, slices.owner_id,
                    count(deal_id) as deal_count, coalesce(sum(amount), 0) as won_amount
                from slices
                left join proof_deals
                    on slices.owner_id = proof_deals.owner_id
                    and deal_status = 'won'
                    and close_date >= period_start
                    and close_date < period_end
                group by all
            )
            select concat_ws('/', goal_id, period_start, owner_id) as id,
                actual_amount, won_amount, won_count, deal_count
            from slices
            inner join won using (goal_id, period_start, period_end, owner_id)
            where actual_amount <> won_amount or won_count <> deal_count
        """,
    ),
    Invariant(
        name="quota_attainment_times_target_is_the_actual",
        report="rpt_quota_attainment",
        words="18c, 18f: attainment × target = actual, missing exactly without a target; over whole "
        "slices prorated targets are the full ones.",
        sql=f"""
            select whole.group_id as id, whole.attainment_rate, whole.target_amount, whole.actual_amount,
                prorated.target_amount as prorated_amount
            from reports.quota_attainment({WHOLE}, goal := getvariable('one_goal')) as whole
            full join reports.quota_attainment(
                {WHOLE}, goal := getvariable('one_goal'), target_mode := 'prorated'
            ) as prorated on whole.group_id = prorated.group_id
            where (whole.attainment_rate is null) <> (coalesce(whole.target_amount, 0) = 0)
                or abs(whole.attainment_rate * whole.target_amount - whole.actual_amount)
                    > 1e-9 * greatest(abs(whole.actual_amount), 1)
                or whole.target_amount is distinct from prorated.target_amount
        """,
    ),
]

WEIGHTED_FORECAST = [
    Invariant(
        name="weighted_forecast_is_of_the_deals_that_close_in_the_range",
        report="rpt_weighted_pipeline_forecast",
        words="19: the stages of a day add up to the raw deals that close on it; won deals weigh in "
        "full, lost ones not at all.",
        sql=unequal_sums(
            """
            select *, case when deal_status <> 'open' then weighted_amount end as closed_weight
            from reports.rpt_weighted_pipeline_forecast
            """,
            f"""
            select close_date, {OWNED}, deal_status, count(*) as deal_count, sum(amount) as total_amount,
                sum(case when deal_status = 'won' then amount end) as closed_weight
            from proof_deals where close_date is not null
            group by close_date, {OWNED}, deal_status
            """,
            by=f"close_date, {OWNED}, deal_status",
            measures="deal_count, total_amount, closed_weight",
        ),
    ),
    Invariant(
        name="weighted_forecast_is_open_plus_won",
        report="rpt_weighted_pipeline_forecast",
        words="19: weighted = weighted open + won, and lies between 0 and the amount where no amount is "
        "negative.",
        sql=f"""
            select group_id as id, weighted_amount, weighted_open_amount, won_amount, total_amount
            from reports.weighted_pipeline_forecast({WHOLE})
            where weighted_amount <> weighted_open_amount + won_amount
                or ({NO_NEGATIVE_AMOUNT} and weighted_amount not between 0 and total_amount)
        """,
    ),
]

INVARIANTS = [
    *CHANGE_HISTORY,
    *FUNNEL,
    *WATERFALL,
    *PUSH_RATE,
    *FORECAST_CATEGORY,
    *SNAPSHOTS,
    *QUOTA,
    *WEIGHTED_FORECAST,
]
