{{ config(materialized=added_up()) }}
with

contacts as (
    select * from {{ ref('fct_lead_conversions') }}
),

missing_inputs as (
    select * from {{ ref('int_missing_inputs') }}
),

final as (
    select
        created_date,
        source,
        owner_id,
        owner_name,
        team_id,
        team_name,
        count(*) as lead_count,
        count(case when is_assigned then 1 end) as assigned_count,
        count(case when is_worked then 1 end) as worked_count,
        count(case when is_assigned and not is_worked then 1 end) as unworked_count,
        count(case when has_deal then 1 end) as with_deal_count,
        count(case when is_won then 1 end) as won_count,
        count(case when has_earlier_deal then 1 end) as deal_before_contact_count,
        cast(coalesce(sum(response_time_ms), 0) as bigint) as time_to_first_engagement_ms,
        count(response_time_ms) as time_to_first_engagement_count,
        cast(coalesce(sum(time_to_deal_ms), 0) as bigint) as time_to_deal_ms,
        count(time_to_deal_ms) as time_to_deal_count,
        cast(coalesce(sum(time_to_win_ms), 0) as bigint) as time_to_win_ms,
        count(time_to_win_ms) as time_to_win_count
    from contacts
    where created_date is not null
        and not exists (select 1 from missing_inputs where report = 'rpt_lead_funnel')
    group by created_date, source, owner_id, owner_name, team_id, team_name
)

select * from final
