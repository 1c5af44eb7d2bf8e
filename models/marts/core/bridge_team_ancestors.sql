with recursive

teams as (
    select * from {{ ref('int_teams_with_parents') }}
),

final as (
    select
        team_id,
        team_id as ancestor_team_id,
        0 as distance
    from teams
    union all
    select
        final.team_id,
        teams.parent_team_id as ancestor_team_id,
        final.distance + 1 as distance
    from final
    inner join teams on final.ancestor_team_id = teams.team_id
    where teams.parent_team_id is not null
)

select * from final
