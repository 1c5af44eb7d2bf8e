-- Owners with the name that reports show and their main team (P6, P7): those of the account, those
-- that only records name, and users without an owner (P8).
with

owners as (
    select * from {{ ref('stg_hubspot__owners') }}
),

owner_teams as (
    select * from {{ ref('stg_hubspot__owner_teams') }}
),

named as (
    select owner_id, user_id from {{ ref('int_owner_ids_in_activities') }}
    union distinct
    select owner_id, null as user_id from {{ ref('int_owner_ids_in_deals') }}
),

-- Without any teams nobody is in one (P17).
known_teams as (
    select count(*) as row_count
    from (
        select team_id as name from {{ ref('stg_hubspot__teams') }}
        union all
        select column_name as name from {{ ref('stg_hubspot__available_columns') }} where table_name = 'teams'
    ) as found
),

main_teams as (
    select
        owner_teams.owner_id,
        min({{ code_points('owner_teams.team_id') }}) as team_id
    from owner_teams
    cross join known_teams
    where owner_teams.is_primary
        and known_teams.row_count > 0
    group by owner_teams.owner_id
),

known as (
    select
        owner_id,
        user_id,
        email,
        {{ trimmed("coalesce(first_name, '') || ' ' || coalesce(last_name, '')") }} as full_name,
        coalesce(is_archived, false) as is_archived,
        archived_at
    from owners
),

-- A user without an owner stands under 'user:<id>'.
unknown as (
    select
        owner_id,
        max(user_id) as user_id
    from named
    where owner_id <> 'none'
        and not exists (select 1 from known where known.owner_id = named.owner_id)
    group by owner_id
),

final as (
    select
        known.owner_id,
        coalesce(nullif(known.full_name, ''), known.email, 'Owner ' || known.owner_id)
        || case when known.is_archived then ' (deactivated)' else '' end as owner_name,
        known.user_id,
        coalesce(main_teams.team_id, 'none') as team_id,
        known.is_archived,
        known.archived_at,
        true as is_known
    from known
    left join main_teams on known.owner_id = main_teams.owner_id
    union all
    select
        owner_id,
        case when user_id is null then 'Owner ' || owner_id else 'User ' || user_id end as owner_name,
        user_id,
        'none' as team_id,
        false as is_archived,
        cast(null as {{ instant_type() }}) as archived_at,
        false as is_known
    from unknown
    union all
    select
        'none' as owner_id,
        '(Unassigned)' as owner_name,
        null as user_id,
        'none' as team_id,
        false as is_archived,
        cast(null as {{ instant_type() }}) as archived_at,
        true as is_known
)

select * from final
