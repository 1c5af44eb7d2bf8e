{{ config(materialized=spelled_out(), meta={'rows_of': 'deal_id'}) }}
with

changes as (
    select * from {{ ref('fct_deal_changes') }}
),

deals as (
    select * from {{ ref('fct_deals') }}
),

changers as (
    select * from {{ ref('dim_owners') }}
),

final as (
    select
        changes.change_id,
        changes.changed_at,
        changes.changed_date,
        changes.deal_id,
        deals.deal_name,
        changes.change_set_id,
        changes.category,
        changes.property,
        changes.old_value,
        changes.new_value,
        changes.deal_amount,
        changes.delta_amount,
        changes.delta_days,
        changes.frame_date,
        changes.deal_status,
        changes.stage_id,
        changes.stage_label,
        changes.changed_by_user_id,
        changes.changed_by_owner_id,
        case changes.changed_by_owner_id
            when 'none' then '(No user)'
            else coalesce(changers.owner_name, 'User ' || changes.changed_by_user_id)
        end as changed_by_name,
        changes.source_type,
        deals.owner_id,
        deals.owner_name,
        deals.team_id,
        deals.team_name,
        deals.pipeline_id,
        deals.pipeline_label
    from changes
    inner join deals on changes.deal_id = deals.deal_id
    left join changers on changes.changed_by_owner_id = changers.owner_id
)

select * from final
