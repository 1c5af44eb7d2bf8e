with

targets as (
    select * from {{ ref('int_goal_targets_normalised') }}
),

users as (
    select * from {{ ref('int_users_mapped_to_owners') }}
),

owners as (
    select * from {{ ref('dim_owners') }}
),

teams as (
    select * from {{ ref('dim_teams') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

-- Goals name users; the slices of a team have no owner (P8, K14).
assigned as (
    select
        targets.*,
        case when targets.user_id is not null then 'owner' when targets.team_id is not null then 'team' end as assignee_kind,
        coalesce(users.owner_id, 'user:' || targets.user_id, 'none') as owner_id,
        {{ local_midnight('targets.period_start', 'settings.time_zone') }} as starts_at,
        {{ local_midnight('targets.period_end', 'settings.time_zone') }} as ends_at,
        settings.run_ts,
        settings.time_zone
    from targets
    cross join settings
    left join users on targets.user_id = users.user_id
),

final as (
    select
        assigned.goal_target_id,
        assigned.goal_id,
        assigned.goal_name,
        assigned.milestone,
        assigned.assignee_kind,
        owners.owner_id,
        owners.owner_name,
        teams.team_id,
        teams.team_name,
        assigned.is_team_rollup,
        assigned.period_start,
        assigned.period_end,
        assigned.starts_at,
        assigned.ends_at,
        assigned.pipeline_ids,
        {{ money('assigned.hs_target_amount', 'assigned.exchange_rate') }} as target_amount,
        assigned.target_currency,
        assigned.exchange_rate,
        case
            when assigned.period_end > assigned.period_start
                then cast(
                    least(greatest({{ duration_ms('assigned.starts_at', 'assigned.run_ts') }}, 0), {{ duration_ms('assigned.starts_at', 'assigned.ends_at') }})
                    as {{ double_type() }}
                ) / {{ duration_ms('assigned.starts_at', 'assigned.ends_at') }}
        end as elapsed_share,
        -- Whoever was deactivated has no targets for slices that begin later (18c).
        case
            when assigned.left_out_because is not null then assigned.left_out_because
            when owners.is_archived
                and assigned.period_start > {{ local_date('owners.archived_at', 'assigned.time_zone') }}
                then 'after_deactivation'
        end as left_out_because
    from assigned
    inner join owners on assigned.owner_id = owners.owner_id
    inner join teams on coalesce(assigned.team_id, owners.team_id) = teams.team_id
)

select * from final
