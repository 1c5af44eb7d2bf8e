"""Laws of the stays of deals in stages (11)."""

from __future__ import annotations

from orchestration.checks import Invariant, equal_sums

INVARIANTS = [
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
                or duration_ms <> epoch_ms(coalesce(exited_at, getvariable('run_ts'))) - epoch_ms(entered_at)
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
                and duration_ms is distinct from epoch_ms(getvariable('run_ts')) - epoch_ms(entered_at)
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
                or total_time_ms <> epoch_ms(getvariable('run_ts')) - epoch_ms(start_at)
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
                    greatest(created_at, lead("timestamp", 1, getvariable('run_ts')) over (
                        partition by object_id order by "timestamp", sequence
                    )) as left_at
                from raw_hubspot.deal_property_history
                inner join proof_one_pipeline_deals on object_id = deal_id
                where name = 'dealstage' and "timestamp" < getvariable('run_ts')
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
                    and "timestamp" < getvariable('run_ts')
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
]
