{{ config(materialized=spelled_out(), meta={'rows_of': 'deal_id'}) }}
with

lines as (
    select * from {{ ref('fct_deal_waterfall_lines') }}
),

deals as (
    select * from {{ ref('fct_deals') }}
),

final as (
    select
        lines.period_grain,
        lines.period_start,
        lines.deal_id,
        deals.deal_name,
        lines.category,
        lines.sub_type,
        deals.owner_id,
        deals.owner_name,
        deals.team_id,
        deals.team_name,
        deals.pipeline_id,
        deals.pipeline_label,
        cast(1 as bigint) as deal_count,
        lines.amount
    from lines
    inner join deals on lines.deal_id = deals.deal_id
)

select * from final
