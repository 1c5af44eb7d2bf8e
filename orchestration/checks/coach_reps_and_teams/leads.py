"""Laws of the reports on leads (5, 6)."""

from __future__ import annotations

from orchestration.checks import ANSWER, WHOLE, Invariant, equal_sums
from orchestration.checks.coach_reps_and_teams.averages import wrong_averages
from orchestration.checks.second_road import RUN_TS, available

INVARIANTS = [
    # --- 5 lead funnel ---
    Invariant(
        name="contacts_have_one_row_of_conversions_each",
        report="fct_lead_conversions",
        by="contact",
        words="5a: one row per contact.",
        sql="""
            select concat_ws('/', contact_id) as id, count(*) as row_count
            from core.fct_lead_conversions
            group by contact_id
            having count(*) > 1
        """,
    ),
    Invariant(
        name="lead_funnel_counts_every_dated_contact_once",
        report="rpt_lead_funnel",
        words="5a: the leads of a day, source and owner are the raw contacts created there; assigned are "
        "those that have an owner.",
        **equal_sums(
            "select * from reports.rpt_lead_funnel",
            f"""
            select created_date, source, owner_id, count(*) as lead_count,
                count(*) filter (where owner_id <> 'none') as assigned_count
            from proof_contacts
            where created_date is not null and {available("rpt_lead_funnel")}
            group by created_date, source, owner_id
            """,
            by="created_date, source, owner_id",
            measures="lead_count, assigned_count",
        ),
    ),
    Invariant(
        name="lead_funnel_converts_contacts_by_deals_that_are_not_older",
        report="rpt_lead_funnel",
        by="contact",
        words="5a: contacts with a deal and won contacts of an owner are those with such a raw deal "
        "created no earlier than themselves; those with an older one are counted beside (5a-3).",
        **equal_sums(
            "select * from reports.rpt_lead_funnel",
            f"""
            select owner_id,
                count(distinct contact_id) filter (where deal_at >= contact_at) as with_deal_count,
                count(distinct contact_id) filter (where deal_at >= contact_at and is_won) as won_count,
                count(distinct contact_id) filter (where deal_at < contact_at) as deal_before_contact_count
            from (
                select contacts.contact_id, contacts.owner_id, contacts.created_at as contact_at,
                    deals.created_at as deal_at, deals.deal_status = 'won' as is_won
                from proof_contacts as contacts
                inner join proof_contact_deals using (contact_id)
                inner join proof_deals as deals using (deal_id)
                where {available("rpt_lead_funnel")}
            ) as conversions
            group by owner_id
            """,
            by="owner_id",
            measures="with_deal_count, won_count, deal_before_contact_count",
        ),
    ),
    Invariant(
        name="lead_funnel_averages_times_their_contacts_are_the_times",
        report="rpt_lead_funnel",
        words="5a: every average is NULL exactly without contacts, and times these the sum.",
        sql=wrong_averages(
            "lead_funnel",
            {
                f"average_time_to_{what}_ms": (f"time_to_{what}_ms", f"time_to_{what}_count")
                for what in ("first_engagement", "deal", "win")
            },
        ),
    ),
    # --- 5 lead journey ---
    Invariant(
        name="contacts_take_each_step_of_the_journey_once",
        report="fct_lead_journey_steps",
        by="contact",
        words="5b: one row per contact and stage of the journey.",
        sql="""
            select concat_ws('/', contact_id, position) as id, count(*) as row_count
            from core.fct_lead_journey_steps
            group by contact_id, position
            having count(*) > 1
        """,
    ),
    Invariant(
        name="lead_journey_required_stages_never_grow",
        report="rpt_lead_journey",
        words="5b(a, b): of the contacts of a day and owner, no more come to a required stage than to the "
        "required one before.",
        sql="""
            with required as (
                select stage_id, journey_position,
                    lag(stage_id) over (order by journey_position) as stage_before
                from core.dim_lifecycle_stages
                where journey_position is not null and not is_optional
            )
            select concat_ws('/', mart.created_date, mart.owner_id, mart.stage_id) as id,
                mart.contact_count, before.contact_count as contact_count_before
            from reports.rpt_lead_journey as mart
            inner join required on mart.stage_id = required.stage_id
            left join reports.rpt_lead_journey as before
                on required.stage_before = before.stage_id
                and mart.created_date = before.created_date
                and mart.owner_id = before.owner_id
            where required.stage_before is not null
                and mart.contact_count > coalesce(before.contact_count, 0)
        """,
    ),
    Invariant(
        name="lead_journey_rates_lie_between_0_and_1",
        report="rpt_lead_journey",
        words="5b(c, f): rates of every owner and stage lie within [0, 1]; that of the first stage is 1.",
        sql=f"""
            select {ANSWER} || '/' || stage_id as id, next_step_rate, cumulative_rate
            from proof_answers_lead_journey
            where next_step_rate not between 0 and 1
                or cumulative_rate not between 0 and 1
                or (stage_position = 1 and cumulative_rate <> 1)
        """,
    ),
    Invariant(
        name="lead_journey_starts_with_whoever_entered_the_first_stage",
        report="rpt_lead_journey",
        by="contact",
        words="5b: of contacts into which no other was merged, exactly those come to the first stage that "
        "ever were in it, by their versions or, without any, by their present value (5b-4).",
        sql="""
            with first_stage as (
                select stage_id from core.dim_lifecycle_stages where journey_position = 1
            ),
            versions as (
                select contact_id, bool_or(value = (select stage_id from first_stage)) as was_in_it
                from proof_contact_versions
                where name = 'lifecyclestage'
                group by contact_id
            ),
            entered as (
                select contact_id
                from proof_contacts
                left join versions using (contact_id)
                where not merged_here
                    and case
                        when versions.contact_id is not null then was_in_it
                        else lifecyclestage = (select stage_id from first_stage) and created_at is not null
                    end
            ),
            counted as (
                select contact_id
                from core.fct_lead_journey_steps
                where position = 1 and is_counted
                    and contact_id in (select contact_id from proof_contacts where not merged_here)
            )
            select contact_id as id, entered.contact_id is null as is_counted_without_entry
            from entered
            full join counted using (contact_id)
            where entered.contact_id is null or counted.contact_id is null
        """,
    ),
    # --- 6 lead response time ---
    Invariant(
        name="lead_response_time_has_every_contact_whose_assignment_is_known",
        report="rpt_lead_response_time",
        by="contact",
        words="6a, 6d: each contact with an owner and a version that made it the owner, or HubSpot's own "
        "date, stands in one row, of that owner.",
        sql=f"""
            with assigned as (
                select distinct contacts.contact_id, contacts.owner_id
                from proof_contacts as contacts
                left join proof_contact_versions as versions
                    on contacts.contact_id = versions.contact_id
                    and versions.name = 'hubspot_owner_id'
                    and contacts.owner_id = versions.value
                where contacts.owner_id <> 'none'
                    and coalesce(versions.changed_at, contacts.assigned_at) is not null
                    and {available("rpt_lead_response_time")}
            )
            select contact_id as id, assigned.owner_id, mart.owner_id as owner_in_mart
            from assigned
            full join reports.rpt_lead_response_time as mart using (contact_id)
            where assigned.owner_id is distinct from mart.owner_id
        """,
    ),
    Invariant(
        name="lead_response_time_lies_between_assignment_and_run",
        report="rpt_lead_response_time",
        by="contact",
        words="6(b, c): no engagement before the assignment or after run_ts; recomputed times are what "
        "lies between, and business hours no more than that.",
        sql=f"""
            select contact_id as id, assigned_at, first_engagement_at, response_time_ms, response_business_ms
            from reports.rpt_lead_response_time
            where first_engagement_at not between assigned_at and {RUN_TS}
                or (
                    not is_stored_value
                    and response_time_ms <> epoch_ms(first_engagement_at) - epoch_ms(assigned_at)
                )
                or response_business_ms
                    not between 0 and epoch_ms(first_engagement_at) - epoch_ms(assigned_at)
        """,
    ),
    Invariant(
        name="lead_response_time_summary_adds_up_to_its_contacts",
        report="rpt_lead_response_time",
        words="6(a, e): engaged + unengaged = contacts, average × engaged = all response times, for every "
        "owner; shares grow with the time allowed.",
        sql=f"""
            with sums as (
                select owner_id as group_id, count(*) as rows_counted,
                    coalesce(sum(response_time_ms), 0) as response_time_ms
                from reports.rpt_lead_response_time
                where assigned_date >= getvariable('first_day') and assigned_date < getvariable('end_day')
                group by owner_id
            )
            select group_id as id, contact_count, engaged_count, unengaged_count, rows_counted
            from reports.lead_response_time_summary({WHOLE})
            full join sums using (group_id)
            where contact_count is distinct from rows_counted
                or engaged_count + unengaged_count <> contact_count
                or abs(coalesce(average_response_time_ms, 0) * engaged_count - response_time_ms)
                    > 1e-9 * greatest(response_time_ms, 1)
                or not (within_5m_rate <= within_1h_rate and within_1h_rate <= within_24h_rate)
                or within_24h_rate * contact_count > engaged_count + 1e-6
        """,
    ),
]
