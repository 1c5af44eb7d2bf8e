-- The stages of the lead journey in their order (5b), and besides those that HubSpot gives to every account
-- and those that contacts have been in: these by their id, as nothing names them.
with

journey_stages as (
    select * from {{ ref('lead_journey_stages') }}
),

entries as (
    select * from {{ ref('fct_lifecycle_entries') }}
),

other_stages as (
    select lifecycle_stage as stage_id from entries
    union distinct
    select 'subscriber'
    union distinct
    select 'evangelist'
    union distinct
    select 'other'
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
    from other_stages
    where not exists (select 1 from journey_stages where journey_stages.stage_id = other_stages.stage_id)
)

select * from final
