{{ report_function(
    arguments={
        'goal': none,
        'compare_against': ['incremental', 'cumulative'],
        'target_mode': ['full', 'prorated'],
        'owner_basis': ['current', 'as_of'],
    },
) }}

with

goals as (
    select
        goal_id,
        min(goal_name) as goal_name,
        max(milestone) as milestone,
        bool_or(is_of_all_pipelines) as is_of_all_pipelines,
        count(*) over () as goal_count
    from {{ ref('fct_goal_slices') }}
    group by goal_id
),

asked_goals as (
    {{ asked_goal('goals') }}
),

request as materialized (
    {{ report_request(problems=[wrong_goal('goals', 'asked_goals')]) }}
),

buckets as (
    select
        buckets.*,
        try_cast(date_from as date) as range_from,
        try_cast(date_to as date) as range_to
    from request
    cross join {{ report_buckets() }} as buckets
),

scope as (
    select * from {{ report_scope() }}
),

deal_scope as (
    select * from {{ report_deal_scope() }}
),

named_teams as (
    {{ named_ids('teams', ref('dim_teams'), 'team_id', 'team_name') }}
),

slices as (
    select *
    from {{ ref('fct_goal_slices') }}
    where goal_id in (select goal_id from asked_goals)
        and period_start < try_cast(date_to as date)
        and period_end > try_cast(date_from as date)
),

-- Each owner's slices in every group that the owner counts in.
owner_slices as (
    select
        scope.group_id,
        scope.group_label,
        scope.parent_team_id,
        scope.depth,
        'owner' as kind,
        slices.* exclude (assignee_kind)
    from slices
    inner join scope on slices.owner_id = scope.owner_id
    where slices.assignee_kind = 'owner'
),

-- A team's own slices in its row; where nothing groups, those of teams that no other team's slice
-- takes in already. Who asks for owners does not ask for teams' goals.
team_slices as (
    select
        case group_by when 'team' then dim_teams.team_id else 'all' end as group_id,
        case group_by when 'team' then dim_teams.team_name else 'all' end as group_label,
        case when group_by = 'team' then dim_teams.parent_team_id end as parent_team_id,
        case when group_by = 'team' then dim_teams.depth end as depth,
        'team' as kind,
        slices.* exclude (assignee_kind)
    from slices
    inner join {{ ref('dim_teams') }} as dim_teams on slices.team_id = dim_teams.team_id
    where slices.assignee_kind = 'team'
        and owners is null
        and (
            teams is null
            or slices.team_id in (
                select ancestors.team_id
                from {{ ref('bridge_team_ancestors') }} as ancestors
                where ancestors.ancestor_team_id in (select team_id from named_teams)
                    and (ancestors.distance = 0 or include_subteams)
            )
        )
        and (
            group_by = 'team'
            or (
                group_by = 'none'
                and not exists (
                    select 1
                    from slices as upper_slices
                    inner join {{ ref('bridge_team_ancestors') }} as ancestors
                        on upper_slices.team_id = ancestors.ancestor_team_id
                    where upper_slices.assignee_kind = 'team'
                        and upper_slices.is_team_rollup
                        and ancestors.team_id = slices.team_id
                        and ancestors.distance > 0
                )
            )
        )
),

all_slices as (
    select * from owner_slices
    union all
    select * from team_slices
),

-- A team's row shows the team's goal if it has one, else its members' goals; all in one, the other way.
group_slices as (
    select *
    from all_slices
    qualify kind = case
        when group_by = 'team' then max(kind) over (partition by group_id)
        else min(kind) over (partition by group_id)
    end
),

-- The part of each slice that lies in the range, and of that the part in each bucket.
portions as (
    select
        group_slices.group_id,
        buckets.bucket_start,
        group_slices.kind,
        group_slices.target_amount,
        greatest(group_slices.period_start, buckets.range_from) as part_from,
        least(group_slices.period_end, buckets.range_to) as part_to,
        greatest(group_slices.period_start, buckets.first_day) as portion_from,
        least(group_slices.period_end, buckets.end_day) as portion_to,
        case target_mode when 'prorated' then group_slices.period_start else part_from end as counted_from,
        case target_mode when 'prorated' then group_slices.period_end else part_to end as counted_to,
        {{ cents_until('group_slices.target_amount', '(portion_to - counted_from)', '(counted_to - counted_from)') }}
        - {{ cents_until('group_slices.target_amount', '(portion_from - counted_from)', '(counted_to - counted_from)') }}
            as target_cents
    from group_slices
    inner join buckets
        on group_slices.period_start < buckets.end_day
        and group_slices.period_end > buckets.first_day
),

-- What should have come in by run_ts, if targets are met evenly over time.
targets as (
    select
        portions.group_id,
        portions.bucket_start,
        cast(cast(sum(portions.target_cents) as decimal(36, 0)) * 0.01 as decimal(38, 2)) as target_amount,
        sum(
            portions.target_cents / 100 * {{ elapsed_share('portions.portion_from', 'portions.portion_to') }}
        ) as expected_amount
    from portions
    cross join {{ ref('build_info') }} as build_info
    group by all
),

group_kinds as (
    select group_id, any_value(kind) as kind, bool_or(kind = 'team' and is_team_rollup) as is_rolled_up
    from group_slices
    group by group_id
),

won_deals as (
    select
        deal_id,
        case owner_basis when 'as_of' then owner_id_at_close else owner_id end as owner_id,
        pipeline_id,
        close_date,
        company_amount
    from {{ ref('fct_deals') }}
    where is_won
        and close_date >= try_cast(date_from as date)
        and close_date < try_cast(date_to as date)
),

-- The deals of a row: those of its scope, and below a team whose goal takes in the teams below.
scoped_deals as (
    select
        deal_scope.group_id,
        deal_scope.group_label,
        deal_scope.parent_team_id,
        deal_scope.depth,
        won_deals.*
    from won_deals
    inner join deal_scope
        on won_deals.owner_id = deal_scope.owner_id
        and won_deals.pipeline_id = deal_scope.pipeline_id
    union
    select
        rows_found.group_id,
        rows_found.group_label,
        rows_found.parent_team_id,
        rows_found.depth,
        won_deals.*
    from (select distinct group_id, group_label, parent_team_id, depth, kind, is_team_rollup from group_slices) as rows_found
    inner join {{ ref('bridge_team_ancestors') }} as ancestors on rows_found.group_id = ancestors.ancestor_team_id
    inner join {{ ref('dim_owners') }} as dim_owners on ancestors.team_id = dim_owners.team_id
    inner join won_deals on dim_owners.owner_id = won_deals.owner_id
    where group_by = 'team'
        and rows_found.kind = 'team'
        and rows_found.is_team_rollup
        and (pipelines is null or won_deals.pipeline_id in (
            {{ named_ids('pipelines', ref('dim_pipelines'), 'pipeline_id', 'pipeline_label') }}
        ))
),

goal_pipelines as (
    select * from {{ ref('bridge_goal_pipelines') }} where goal_id in (select goal_id from asked_goals)
),

-- The slices that a deal falls into: of its owner, or of the row's team. A slice decides which
-- pipelines count; outside of all slices the goal does, with all that any slice names.
covered_deals as (
    select
        scoped_deals.group_id,
        scoped_deals.deal_id,
        bool_or(slices.is_of_all_pipelines or goal_pipelines.pipeline_id is not null) as is_counted
    from scoped_deals
    left join group_kinds on scoped_deals.group_id = group_kinds.group_id
    inner join slices
        on scoped_deals.close_date >= slices.period_start
        and scoped_deals.close_date < slices.period_end
        and case coalesce(group_kinds.kind, 'owner')
            when 'owner' then slices.assignee_kind = 'owner' and slices.owner_id = scoped_deals.owner_id
            else slices.assignee_kind = 'team' and slices.team_id = scoped_deals.group_id
        end
    left join goal_pipelines
        on slices.assignee_kind = goal_pipelines.assignee_kind
        and slices.owner_id = goal_pipelines.owner_id
        and slices.team_id = goal_pipelines.team_id
        and slices.period_start = goal_pipelines.period_start
        and slices.period_end = goal_pipelines.period_end
        and scoped_deals.pipeline_id = goal_pipelines.pipeline_id
    group by all
),

deals as (
    select scoped_deals.*, buckets.bucket_start
    from scoped_deals
    inner join buckets
        on scoped_deals.close_date >= buckets.first_day
        and scoped_deals.close_date < buckets.end_day
    left join covered_deals
        on scoped_deals.group_id = covered_deals.group_id
        and scoped_deals.deal_id = covered_deals.deal_id
    where coalesce(
        covered_deals.is_counted,
        scoped_deals.pipeline_id in (select pipeline_id from goal_pipelines)
        or coalesce((select bool_or(is_of_all_pipelines) from goals where goal_id in (select goal_id from asked_goals)), true)
    )
),

rows_with_something as (
    select group_id, group_label, parent_team_id, depth from deals
    union
    select group_id, group_label, parent_team_id, depth from group_slices
),

spine as (
    {{ report_spine('rows_with_something') }}
),

actuals as (
    select
        group_id,
        bucket_start,
        count(*) as won_count,
        coalesce(sum(company_amount), 0) as actual_amount
    from deals
    group by all
),

measured as (
    select
        spine.*,
        goals.goal_id,
        goals.goal_name,
        goals.milestone,
        group_kinds.kind as assignee_kind,
        targets.target_amount,
        coalesce(actuals.actual_amount, 0) as actual_amount,
        coalesce(actuals.won_count, 0) as won_count,
        targets.expected_amount,
        {{ elapsed_share('buckets.first_day', 'buckets.end_day') }} as elapsed_share
    from spine
    inner join buckets on spine.bucket_start = buckets.bucket_start
    cross join {{ ref('build_info') }} as build_info
    left join goals on goals.goal_id in (select goal_id from asked_goals)
    left join group_kinds on spine.group_id = group_kinds.group_id
    left join targets
        on spine.group_id = targets.group_id
        and spine.bucket_start = targets.bucket_start
    left join actuals
        on spine.group_id = actuals.group_id
        and spine.bucket_start = actuals.bucket_start
),

-- Buckets that are cumulative run on by themselves.
running as (
    select
        *,
        case when cumulative then target_amount else sum(target_amount) over up_to_here end as cumulative_target_amount,
        case when cumulative then actual_amount else sum(actual_amount) over up_to_here end as cumulative_actual_amount,
        case when cumulative then expected_amount else sum(expected_amount) over up_to_here end as cumulative_expected_amount
    from measured
    window up_to_here as (partition by group_id order by bucket_start)
),

compared as (
    select
        * exclude (expected_amount, cumulative_expected_amount),
        case compare_against when 'cumulative' then cumulative_actual_amount else actual_amount end as compared_actual,
        case compare_against when 'cumulative' then cumulative_target_amount else target_amount end as compared_target,
        case compare_against when 'cumulative' then cumulative_expected_amount else expected_amount end as expected_amount
    from running
),

final as (
    select
        group_id,
        group_label,
        parent_team_id,
        depth,
        bucket_start,
        is_last_bucket,
        goal_id,
        goal_name,
        milestone,
        assignee_kind,
        target_amount,
        actual_amount,
        won_count,
        cumulative_target_amount,
        cumulative_actual_amount,
        elapsed_share,
        compared_actual / nullif(compared_target, 0) as attainment_rate,
        compared_target - compared_actual as gap_amount,
        expected_amount
    from compared
)

select {{ report_columns() }}
from final
order by {{ report_order('target_amount') }}
