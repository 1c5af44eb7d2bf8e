-- Reports whose raw tables or columns the source did not deliver (K11); those marts are empty.
-- Of the tables that share an `alternatives` name in the seed, any one will do.
with

inputs as (
    select * from {{ ref('report_inputs') }}
),

available_columns as (
    select * from {{ ref('stg_hubspot__available_columns') }}
),

checked as (
    select
        inputs.report,
        inputs.table_name,
        inputs.column_name,
        coalesce(inputs.alternatives, inputs.table_name || coalesce('.' || inputs.column_name, '')) as need,
        count(available_columns.table_name) as available_count
    from inputs
    left join available_columns
        on inputs.table_name = available_columns.table_name
        and coalesce(inputs.column_name, available_columns.column_name) = available_columns.column_name
    group by inputs.report, inputs.table_name, inputs.column_name, inputs.alternatives
),

final as (
    select
        report,
        case when max(column_name) is null then 'missing_table:' else 'missing_column:' end
        || {{ joined_texts("table_name || coalesce('.' || column_name, '')", code_points('table_name'), ', ') }} as issue
    from checked
    group by report, need
    having sum(available_count) = 0
)

select * from final
