{{ helper_function('group_by, owners, teams, include_subteams, pipelines') }}

-- One row per owner and pipeline that are asked for, and group that their deals count in.
with

owner_scope as (
    select * from {{ ref('report_scope') }}(group_by, owners, teams, include_subteams)
),

dim_pipelines as (
    select * from {{ ref('dim_pipelines') }}
),

named_pipelines as (
    {{ named_ids('pipelines', ref('dim_pipelines'), 'pipeline_id', 'pipeline_label') }}
),

final as (
    select
        owner_scope.owner_id,
        dim_pipelines.pipeline_id,
        case group_by when 'pipeline' then dim_pipelines.pipeline_id else owner_scope.group_id end as group_id,
        case group_by when 'pipeline' then dim_pipelines.pipeline_label else owner_scope.group_label end as group_label,
        owner_scope.parent_team_id,
        owner_scope.depth
    from owner_scope
    cross join dim_pipelines
    where pipelines is null or dim_pipelines.pipeline_id in (select pipeline_id from named_pipelines)
)

select * from final
