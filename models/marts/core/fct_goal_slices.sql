-- Several targets of one assignee for the same days of one goal are one slice, of all pipelines that
-- any of them names, so that no deal counts twice. What report 18 leaves out is left out here.
with

goals as (
    select * from {{ ref('fct_goals') }} where left_out_because is null
),

-- The text of a slice that several targets share comes from the one with the lowest id.
numbered as (
    select
        *,
        row_number() over (
            partition by goal_id, assignee_kind, owner_id, team_id, period_start, period_end
            order by {{ id_order('goal_target_id') }}
        ) as target_number
    from goals
),

final as (
    select
        goal_id,
        max(case when target_number = 1 then goal_name end) as goal_name,
        max(case when target_number = 1 then milestone end) as milestone,
        assignee_kind,
        owner_id,
        owner_name,
        team_id,
        team_name,
        period_start,
        period_end,
        cast(sum(target_amount) as {{ decimal_type(2) }}) as target_amount,
        max(elapsed_share) as elapsed_share,
        max(case when is_team_rollup then 1 else 0 end) = 1 as is_team_rollup,
        max(case when pipeline_ids is null then 1 else 0 end) = 1 as is_of_all_pipelines
    from numbered
    group by
        goal_id,
        assignee_kind,
        owner_id,
        owner_name,
        team_id,
        team_name,
        period_start,
        period_end
)

select * from final
