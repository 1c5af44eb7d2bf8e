-- Each visit of a deal to a stage, split by the owner at the time (C6, owner_basis = as_of).
with

visits as (
    select * from {{ ref('fct_deal_stage_visits') }}
),

states as (
    select * from {{ ref('fct_deal_states') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

-- The first owner also held the deal before its creation instant, where a visit begins earlier (H8).
holdings as (
    select
        deal_id,
        owner_id,
        case when state_number > 1 then valid_from end as held_from,
        valid_to as held_to
    from states
),

ended_visits as (
    select
        visits.deal_id,
        visits.visit_number,
        visits.entered_at,
        coalesce(visits.exited_at, settings.run_ts) as left_at
    from visits
    cross join settings
),

-- A visit of no length goes to the owner just after it began.
parts as (
    select
        ended_visits.deal_id,
        ended_visits.visit_number,
        holdings.owner_id,
        {{ greatest_known(['ended_visits.entered_at', 'holdings.held_from']) }} as part_from,
        {{ least_known(['ended_visits.left_at', 'holdings.held_to']) }} as part_to,
        coalesce(holdings.held_to, ended_visits.left_at) >= ended_visits.left_at as is_last_owner
    from ended_visits
    inner join holdings on ended_visits.deal_id = holdings.deal_id
    where (holdings.held_to is null or holdings.held_to > ended_visits.entered_at)
        and (
            holdings.held_from is null
            or holdings.held_from < ended_visits.left_at
            or holdings.held_from = ended_visits.entered_at
        )
),

final as (
    select
        deal_id,
        visit_number,
        owner_id,
        cast(sum({{ duration_ms('part_from', 'part_to') }}) as bigint) as duration_ms,
        max(case when is_last_owner then 1 else 0 end) = 1 as is_last_owner
    from parts
    group by deal_id, visit_number, owner_id
)

select * from final
