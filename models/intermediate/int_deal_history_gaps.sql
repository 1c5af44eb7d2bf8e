-- Stretches of a deal's life in which a property's versions are lost to HubSpot's cap (H4, K3): from
-- gap_from (the creation where nothing earlier is known) to the first version kept after them.
-- A gap that ends before the deal begins, or before its first stage version, loses nothing.
with

gaps as (
    select * from {{ ref('stg_hubspot__history_gaps') }} where table_name = 'deal_property_history'
),

deals as (
    select * from {{ ref('int_deal_histories') }}
),

final as (
    select
        gaps.object_id as deal_id,
        gaps.property_name,
        case when gaps.gap_from > deals.deal_created_at then gaps.gap_from else deals.deal_created_at end as gap_from,
        gaps.gap_to,
        gaps.gap_from is null as is_beginning_lost
    from gaps
    inner join deals on gaps.object_id = deals.deal_id
    where gaps.gap_to > deals.deal_created_at
        and (gaps.property_name = 'dealstage' or gaps.gap_to > deals.first_stage_at)
)

select * from final
