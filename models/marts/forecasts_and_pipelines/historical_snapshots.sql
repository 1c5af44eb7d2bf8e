{{ report_function(
    group_by=['pipeline'],
    arguments={
        'every': ['week', 'day', 'month', 'quarter'],
        'break_down_by': ['stage', 'amount_band', 'forecast_category'],
        'include_closed': none,
        'close_from': none,
        'close_to': none,
    },
) }}
{% set keys = {
    'owner_id': 'owner_id',
    'pipeline_id': 'pipeline_id',
    'stage_pipeline_id': "case break_down_by when 'stage' then stage_pipeline_id end",
    'stage_id': "case break_down_by when 'stage' then stage_id end",
    'amount_band': "case break_down_by when 'amount_band' then amount_band end",
    'forecast_category': "case break_down_by when 'forecast_category' then forecast_category end",
} %}

with

request as materialized (
    {{ report_request(problems=[
        "select 'close_to must not lie before close_from' "
        ~ "where cast(close_to as date) < cast(close_from as date)",
        "select 'cumulative: a snapshot counts what is there, not what came; leave it out' where cumulative",
    ]) }}
),

buckets as (
    select buckets.*
    from request
    cross join {{ report_buckets() }} as buckets
),

scope as (
    select * from {{ report_scope() }}
),

named_pipelines as (
    {{ named_ids('pipelines', ref('dim_pipelines'), 'pipeline_id', 'pipeline_label') }}
),

-- HubSpot shows closed deals too, unless pipelines are chosen.
closed as (
    select coalesce(include_closed, pipelines is null) as is_included
),

asked_days as (
    select
        dim_dates.date_day,
        case every
            when 'day' then true
            when 'week' then lead(week_start) over (order by date_day) <> week_start
            when 'month' then lead(month_start) over (order by date_day) <> month_start
            when 'quarter' then lead(fiscal_quarter_start) over (order by date_day) <> fiscal_quarter_start
        end as is_asked
    from {{ ref('dim_dates') }} as dim_dates
),

-- The last days of the periods asked for, and today as far as it is known. With a close-date range
-- nothing stored can answer (K7), nor the mart, whose levels know no close date.
dates as (
    select
        asked_days.date_day as snapshot_date,
        buckets.bucket_start,
        close_from is null
        and close_to is null
        and asked_days.date_day in (select snapshot_date from {{ ref('fct_stored_snapshots') }}) as is_stored,
        close_from is null
        and close_to is null
        and asked_days.date_day in (
            select snapshot_date from {{ ref('dim_snapshot_dates') }} as mart where not mart.is_stored
        ) as is_in_mart
    from asked_days
    cross join {{ ref('build_info') }} as build_info
    inner join buckets
        on asked_days.date_day >= buckets.first_day
        and asked_days.date_day < buckets.end_day
    where asked_days.date_day <= build_info.run_date
        and (asked_days.is_asked or asked_days.date_day = build_info.run_date)
),

-- Those of the mart are told from its levels; others from all states.
mart_dates as (
    select snapshot_date from dates where is_in_mart and not is_stored
),

other_dates as (
    select snapshot_date from dates where not is_in_mart and not is_stored
),

mart_levels as (
    {{ snapshot_levels('mart_dates', keys, spans_of_levels(
        "deal_status not in ('won', 'lost') or (select is_included from closed)"
    )) | indent(4) }}
),

other_levels as (
    {{ snapshot_levels('other_dates', keys, spans_of_states(
        "(deal_status = 'open' or is_stage_unknown or (select is_included from closed))"
        ~ " and (close_from is null or close_date >= cast(close_from as date))"
        ~ " and (close_to is null or close_date < cast(close_to as date))"
    )) | indent(4) }}
),

reconstructed as (
    {{ snapshots_shown('mart_levels', 'mart_dates') | indent(4) }}
    union all
    {{ snapshots_shown('other_levels', 'other_dates') | indent(4) }}
),

snapshots as (
    select * exclude (first_date, next_date) from reconstructed
    union all by name
    select
        stored.snapshot_date,
        stored.owner_id,
        stored.pipeline_id,
        case break_down_by when 'stage' then stored.stage_pipeline_id end as stage_pipeline_id,
        case break_down_by when 'stage' then stored.stage_id end as stage_id,
        case break_down_by when 'amount_band' then stored.amount_band end as amount_band,
        case break_down_by when 'forecast_category' then stored.forecast_category end as forecast_category,
        stored.deal_count,
        stored.total_amount,
        stored.weighted_amount,
        stored.unknown_count
    from {{ ref('fct_stored_snapshots') }} as stored
    inner join dates on stored.snapshot_date = dates.snapshot_date and dates.is_stored
    where stored.deal_status not in ('won', 'lost') or (select is_included from closed)
),

-- A stage belongs to a pipeline, bands and forecast categories do not.
deals as (
    select
        scope.* replace (
            case group_by when 'pipeline' then snapshots.pipeline_id else scope.group_id end as group_id,
            case group_by
                when 'pipeline' then coalesce(dim_pipelines.pipeline_label, '(Unknown)')
                else scope.group_label
            end as group_label
        ),
        snapshots.snapshot_date,
        case break_down_by when 'stage' then snapshots.pipeline_id end as pipeline_id,
        case break_down_by
            when 'stage' then coalesce(dim_pipelines.pipeline_label, '(Unknown)')
        end as pipeline_label,
        snapshots.stage_id,
        case break_down_by when 'stage' then coalesce(dim_stages.stage_label, '(Unknown)') end as stage_label,
        dim_stages.stage_position,
        snapshots.amount_band,
        snapshots.forecast_category,
        snapshots.deal_count,
        snapshots.total_amount,
        snapshots.weighted_amount,
        snapshots.unknown_count
    from snapshots
    inner join scope on snapshots.owner_id = scope.owner_id
    left join {{ ref('dim_pipelines') }} as dim_pipelines on snapshots.pipeline_id = dim_pipelines.pipeline_id
    left join {{ ref('dim_stages') }} as dim_stages
        on snapshots.stage_pipeline_id = dim_stages.pipeline_id
        and snapshots.stage_id = dim_stages.stage_id
    where pipelines is null or snapshots.pipeline_id in (select pipeline_id from named_pipelines)
),

group_pipelines as (
    select distinct group_id, group_label, parent_team_id, depth, pipeline_id from deals
    union
    select 'all', 'all', null, null, pipeline_id
    from {{ ref('dim_pipelines') }}
    where group_by = 'none'
        and (pipelines is not null or not is_archived)
        and (pipelines is null or pipeline_id in (select pipeline_id from named_pipelines))
),

-- Every stage of a group's pipelines, and what else deals were in; where nothing groups them, every
-- band and every forecast category of HubSpot.
cells as (
    select distinct
        group_id,
        group_label,
        parent_team_id,
        depth,
        pipeline_id,
        pipeline_label,
        stage_id,
        stage_label,
        stage_position,
        amount_band,
        forecast_category
    from deals
    union
    select
        group_pipelines.*,
        dim_stages.pipeline_label,
        dim_stages.stage_id,
        dim_stages.stage_label,
        dim_stages.stage_position,
        null,
        null
    from group_pipelines
    inner join {{ ref('dim_stages') }} as dim_stages
        on group_pipelines.pipeline_id = dim_stages.pipeline_id
    where break_down_by = 'stage'
        and dim_stages.is_known
        and not dim_stages.is_archived
        and (dim_stages.stage_class in ('open', 'unknown') or (select is_included from closed))
    union
    select 'all', 'all', null, null, null, null, null, null, null, amount_band, null
    from (select unnest({{ amount_bands() }}) as amount_band) as bands
    where group_by = 'none' and break_down_by = 'amount_band'
    union
    select 'all', 'all', null, null, null, null, null, null, null, null, forecast_category
    from (
        select
            unnest(['CLOSED', 'COMMIT', 'BEST_CASE', 'PIPELINE', 'OMIT', '(No category)']) as forecast_category
    ) as categories
    where group_by = 'none' and break_down_by = 'forecast_category'
),

spine as (
    select
        cells.*,
        dates.*,
        dates.snapshot_date = max(dates.snapshot_date) over () as is_last_date
    from cells
    cross join dates
),

final as (
    select
        spine.* exclude (is_stored, is_in_mart),
        cast(coalesce(sum(deals.deal_count), 0) as bigint) as deal_count,
        coalesce(sum(deals.total_amount), 0) as total_amount,
        coalesce(sum(deals.weighted_amount), 0) as weighted_amount,
        cast(coalesce(sum(deals.unknown_count), 0) as bigint) as unknown_count,
        spine.is_stored
        or (
            close_from is null
            and close_to is null
            and spine.snapshot_date in (
                select snapshot_date from {{ ref('dim_snapshot_dates') }} where is_stored_by_this_run
            )
        ) as is_stored
    from spine
    left join deals
        on spine.group_id = deals.group_id
        and spine.snapshot_date = deals.snapshot_date
        and spine.pipeline_id is not distinct from deals.pipeline_id
        and spine.stage_id is not distinct from deals.stage_id
        and spine.stage_label is not distinct from deals.stage_label
        and spine.amount_band is not distinct from deals.amount_band
        and spine.forecast_category is not distinct from deals.forecast_category
    group by all
)

select {{ report_columns(
    order_only=['is_last_date'],
    only_where={
        "break_down_by = 'stage'": [
            'pipeline_id', 'pipeline_label', 'stage_id', 'stage_label', 'stage_position',
        ],
        "break_down_by = 'amount_band'": ['amount_band'],
        "break_down_by = 'forecast_category'": ['forecast_category'],
    },
) }}
from final
order by
    sum(deal_count) filter (where is_last_date) over (partition by group_id) desc nulls last,
    group_label,
    group_id,
    snapshot_date,
    pipeline_label,
    pipeline_id,
    stage_position nulls last,
    stage_label,
    stage_id,
    list_position({{ amount_bands() }}, amount_band) nulls last,
    {{ forecast_category_order('forecast_category') }},
    forecast_category
