-- The pipelines of the slices that do not count all of them.
with

goals as (
    select * from {{ ref('fct_goals') }} where left_out_because is null
),

named as (
    select
        goal_id,
        assignee_kind,
        owner_id,
        team_id,
        period_start,
        period_end,
        {{ split_to_rows('pipeline_ids', ';') }} as pipeline_id
    from goals {{ from_split('pipeline_ids', ';') }}
    where pipeline_ids is not null
),

final as (
    select
        goal_id,
        assignee_kind,
        owner_id,
        team_id,
        period_start,
        period_end,
        {{ trimmed('pipeline_id') }} as pipeline_id
    from named
    where {{ trimmed('pipeline_id') }} <> ''
    group by
        goal_id,
        assignee_kind,
        owner_id,
        team_id,
        period_start,
        period_end,
        {{ trimmed('pipeline_id') }}
)

select * from final
