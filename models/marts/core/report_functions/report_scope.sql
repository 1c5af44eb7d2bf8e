{{ helper_function('group_by, owners, teams, include_subteams') }}

-- One row per owner who is asked for and group that the owner's records count in. An owner is in
-- one group, except for teams with their descendants, where rows of different levels overlap.
with

ancestors as (
    select * from {{ ref('bridge_team_ancestors') }}
),

dim_owners as (
    select * from {{ ref('dim_owners') }}
),

dim_teams as (
    select * from {{ ref('dim_teams') }}
),

named_owners as (
    {{ named_ids('owners', ref('dim_owners'), 'owner_id', 'owner_name') }}
),

named_teams as (
    {{ named_ids('teams', ref('dim_teams'), 'team_id', 'team_name') }}
),

-- Every team that is asked for, by itself or below one that is named.
asked_teams as (
    select team_id from dim_teams where teams is null
    union
    select team_id
    from ancestors
    where ancestor_team_id in (select team_id from named_teams)
        and (distance = 0 or include_subteams)
),

-- A record counts in the row of its own team, and with subteams in those above it.
team_groups as (
    select
        ancestors.team_id,
        dim_teams.team_id as group_id,
        dim_teams.team_name as group_label,
        dim_teams.parent_team_id,
        dim_teams.depth
    from ancestors
    inner join dim_teams on ancestors.ancestor_team_id = dim_teams.team_id
    where dim_teams.team_id in (select team_id from asked_teams)
        and (ancestors.distance = 0 or (include_subteams and group_by = 'team'))
),

final as (
    select
        dim_owners.owner_id,
        case group_by
            when 'owner' then dim_owners.owner_id
            when 'team' then team_groups.group_id
            else 'all'
        end as group_id,
        case group_by
            when 'owner' then dim_owners.owner_name
            when 'team' then team_groups.group_label
            else 'all'
        end as group_label,
        case when group_by = 'team' then team_groups.parent_team_id end as parent_team_id,
        case when group_by = 'team' then team_groups.depth end as depth
    from dim_owners
    inner join team_groups on dim_owners.team_id = team_groups.team_id
    where dim_owners.team_id in (select team_id from asked_teams)
        and (owners is null or dim_owners.owner_id in (select owner_id from named_owners))
)

select * from final
