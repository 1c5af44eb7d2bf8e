"""Warnings where the CRM says a thing twice, and not the same (K8)."""

from __future__ import annotations

from orchestration.checks import Invariant
from orchestration.checks.second_road import unlike_last_versions

INVARIANTS = [
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
        sql=unlike_last_versions(
            "(select *, id as deal_id from raw_hubspot.deals)",
            {
                "dealstage": "compared.dealstage",
                "pipeline": "compared.pipeline",
                "amount": "cast(compared.amount as varchar)",
                "closedate": "cast(compared.closedate as varchar)",
                "hubspot_owner_id": "compared.hubspot_owner_id",
                "hs_manual_forecast_category": "compared.hs_manual_forecast_category",
            },
            "{last_value} <> coalesce(trim({value}), '')",
        ),
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
