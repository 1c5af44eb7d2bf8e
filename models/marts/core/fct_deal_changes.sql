{{ config(
    materialized='incremental',
    incremental_strategy='by_key',
    unique_key='deal_id',
    post_hook="{{ changers_of_now(this) if is_in_a_night() else '' }}",
) }}
with

recorded as (
    select * from {{ ref('int_deal_changes_recorded') }}
),

states as (
    select * from {{ changed(ref('fct_deal_states'), 'deal_id') }}
),

closings as (
    select * from {{ changed(ref('fct_deal_closings'), 'deal_id') }}
),

dates as (
    select * from {{ ref('dim_dates') }}
),

stages as (
    select * from {{ ref('dim_stages') }}
),

users as (
    select * from {{ ref('int_users_mapped_to_owners') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

-- HubSpot itself writes the close date when a deal is closed (27.9): up to a minute before or after (12d).
auto_close_dates as (
    select recorded.deal_id, recorded.change_number
    from recorded
    inner join closings
        on recorded.deal_id = closings.deal_id
        and recorded.changed_at >= {{ shifted('closings.closed_at', -1, 'minute') }}
        and recorded.changed_at <= {{ shifted('closings.closed_at', 1, 'minute') }}
    where recorded.property = 'closedate'
    group by recorded.deal_id, recorded.change_number
),

-- A deal created without a close date counts with the one that it has a day later (12h).
first_close_dates as (
    select recorded.deal_id, states.close_date
    from recorded
    inner join states
        on recorded.deal_id = states.deal_id
        and states.valid_from < {{ shifted('recorded.changed_at', 24, 'hour') }}
        and (states.valid_to is null or states.valid_to >= {{ shifted('recorded.changed_at', 24, 'hour') }})
    where recorded.category = 'created'
),

-- Each with the state of the deal just after the whole timestamp (12j).
recorded_changes as (
    select
        recorded.*,
        states.deal_status,
        states.close_date,
        states.company_amount,
        states.stage_pipeline_id,
        states.stage_id,
        case
            when recorded.category is not null then recorded.category
            when auto_close_dates.deal_id is not null then 'auto_close_date'
            when states.deal_status <> 'open' then 'close_date_changed'
            when recorded.new_close_date is null or recorded.new_close_date > recorded.old_close_date
                then 'close_date_pushed'
            else 'close_date_pulled'
        end as change_category,
        first_close_dates.close_date as first_close_date
    from recorded
    inner join states
        on recorded.deal_id = states.deal_id
        and states.valid_from <= recorded.changed_at
        and (states.valid_to is null or states.valid_to > recorded.changed_at)
    left join auto_close_dates
        on recorded.property = 'closedate'
        and recorded.deal_id = auto_close_dates.deal_id
        and recorded.change_number = auto_close_dates.change_number
    left join first_close_dates
        on recorded.category = 'created'
        and recorded.deal_id = first_close_dates.deal_id
),

changes as (
    select
        deal_id,
        changed_at,
        change_category as category,
        property,
        change_number,
        old_value,
        new_value,
        delta_amount,
        cast({{ days_from('old_close_date', 'new_close_date') }} as bigint) as delta_days,
        case change_category
            when 'close_date_pushed' then old_close_date
            when 'close_date_pulled' then new_close_date
            when 'created' then coalesce(close_date, first_close_date)
            else close_date
        end as frame_date,
        coalesce(version_status, deal_status) as deal_status,
        company_amount,
        coalesce(version_stage_pipeline_id, stage_pipeline_id) as stage_pipeline_id,
        coalesce(version_stage_id, stage_id) as stage_id,
        source_type,
        updated_by_user_id
    from recorded_changes
    union all
    -- Time alone makes an open deal overdue, at the midnight after its close day. It is told a
    -- millisecond before, so that it falls on that day (12f).
    select
        states.deal_id,
        {{ shifted('dates.ends_at', -1, 'millisecond') }},
        'lapsed',
        'closedate',
        states.state_number,
        cast(states.close_date as {{ text_type() }}),
        cast(states.close_date as {{ text_type() }}),
        null,
        null,
        states.close_date,
        states.deal_status,
        states.company_amount,
        states.stage_pipeline_id,
        states.stage_id,
        null,
        null
    from states
    inner join dates on states.close_date = dates.date_day
    cross join settings
    where states.deal_status = 'open'
        and states.valid_from < dates.ends_at
        and (states.valid_to is null or states.valid_to >= dates.ends_at)
        and dates.ends_at <= settings.run_ts
),

dated as (
    select
        changes.*,
        {{ local_date('changes.changed_at', 'settings.time_zone') }} as changed_date,
        changes.deal_id || '-' || cast({{ epoch_ms('changes.changed_at') }} as {{ text_type() }}) as change_set_id
    from changes
    cross join settings
),

final as (
    select
        dated.change_set_id || '-' || dated.category || '-' || cast(dated.change_number as {{ text_type() }})
            as change_id,
        dated.deal_id,
        dated.changed_at,
        dated.changed_date,
        dated.change_set_id,
        dated.category,
        dated.property,
        dated.change_number,
        dated.old_value,
        dated.new_value,
        dated.company_amount as deal_amount,
        dated.delta_amount,
        dated.delta_days,
        case when dated.category in ('won', 'lost') then dated.changed_date else dated.frame_date end
            as frame_date,
        dated.deal_status,
        stages.pipeline_id as stage_pipeline_id,
        stages.stage_id,
        stages.stage_label,
        dated.source_type,
        dated.updated_by_user_id as changed_by_user_id,
        coalesce(users.owner_id, 'user:' || dated.updated_by_user_id, 'none') as changed_by_owner_id
    from dated
    left join stages
        on dated.stage_pipeline_id = stages.pipeline_id
        and dated.stage_id = stages.stage_id
    left join users on dated.updated_by_user_id = users.user_id
)

select * from final
