{% set first -%}
    select team_id, team_id as ancestor_team_id, 0 as distance
    from teams
{%- endset %}
{%- set next -%}
    select pairs.team_id, teams.parent_team_id as ancestor_team_id, pairs.distance + 1 as distance
    from [rows]
    inner join teams on pairs.ancestor_team_id = teams.team_id
    where teams.parent_team_id is not null
{%- endset -%}
{{ with_recursive() }}

teams as (
    select * from {{ ref('int_teams_with_parents') }}
),

{{ recursive_cte('pairs', ['team_id', 'ancestor_team_id', 'distance'], first, next) }},

final as (
    select
        team_id,
        ancestor_team_id,
        distance
    from pairs
)

select * from final
