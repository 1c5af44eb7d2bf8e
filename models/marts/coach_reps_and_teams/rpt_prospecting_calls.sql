with

-- Outgoing calls; one without a direction is none (8c).
calls as (
    select * from {{ ref('fct_activities') }} where activity_type = 'call' and direction = 'OUTBOUND'
),

missing_inputs as (
    select * from {{ ref('int_missing_inputs') }}
),

final as (
    select
        activity_date,
        owner_id,
        owner_name,
        team_id,
        team_name,
        count(*) as call_count,
        count(case when is_connected then 1 end) as connected_count,
        count(duration_ms) as timed_call_count,
        cast(coalesce(sum(duration_ms), 0) as bigint) as talk_time_ms,
        cast(1 as bigint) as active_day_count
    from calls
    where activity_date is not null
        and not exists (select 1 from missing_inputs where report = 'rpt_prospecting_calls')
    group by activity_date, owner_id, owner_name, team_id, team_name
)

select * from final
