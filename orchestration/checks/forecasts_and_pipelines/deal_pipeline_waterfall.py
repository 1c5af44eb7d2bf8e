"""Laws of the deal pipeline waterfall (14), its cells and its deals."""

from __future__ import annotations

from orchestration.checks import Invariant, equal_sums
from orchestration.checks.forecasts_and_pipelines.common import (
    AS_OF,
    OWNED,
    PERIOD,
    QUARTER,
    QUARTER_END,
    RUN,
    WATERFALL_DAYS,
)

INVARIANTS = [
    Invariant(
        name="waterfall_balances_for_every_deal_in_amounts",
        report="rpt_deal_pipeline_waterfall_deals",
        by="deal",
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
        by="deal",
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
        by="deal",
        words="14(c): begin is what is open as of the period's first instant with a close day in it, so "
        "that the end of one window is the beginning of the next.",
        **equal_sums(
            "select * from reports.rpt_deal_pipeline_waterfall where category = 'begin'",
            f"""
            select {PERIOD}, deals.owner_id, deals.pipeline_id, 1 as deal_count,
                states.company_amount as amount
            from core.fct_deal_states as states
            inner join core.fct_deals as deals using (deal_id)
            inner join ({WATERFALL_DAYS}) as periods
                on states.close_date = date_day
            where states.deal_status = 'open' and {AS_OF.format(at="begin_at")}
            """,
            by=f"{PERIOD}, {OWNED}",
            measures="deal_count, amount",
        ),
    ),
    Invariant(
        name="waterfall_ends_with_the_pipeline_of_today",
        report="rpt_deal_pipeline_waterfall",
        by="deal",
        words="14, 14b: a finished period ends with nothing; a running one with what is open as of run_ts "
        "and due in it from today on.",
        **equal_sums(
            "select * from reports.rpt_deal_pipeline_waterfall where category = 'end'",
            f"""
            select {PERIOD}, deals.owner_id, deals.pipeline_id, 1 as deal_count,
                states.company_amount as amount
            from core.fct_deal_states as states
            inner join core.fct_deals as deals using (deal_id)
            inner join ({WATERFALL_DAYS}) as periods
                on states.close_date = date_day
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
        **equal_sums(
            "select * from reports.rpt_deal_pipeline_waterfall",
            "select * from reports.rpt_deal_pipeline_waterfall_deals",
            by=f"{PERIOD}, category, {OWNED}",
            measures="deal_count, amount",
        ),
    ),
    Invariant(
        name="waterfall_wins_and_losses_are_the_closings_of_the_period",
        report="rpt_deal_pipeline_waterfall",
        by="deal",
        words="14(e): won = the amounts of deals that are won at the end by a stage change in the "
        "period, and were not won at its beginning; lost likewise.",
        **equal_sums(
            """
            select *, -amount as closed_amount
            from reports.rpt_deal_pipeline_waterfall where category in ('won', 'lost')
            """,
            f"""
            with days as materialized ({WATERFALL_DAYS}),
            -- By itself: DuckDB would join all states with all days first, where there are very many.
            closings as materialized (
                select *
                from core.fct_deal_closings
                inner join days
                    on closed_date = date_day
                    and (ended_at is null or ended_at >= known_until)
            )
            select {PERIOD}, closings.deal_status as category, deals.owner_id, deals.pipeline_id,
                1 as deal_count, states.company_amount as closed_amount
            from closings
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
        by="deal",
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
        **equal_sums(
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
        **equal_sums(
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
        by="deal",
        words="14, 14g: of the deals created in a period exactly those have no created line that, within "
        "it, were neither due nor closed in it (the memo).",
        sql=f"""
            with created as (
                select {PERIOD}, periods.period_end, periods.known_until, deals.deal_id
                from core.fct_deals as deals
                inner join ({WATERFALL_DAYS}) as periods
                    on created_date = date_day
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
