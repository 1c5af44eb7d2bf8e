-- Every version of a tracked property of a deal with a history: before run_ts (H1), in its order
-- (H7), in its own type (H10). A cleared value is NULL in all three. Equal neighbours stay.
with

versions as (
    select * from {{ ref('stg_hubspot__deal_property_history') }}
),

deals as (
    select * from {{ ref('int_deals_in_population') }} where deal_created_at is not null
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

final as (
    select
        versions.deal_id,
        versions.property_name,
        row_number() over versions_in_order as version_number,
        versions.changed_at,
        lead(versions.changed_at) over versions_in_order as next_changed_at,
        case
            when versions.property_name
                not in ('amount', 'closedate', 'hs_exchange_rate', 'hs_deal_stage_probability')
                then versions.value
        end as text_value,
        versions.number_value,
        versions.instant_value,
        versions.source_type,
        versions.source_id,
        versions.updated_by_user_id
    from versions
    inner join deals on versions.deal_id = deals.deal_id
    cross join settings
    where versions.changed_at < settings.run_ts
        and versions.property_name in (
            'pipeline', 'dealstage', 'amount', 'closedate', 'hubspot_owner_id', 'hs_manual_forecast_category',
            'hs_deal_stage_probability', 'deal_currency_code', 'hs_exchange_rate'
        )
    window versions_in_order as (
        partition by versions.deal_id, versions.property_name
        order by versions.changed_at, versions.version_sequence
    )
)

select * from final
