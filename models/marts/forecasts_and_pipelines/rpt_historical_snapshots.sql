{{ config(materialized=spelled_out(), meta={'rows_of_day': 'snapshot_date'}) }}
with

dates as (
    select * from {{ ref('dim_snapshot_dates') }}
),

stored as (
    select * from {{ ref('fct_stored_snapshots') }}
),

owners as (
    select * from {{ ref('dim_owners') }}
),

pipelines as (
    select * from {{ ref('dim_pipelines') }}
),

stages as (
    select * from {{ ref('dim_stages') }}
),

levels as (
    select * from {{ ref('fct_snapshot_levels') }}
),

-- What was kept at the time is not computed again (K7).
other_dates as (
    select snapshot_date from dates where not is_stored
),

reconstructed as (
    {{ snapshots_shown('levels', 'other_dates') | indent(4) }}
),

snapshots as (
    select
        snapshot_date,
        owner_id,
        pipeline_id,
        stage_pipeline_id,
        stage_id,
        forecast_category,
        amount_band,
        deal_status,
        deal_count,
        total_amount,
        weighted_amount,
        unknown_count
    from reconstructed
    union all
    select
        snapshot_date,
        owner_id,
        pipeline_id,
        stage_pipeline_id,
        stage_id,
        forecast_category,
        amount_band,
        deal_status,
        deal_count,
        total_amount,
        weighted_amount,
        unknown_count
    from stored
),

final as (
    select
        snapshots.snapshot_date,
        snapshots.stage_id,
        coalesce(stages.stage_label, '(Unknown)') as stage_label,
        snapshots.forecast_category,
        snapshots.amount_band,
        snapshots.deal_status,
        owners.owner_id,
        owners.owner_name,
        owners.team_id,
        owners.team_name,
        snapshots.pipeline_id,
        coalesce(pipelines.pipeline_label, '(Unknown)') as pipeline_label,
        cast(snapshots.deal_count as bigint) as deal_count,
        cast(snapshots.total_amount as {{ decimal_type(2) }}) as total_amount,
        cast(snapshots.weighted_amount as {{ decimal_type(2) }}) as weighted_amount,
        cast(snapshots.unknown_count as bigint) as unknown_count,
        dates.is_stored or dates.is_stored_by_this_run as is_stored
    from snapshots
    inner join dates on snapshots.snapshot_date = dates.snapshot_date
    inner join owners on snapshots.owner_id = owners.owner_id
    left join pipelines on snapshots.pipeline_id = pipelines.pipeline_id
    left join stages
        on snapshots.stage_pipeline_id = stages.pipeline_id
        and snapshots.stage_id = stages.stage_id
)

select * from final
