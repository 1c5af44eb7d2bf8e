{{ config(materialized=added_up()) }}
with

deals as (
    select * from {{ ref('fct_deals') }}
),

final as (
    select
        close_date,
        stage_id,
        stage_label,
        stage_position,
        probability_by_stage as stage_probability,
        deal_status,
        owner_id,
        owner_name,
        team_id,
        team_name,
        pipeline_id,
        pipeline_label,
        count(*) as deal_count,
        cast(coalesce(sum(company_amount), 0) as {{ decimal_type(2) }}) as total_amount,
        cast(coalesce(sum(weighted_amount), 0) as {{ decimal_type(2) }}) as weighted_amount
    from deals
    where close_date is not null
    group by
        close_date,
        stage_id,
        stage_label,
        stage_position,
        probability_by_stage,
        deal_status,
        owner_id,
        owner_name,
        team_id,
        team_name,
        pipeline_id,
        pipeline_label
)

select * from final
