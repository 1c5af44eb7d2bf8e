{{ config(materialized=added_up()) }}
with

pushes as (
    select * from {{ ref('fct_deal_pushes') }}
),

deals as (
    select * from {{ ref('fct_deals') }}
),

final as (
    select
        pushes.period_grain,
        pushes.period_start,
        pushes.stage_id,
        pushes.stage_label,
        deals.owner_id,
        deals.owner_name,
        deals.team_id,
        deals.team_name,
        deals.pipeline_id,
        deals.pipeline_label,
        {%- for measure in deal_push_rate_counts() %}
        cast(sum(pushes.{{ measure }}) as bigint) as {{ measure }},
        {%- endfor %}
        cast(sum(pushes.pushed_amount) as {{ decimal_type(2) }}) as pushed_amount
    from pushes
    inner join deals on pushes.deal_id = deals.deal_id
    group by
        pushes.period_grain,
        pushes.period_start,
        pushes.stage_id,
        pushes.stage_label,
        deals.owner_id,
        deals.owner_name,
        deals.team_id,
        deals.team_name,
        deals.pipeline_id,
        deals.pipeline_label
)

select * from final
