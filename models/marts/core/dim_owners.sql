with

owners as (
    select * from {{ ref('int_owners_named') }}
),

teams as (
    select * from {{ ref('int_teams_with_parents') }}
),

final as (
    select
        owners.owner_id,
        owners.owner_name,
        owners.user_id,
        owners.team_id,
        teams.team_name,
        owners.is_archived,
        owners.archived_at,
        owners.is_known
    from owners
    inner join teams on owners.team_id = teams.team_id
)

select * from final
