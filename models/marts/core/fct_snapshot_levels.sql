with

dates as (
    select * from {{ ref('dim_snapshot_dates') }}
),

-- What was kept at the time is not computed again (K7).
other_dates as (
    select snapshot_date from dates where not is_stored
),

levels as (
    {{ snapshot_levels('other_dates', {
        'owner_id': 'owner_id',
        'pipeline_id': 'pipeline_id',
        'stage_pipeline_id': 'stage_pipeline_id',
        'stage_id': 'stage_id',
        'forecast_category': 'forecast_category',
        'amount_band': 'amount_band',
        'deal_status': 'deal_status',
    }, spans_of_states()) | indent(4) }}
),

final as (
    select
        first_date,
        next_date,
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
    from levels
)

select * from final
