-- Teams with their names (P6, K2) and their place in the tree: a team whose parent is unknown, or
-- that is its own ancestor, stands at the top (27.2).
with

teams as (
    select * from {{ ref('stg_hubspot__teams') }}
),

-- Teams that owners and goals name and the account does not have.
named as (
    select team_id from {{ ref('stg_hubspot__owner_teams') }}
    union distinct
    select hs_assignee_team_id as team_id from {{ ref('stg_hubspot__goal_targets') }} where hs_assignee_team_id is not null
),

unknown as (
    select named.team_id
    from named
    left join teams on named.team_id = teams.team_id
    where teams.team_id is null
),

parents as (
    select
        teams.team_id,
        teams.parent_team_id as ancestor_team_id
    from teams
    inner join teams as parent_teams on teams.parent_team_id = parent_teams.team_id
),

ancestors as (
    {{ all_reached(
        start='parents', steps='parents', from='team_id', to='ancestor_team_id',
        position='ancestor_team_id', carried='team_id'
    ) | indent }}
),

cycles as (
    select team_id from ancestors where team_id = ancestor_team_id
),

final as (
    select
        teams.team_id,
        coalesce(teams.team_name, 'Team ' || teams.team_id)
        || case when teams.is_archived then ' (archived)' else '' end as team_name,
        case when cycles.team_id is null then parents.ancestor_team_id end as parent_team_id,
        teams.parent_team_id is not null and parents.ancestor_team_id is null as has_unknown_parent,
        cycles.team_id is not null as is_in_cycle,
        coalesce(teams.is_archived, false) as is_archived,
        true as is_known
    from teams
    left join parents on teams.team_id = parents.team_id
    left join cycles on teams.team_id = cycles.team_id
    union all
    select team_id, 'Team ' || team_id, null, false, false, false, false
    from unknown
    union all
    select 'none', '(No team)', null, false, false, false, true
)

select * from final
