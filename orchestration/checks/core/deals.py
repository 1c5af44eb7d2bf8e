"""Laws of deals and of their states.

Belongs here: who is in, and that a deal's past is told without gap or overlap and agrees with the raw
versions. What became of a deal in its stages stands in `visits.py`.
"""

from __future__ import annotations

from orchestration.checks import Invariant
from orchestration.checks.second_road import unlike_last_versions

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
        sql=unlike_last_versions(
            """(
                select * from core.fct_deal_states
                where valid_to is null
                    and deal_id in (select deal_id from proof_deals where created_at is not null)
            )""",
            {
                "dealstage": "nullif(compared.stage_id, 'none')",
                "pipeline": "nullif(compared.pipeline_id, 'none')",
                "amount": "cast(compared.amount as varchar)",
                "closedate": "cast(compared.close_at as varchar)",
                "hubspot_owner_id": "nullif(compared.owner_id, 'none')",
                "hs_manual_forecast_category": "nullif(compared.forecast_category, '(No category)')",
            },
            "{value} is distinct from nullif({last_value}, '')",
        ),
    ),
]
