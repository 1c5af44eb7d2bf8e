-- Every version that changes the amount, close date or pipeline of a deal, in its order: several at
-- one timestamp are several rows (12j). Values before the creation only say how the deal began (H8).
{{ config(materialized='view') }}
{% set same_property = '(partition by deal_id, property_name order by version_number)' -%}
with

versions as (
    select *
    from {{ changed(ref('int_deal_property_versions'), 'deal_id') }}
    where property_name in ('amount', 'closedate', 'pipeline')
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

seen as (
    select
        versions.deal_id,
        versions.property_name,
        versions.version_number,
        greatest(versions.changed_at, deals.deal_created_at) as changed_at,
        -- A first version is a change only where it was filled in later (12c), and where nothing
        -- before it is lost (H4); the pipeline never is (12j).
        versions.version_number = 1
        and versions.property_name <> 'pipeline'
        and versions.changed_at > greatest(deals.deal_created_at, deals.first_stage_at)
        and lost_beginnings.deal_id is null as is_first_entry,
        versions.text_value,
        versions.number_value,
        versions.instant_value,
        versions.source_type,
        versions.updated_by_user_id
    from versions
    inner join deals on versions.deal_id = deals.deal_id
    left join lost_beginnings
        on versions.deal_id = lost_beginnings.deal_id
        and versions.property_name = lost_beginnings.property_name
    where versions.changed_at >= deals.deal_created_at
        or versions.next_changed_at is null
        or versions.next_changed_at > deals.deal_created_at
),

compared as (
    select
        *,
        lag(version_number) over {{ same_property }} is null as is_first,
        lag(text_value) over {{ same_property }} as old_text_value,
        lag(number_value) over {{ same_property }} as old_number_value,
        lag(instant_value) over {{ same_property }} as old_instant_value
    from seen
),

final as (
    select
        deal_id,
        property_name,
        version_number,
        changed_at,
        old_text_value,
        text_value as new_text_value,
        old_number_value,
        number_value as new_number_value,
        old_instant_value,
        instant_value as new_instant_value,
        source_type,
        updated_by_user_id
    from compared
    where (not is_first or is_first_entry)
        and (
            text_value is distinct from old_text_value
            or number_value is distinct from old_number_value
            or instant_value is distinct from old_instant_value
        )
)

select * from final
