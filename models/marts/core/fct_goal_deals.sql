-- Which won deals count towards which slice: by the present owner, or the main team of it, the day of
-- the close date, and the pipelines that the goal names.
with

slices as (
    select * from {{ ref('fct_goal_slices') }}
),

pipelines as (
    select * from {{ ref('bridge_goal_pipelines') }}
),

ancestors as (
    select * from {{ ref('bridge_team_ancestors') }}
),

won_deals as (
    select * from {{ ref('fct_deals') }} where is_won and close_date is not null
),

assigned as (
    select slices.*, won_deals.deal_id, won_deals.pipeline_id, won_deals.close_date, won_deals.company_amount
    from slices
    inner join won_deals
        on slices.owner_id = won_deals.owner_id
        and won_deals.close_date >= slices.period_start
        and won_deals.close_date < slices.period_end
    where slices.assignee_kind = 'owner'
    union all
    -- With rollup a team's slice takes in the teams below.
    select slices.*, won_deals.deal_id, won_deals.pipeline_id, won_deals.close_date, won_deals.company_amount
    from slices
    inner join ancestors
        on slices.team_id = ancestors.ancestor_team_id
        and (ancestors.distance = 0 or slices.is_team_rollup)
    inner join won_deals
        on ancestors.team_id = won_deals.team_id
        and won_deals.close_date >= slices.period_start
        and won_deals.close_date < slices.period_end
    where slices.assignee_kind = 'team'
),

final as (
    select
        assigned.goal_id,
        assigned.assignee_kind,
        assigned.owner_id,
        assigned.team_id,
        assigned.period_start,
        assigned.period_end,
        assigned.deal_id,
        assigned.close_date,
        assigned.company_amount
    from assigned
    left join pipelines
        on assigned.goal_id = pipelines.goal_id
        and assigned.assignee_kind = pipelines.assignee_kind
        and assigned.owner_id = pipelines.owner_id
        and assigned.team_id = pipelines.team_id
        and assigned.period_start = pipelines.period_start
        and assigned.period_end = pipelines.period_end
        and assigned.pipeline_id = pipelines.pipeline_id
    where assigned.is_of_all_pipelines or pipelines.pipeline_id is not null
)

select * from final
