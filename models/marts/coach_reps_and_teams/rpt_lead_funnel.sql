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
        count(*) filter (where is_assigned) as assigned_count,
        count(*) filter (where is_worked) as worked_count,
        count(*) filter (where is_assigned and not is_worked) as unworked_count,
        count(*) filter (where has_deal) as with_deal_count,
        count(*) filter (where is_won) as won_count,
        count(*) filter (where has_earlier_deal) as deal_before_contact_count,
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
