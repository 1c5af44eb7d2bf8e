with

teams as (
    select * from {{ ref('int_teams_with_parents') }}
),

ancestors as (
    select * from {{ ref('bridge_team_ancestors') }}
),

paths as (
    select
        ancestors.team_id,
        max(ancestors.distance) as depth,
        {{ joined_texts('ancestors.ancestor_team_id', 'ancestors.distance desc') }} as path_ids,
        {{ joined_texts('teams.team_name', 'ancestors.distance desc', ' / ') }} as path_names
    from ancestors
    inner join teams on ancestors.ancestor_team_id = teams.team_id
    group by ancestors.team_id
),

final as (
    select
        teams.team_id,
        teams.team_name,
        teams.parent_team_id,
        paths.depth,
        paths.path_ids,
        paths.path_names,
        teams.has_unknown_parent,
        teams.is_in_cycle,
        teams.is_archived,
        teams.is_known
    from teams
    inner join paths on teams.team_id = paths.team_id
)

select * from final
