with

deal_steps as (
    select * from {{ ref('fct_deal_funnel_steps') }}
),

final as (
    select
        created_date,
        position as stage_position,
        stage_id,
        stage_label,
        owner_id,
        owner_name,
        team_id,
        team_name,
        pipeline_id,
        pipeline_label,
        {{ deal_funnel_measures() | indent(8) }}
    from deal_steps
    group by
        created_date,
        position,
        stage_id,
        stage_label,
        owner_id,
        owner_name,
        team_id,
        team_name,
        pipeline_id,
        pipeline_label
)

select * from final
