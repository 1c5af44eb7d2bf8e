-- The stages of the lead journey in their order (5b), and those that contacts have been in besides:
-- the latter by their id, as nothing names them.
with

journey_stages as (
    select * from {{ ref('lead_journey_stages') }}
),

entries as (
    select * from {{ ref('fct_lifecycle_entries') }}
),

entered_stages as (
    select lifecycle_stage as stage_id
    from entries
    group by lifecycle_stage
),

final as (
    select
        stage_id,
        stage_label,
        cast(row_number() over (order by stage_position) as bigint) as journey_position,
        -- s1 is required, whatever the seed says.
        is_optional and row_number() over (order by stage_position) > 1 as is_optional
    from journey_stages
    union all
    select
        stage_id,
        stage_id as stage_label,
        cast(null as bigint) as journey_position,
        false as is_optional
    from entered_stages
    where not exists (select 1 from journey_stages where journey_stages.stage_id = entered_stages.stage_id)
)

select * from final
