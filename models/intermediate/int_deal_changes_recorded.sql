-- What the versions of a deal say that somebody changed, and its creation: all rows of report 12 but
-- those that no version records (lapses), before the deal's state tells what each one means.
{{ config(materialized='view') }}
with

deals as (
    select * from {{ changed(ref('int_deals_in_population'), 'deal_id') }} where deal_created_at is not null
),

stage_changes as (
    select * from {{ ref('int_deal_stage_changes') }}
),

property_changes as (
    select * from {{ ref('int_deal_property_changes') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

-- Both amounts at the deal's present rate, each rounded, so that deltas add up to the cent (P10, P11).
amounts as (
    select
        changes.*,
        coalesce({{ money('changes.new_number_value', 'deals.hs_exchange_rate') }}, 0)
        - coalesce({{ money('changes.old_number_value', 'deals.hs_exchange_rate') }}, 0) as delta_amount
    from property_changes as changes
    inner join deals on changes.deal_id = deals.deal_id
    where changes.property_name = 'amount'
),

close_dates as (
    select
        changes.*,
        {{ local_date('changes.old_instant_value', 'settings.time_zone') }} as old_close_date,
        {{ local_date('changes.new_instant_value', 'settings.time_zone') }} as new_close_date
    from property_changes as changes
    cross join settings
    where changes.property_name = 'closedate'
),

final as (
    select
        deal_id,
        deal_created_at as changed_at,
        'created' as category,
        'createdate' as property,
        cast(0 as bigint) as change_number,
        cast(null as {{ text_type() }}) as old_value,
        cast(null as {{ text_type() }}) as new_value,
        cast(null as {{ decimal_type(2) }}) as delta_amount,
        cast(null as date) as old_close_date,
        cast(null as date) as new_close_date,
        cast(null as {{ text_type() }}) as version_status,
        cast(null as {{ text_type() }}) as version_stage_pipeline_id,
        cast(null as {{ text_type() }}) as version_stage_id,
        cast(null as {{ text_type() }}) as source_type,
        cast(null as {{ text_type() }}) as updated_by_user_id
    from deals
    union all
    select
        deal_id,
        changed_at,
        category,
        property,
        entry_number,
        old_value,
        new_value,
        null,
        null,
        null,
        deal_status,
        stage_pipeline_id,
        stage_id,
        source_type,
        updated_by_user_id
    from stage_changes
    union all
    select
        deal_id,
        changed_at,
        'moved_pipeline',
        property_name,
        version_number,
        old_text_value,
        new_text_value,
        null,
        null,
        null,
        null,
        null,
        null,
        source_type,
        updated_by_user_id
    from property_changes
    where property_name = 'pipeline'
    union all
    select
        deal_id,
        changed_at,
        case when delta_amount > 0 then 'amount_increased' else 'amount_decreased' end,
        property_name,
        version_number,
        {{ number_text('old_number_value') }},
        {{ number_text('new_number_value') }},
        delta_amount,
        null,
        null,
        null,
        null,
        null,
        source_type,
        updated_by_user_id
    from amounts
    where delta_amount <> 0
    union all
    -- Whether the deal was open then, and so what the change is called, is in its state.
    select
        deal_id,
        changed_at,
        null,
        property_name,
        version_number,
        cast(old_close_date as {{ text_type() }}),
        cast(new_close_date as {{ text_type() }}),
        null,
        old_close_date,
        new_close_date,
        null,
        null,
        null,
        source_type,
        updated_by_user_id
    from close_dates
    where old_close_date is distinct from new_close_date
)

select * from final
