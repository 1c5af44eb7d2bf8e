"""Laws of deals created (4) and of time spent in deal stages (11)."""

from __future__ import annotations

from orchestration.checks import ANSWER, Invariant, equal_sums

INVARIANTS = [
    # --- 4 deals created ---
    Invariant(
        name="deals_created_are_the_open_won_and_lost_ones_together",
        report="rpt_deals_created",
        by="deal",
        words="4a: deals = open + won + lost raw deals created on the day (H2), with their present amount.",
        **equal_sums(
            "select * from reports.rpt_deals_created",
            """
            select created_date, owner_id, pipeline_id,
                count(*) filter (where deal_status = 'open')
                    + count(*) filter (where deal_status = 'won')
                    + count(*) filter (where deal_status = 'lost') as deal_count,
                count(amount) as deal_with_amount_count,
                sum(amount) as total_amount
            from proof_deals where created_date is not null
            group by created_date, owner_id, pipeline_id
            """,
            by="created_date, owner_id, pipeline_id",
            measures="deal_count, deal_with_amount_count, total_amount",
        ),
    ),
    Invariant(
        name="deals_created_average_times_deals_with_an_amount_is_the_amount",
        report="rpt_deals_created",
        words="4c: average × (deals − those without an amount) = amount, for every owner.",
        sql=f"""
            select {ANSWER} as id, average_amount, deal_with_amount_count, total_amount
            from proof_answers_deals_created
            where abs(average_amount * deal_with_amount_count - total_amount)
                    > 1e-9 * greatest(abs(total_amount), 1)
                or (average_amount is null) <> (deal_with_amount_count = 0)
        """,
    ),
    # --- 11 time spent in deal stage ---
    Invariant(
        name="time_in_deal_stage_is_that_of_the_visits_of_its_deals",
        report="rpt_time_in_deal_stage",
        by="deal",
        words="11: the row of a stage holds the visits to it, closed stages left out, of the raw deals "
        "that close on the day and are in its pipeline now.",
        **equal_sums(
            "select * from reports.rpt_time_in_deal_stage",
            """
            select close_date, deal_status, visits.stage_id, owner_id, proof_deals.pipeline_id,
                count(distinct proof_deals.deal_id) as deal_count,
                count(*) as visit_count,
                sum(duration_ms) as total_time_ms
            from core.fct_deal_stage_visits as visits
            inner join proof_deals
                on visits.deal_id = proof_deals.deal_id
                and visits.pipeline_id = proof_deals.pipeline_id
            where close_date is not null
                and created_at is not null
                and (visits.pipeline_id, visits.stage_id) not in (
                    select pipeline_id, stage_id from proof_stages
                    where stage_class in ('won', 'lost')
                )
            group by all
            """,
            by="close_date, deal_status, stage_id, owner_id, pipeline_id",
            measures="deal_count, visit_count, total_time_ms",
        ),
    ),
    Invariant(
        name="time_in_deal_stage_latest_visit_is_no_longer_than_all_of_them",
        report="rpt_time_in_deal_stage",
        words="11b, 11c: latest <= cumulative time; deals <= visits; deals still in the stage <= deals.",
        sql="""
            select concat_ws('/', close_date, stage_id, owner_id, pipeline_id) as id,
                latest_time_ms, total_time_ms, deal_count, visit_count, still_in_stage_count
            from reports.rpt_time_in_deal_stage
            where latest_time_ms > total_time_ms
                or deal_count > visit_count
                or still_in_stage_count > deal_count
                or least(latest_time_ms, deal_count, still_in_stage_count) < 0
        """,
    ),
    Invariant(
        name="time_in_deal_stage_visits_no_more_deals_than_are_in_scope",
        report="rpt_time_in_deal_stage",
        by="deal",
        words="11c: no stage was visited by more deals than close on the day with that owner, "
        "pipeline and status.",
        sql="""
            with scope as (
                select close_date, deal_status, owner_id, pipeline_id, count(*) as scope_count
                from proof_deals
                group by close_date, deal_status, owner_id, pipeline_id
            )
            select concat_ws('/', close_date, stage_id, owner_id, pipeline_id) as id,
                deal_count, scope_count
            from reports.rpt_time_in_deal_stage
            left join scope using (close_date, deal_status, owner_id, pipeline_id)
            where deal_count > coalesce(scope_count, 0)
        """,
    ),
    Invariant(
        name="time_in_deal_stage_average_times_deals_is_the_total",
        report="rpt_time_in_deal_stage",
        words="11d: average × deals that visited = total time, for every owner and stage.",
        sql=f"""
            select concat_ws('/', {ANSWER}, pipeline_id, stage_id) as id,
                average_time_ms, deal_count, total_time_ms
            from proof_answers_time_in_deal_stage
            where abs(average_time_ms * deal_count - total_time_ms)
                    > 1e-9 * greatest(total_time_ms, 1)
                or (average_time_ms is null) <> (deal_count = 0)
        """,
    ),
    Invariant(
        name="time_in_deal_stage_split_by_owner_adds_up_to_the_whole",
        report="rpt_time_in_deal_stage",
        by="deal",
        words="11e: with owner_basis = as_of, the parts of a visit add up to its time.",
        **equal_sums(
            "select * from core.fct_deal_stage_visit_owners",
            "select * from core.fct_deal_stage_visits",
            by="deal_id, visit_number",
            measures="duration_ms",
        ),
    ),
]
