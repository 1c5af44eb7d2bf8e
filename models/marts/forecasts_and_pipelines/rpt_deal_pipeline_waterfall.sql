{{ config(materialized=added_up()) }}
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
        lines.category,
        deals.owner_id,
        deals.owner_name,
        deals.team_id,
        deals.team_name,
        deals.pipeline_id,
        deals.pipeline_label,
        count(*) as deal_count,
        cast(sum(lines.amount) as {{ decimal_type(2) }}) as amount
    from lines
    inner join deals on lines.deal_id = deals.deal_id
    group by
        lines.period_grain,
        lines.period_start,
        lines.category,
        deals.owner_id,
        deals.owner_name,
        deals.team_id,
        deals.team_name,
        deals.pipeline_id,
        deals.pipeline_label
)

select * from final
