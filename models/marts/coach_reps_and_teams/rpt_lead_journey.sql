{{ config(materialized=added_up()) }}
with

contact_steps as (
    select * from {{ ref('fct_lead_journey_steps') }}
),

missing_inputs as (
    select * from {{ ref('int_missing_inputs') }}
),

final as (
    select
        created_date,
        position as stage_position,
        stage_id,
        stage_label,
        is_optional,
        owner_id,
        owner_name,
        team_id,
        team_name,
        {{ lead_journey_measures() | indent(8) }}
    from contact_steps
    where created_date is not null
        and not exists (select 1 from missing_inputs where report = 'rpt_lead_journey')
    group by
        created_date,
        position,
        stage_id,
        stage_label,
        is_optional,
        owner_id,
        owner_name,
        team_id,
        team_name
)

select * from final
