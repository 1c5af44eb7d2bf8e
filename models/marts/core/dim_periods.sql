with

dates as (
    select * from {{ ref('dim_dates') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

periods as (
    {%- for grain, first_day, months in [
        ('month', 'month_start', 1),
        ('quarter', 'fiscal_quarter_start', 3),
        ('year', 'fiscal_year_start', 12),
    ] %}
    select
        '{{ grain }}' as period_grain,
        {{ first_day }} as period_start,
        {{ months_after(first_day, months) }} as period_end
    from dates
    group by {{ first_day }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

final as (
    select
        cast(row_number() over (order by periods.period_grain, periods.period_start) as bigint) as period_id,
        periods.period_grain,
        periods.period_start,
        periods.period_end,
        {{ local_midnight('periods.period_start', 'settings.time_zone') }} as begin_at,
        {{ local_midnight('periods.period_end', 'settings.time_zone') }} as end_at
    from periods
    cross join settings
)

select * from final
