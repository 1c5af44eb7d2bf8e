"""Laws of historical snapshots (17): reconstructed days and kept ones."""

from __future__ import annotations

from orchestration.checks import Invariant, equal_sums, unequal_sums
from orchestration.checks.forecasts_and_pipelines.common import (
    HISTORY_IS_LOST,
    QUARTER,
    QUARTER_END,
    RUN,
)
from orchestration.checks.second_road import day

# Days that this build computed; also those that it is about to store, which the mart shows as stored.
COMPUTED_DAY = "snapshot_date in (select snapshot_date from core.dim_snapshot_dates where not is_stored)"
# These days added up: the mart is a view that spells out many rows, and several laws ask for sums of them.
RELATIONS = {
    "proof_snapshot_sums": f"""
        select snapshot_date, owner_id, deal_status,
            sum(deal_count) as deal_count, sum(total_amount) as total_amount,
            sum(weighted_amount) as weighted_amount, sum(unknown_count) as unknown_count
        from reports.rpt_historical_snapshots where {COMPUTED_DAY}
        group by snapshot_date, owner_id, deal_status
    """,
}


def on_each_day(moves: str) -> str:
    """SQL of what has come and gone by each reconstructed day, by owner: snapshot_date, owner_id, deal_count.

    `moves` is a select with owner_id, move_date and deal_count. They are added up per first day that shows
    them before they meet all days, which are many for each move.
    """
    return f"""
        with moves as ({moves}),
        days as (select snapshot_date from core.dim_snapshot_dates where not is_stored),
        first_days as (
            select move_date, min(snapshot_date) as first_day
            from (select distinct move_date from moves) as move_dates
            inner join days on move_date <= snapshot_date
            group by move_date
        ),
        moved as (
            select owner_id, first_day, sum(deal_count) as deal_count
            from moves
            inner join first_days using (move_date)
            group by owner_id, first_day
        )
        select snapshot_date, owner_id, deal_count
        from moved
        inner join days on first_day <= snapshot_date
    """


INVARIANTS = [
    Invariant(
        name="snapshots_hold_every_deal_that_existed",
        report="rpt_historical_snapshots",
        by="day",
        words="17(b), K7: on every reconstructed date open + won + lost + unknown = the deals created by "
        "then, by present owner.",
        **equal_sums(
            """
            select snapshot_date, owner_id, deal_count + unknown_count as deal_count
            from proof_snapshot_sums
            """,
            on_each_day("""
                select owner_id, created_date as move_date, count(*) as deal_count
                from core.fct_deals where created_date is not null
                group by owner_id, created_date
            """),
            by="snapshot_date, owner_id",
            measures="deal_count",
        ),
    ),
    Invariant(
        name="snapshots_change_by_what_is_created_closed_and_reopened",
        report="rpt_historical_snapshots",
        by="day",
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
                from proof_snapshot_sums where deal_status = 'open'
                ''',
                on_each_day("from daily"),
                by="snapshot_date, owner_id",
                measures="deal_count",
            )
        }) as differences
            where owner_id not in (select owner_id from lost_owners)
        """,
    ),
    Invariant(
        name="snapshots_are_worth_what_their_deals_were_in_all",
        report="rpt_historical_snapshots",
        by="day",
        words="17, K7: on every reconstructed date deals, amounts and weighted amounts are those of the "
        "states that begin by then and last beyond; deals with lost history count apart.",
        **equal_sums(
            "select * from proof_snapshot_sums",
            f"""
            with states as (
                select *, {HISTORY_IS_LOST} as is_lost from core.fct_deal_states
            ),
            moves as (
                select valid_from_date as move_date,
                    count(*) filter (where not is_lost) as deal_count,
                    sum(company_amount) filter (where not is_lost) as total_amount,
                    sum(weighted_amount) filter (where not is_lost) as weighted_amount,
                    count(*) filter (where is_lost) as unknown_count
                from states
                group by valid_from_date
                union all
                select valid_to_date,
                    -count(*) filter (where not is_lost),
                    -sum(company_amount) filter (where not is_lost),
                    -sum(weighted_amount) filter (where not is_lost),
                    -count(*) filter (where is_lost)
                from states
                where valid_to_date is not null
                group by valid_to_date
            )
            select snapshot_date, moves.* exclude (move_date)
            from moves
            inner join core.dim_snapshot_dates on move_date <= snapshot_date
            where not is_stored
            """,
            by="snapshot_date",
            measures="deal_count, total_amount, weighted_amount, unknown_count",
        ),
    ),
    Invariant(
        name="snapshots_are_the_same_in_sum_however_they_are_broken_down",
        report="rpt_historical_snapshots",
        words="17(a): stages, amount bands and forecast categories add up to the same deals and amounts "
        "at every end of a week, and to the mart's.",
        **equal_sums(
            " union all ".join(
                f"""
                select '{way}' as way, snapshot_date, deal_count, total_amount, weighted_amount, unknown_count
                from reports.historical_snapshots(
                    {QUARTER}, {QUARTER_END}, every := 'week', group_by := 'none', break_down_by := '{way}'
                )
                where snapshot_date in (select snapshot_date from core.dim_snapshot_dates)
                """
                for way in ("stage", "amount_band", "forecast_category")
            ),
            """
            -- By a constant, as below; added up before it stands there three times.
            with points as (
                select snapshot_date,
                    sum(deal_count) as deal_count, sum(total_amount) as total_amount,
                    sum(weighted_amount) as weighted_amount, sum(unknown_count) as unknown_count
                from reports.rpt_historical_snapshots
                where list_contains(getvariable('week_ends'), snapshot_date)
                group by snapshot_date
            )
            select way, points.*
            from points
            cross join (select unnest(['stage', 'amount_band', 'forecast_category']) as way) as ways
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
        **equal_sums(
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
        by="day",
        words="17(f), K7: a kept day shows what was kept, and is never reconstructed.",
        **equal_sums(
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
        **equal_sums(
            # By a constant: DuckDB would spell out all days of the view otherwise.
            """
            select snapshot_date, deal_count + unknown_count as deal_count
            from reports.rpt_historical_snapshots
            where list_contains(getvariable('stored_days'), snapshot_date)
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
