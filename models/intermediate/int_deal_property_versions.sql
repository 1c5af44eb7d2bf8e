-- Every version of a property of a deal's state: before run_ts (H1), in its order (H7), in its own type
-- (H10). A cleared value is NULL in all three. Equal neighbours stay. The one sort of all versions that
-- there is: what follows takes their order and their place in the deal's life from here.
{{ config(materialized='incremental', incremental_strategy='by_key', unique_key='deal_id') }}
{% set versions_in_order -%}
(partition by versions.deal_id, versions.property_name order by versions.changed_at, versions.version_sequence)
{%- endset -%}
with

versions as (
    select * from {{ changed(ref('stg_hubspot__deal_property_history'), 'deal_id') }}
),

deals as (
    select * from {{ changed(ref('int_deal_histories'), 'deal_id') }}
),

lost_beginnings as (
    select deal_id, property_name
    from {{ ref('int_deal_history_gaps') }}
    where is_beginning_lost
    group by deal_id, property_name
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

numbered as (
    select
        versions.deal_id,
        versions.property_name,
        row_number() over {{ versions_in_order }} as version_number,
        versions.changed_at,
        lead(versions.changed_at) over {{ versions_in_order }} as next_changed_at,
        case
            when versions.property_name not in ('amount', 'closedate', 'hs_deal_stage_probability') then versions.value
        end as text_value,
        versions.number_value,
        versions.instant_value,
        versions.source_type,
        versions.updated_by_user_id,
        deals.deal_created_at,
        deals.first_stage_at
    from versions
    inner join deals on versions.deal_id = deals.deal_id
    cross join settings
    where versions.changed_at < settings.run_ts
        and versions.property_name in ({{ deal_state_properties(quoted=true) }})
),

-- What happened before the creation only says how the deal began (H8). A first version also holds
-- before its own time where nothing says that the property was empty until then (H3), or where older
-- versions are lost (H4).
placed as (
    select
        numbered.*,
        case
            when numbered.changed_at <= numbered.deal_created_at then numbered.deal_created_at
            when numbered.version_number > 1 then numbered.changed_at
            when numbered.property_name in ('dealstage', 'pipeline')
                or numbered.changed_at <= numbered.first_stage_at
                or lost_beginnings.deal_id is not null
                then numbered.deal_created_at
            else numbered.changed_at
        end as holds_from
    from numbered
    left join lost_beginnings
        on numbered.deal_id = lost_beginnings.deal_id
        and numbered.property_name = lost_beginnings.property_name
        and numbered.version_number = 1
),

final as (
    select
        deal_id,
        property_name,
        version_number,
        changed_at,
        next_changed_at,
        -- Several versions at one instant: the last one counts, the others were never observed (H7).
        case when next_changed_at is null or next_changed_at > holds_from then holds_from end as valid_from,
        text_value,
        number_value,
        instant_value,
        source_type,
        updated_by_user_id
    from placed
)

select * from final
