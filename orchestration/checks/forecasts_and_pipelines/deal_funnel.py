"""Laws of the deal funnel (13)."""

from __future__ import annotations

from orchestration.checks import Invariant

INVARIANTS = [
    Invariant(
        name="deals_take_each_step_of_the_funnel_once",
        report="fct_deal_funnel_steps",
        by="deal",
        words="13: one row per deal and step.",
        sql="""
            select concat_ws('/', deal_id, position) as id, count(*) as row_count
            from core.fct_deal_funnel_steps
            group by deal_id, position
            having count(*) > 1
        """,
    ),
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
        sql="""
            with rates as (
                select way, group_id, bucket_start, stage_position, next_step_rate, cumulative_rate,
                    lead(cumulative_rate) over (
                        partition by way, group_id, bucket_start order by stage_position
                    ) as next_cumulative_rate
                from proof_answers_deal_funnel
            )
            select concat_ws('/', way, group_id, bucket_start, stage_position) as id,
                next_step_rate, cumulative_rate, next_cumulative_rate
            from rates
            where next_step_rate not between 0 and 1
                or cumulative_rate not between 0 and 1
                or abs(cumulative_rate * next_step_rate - next_cumulative_rate) > 1e-9
        """,
    ),
]
