-- What the load step turned away (K6): rows by their place in the load, values by their record.
with

rejected_rows as (
    select * from {{ ref('stg_hubspot__rejected_rows') }}
),

rejected_values as (
    select * from {{ ref('stg_hubspot__rejected_values') }}
),

-- Of a property history the rejected column is `value`; the reason ends in 'value of <property>'.
values_by_column as (
    select
        table_name,
        case
            when column_name = 'value' then {{ text_part('reason', ' value of ', 2) }}
            else column_name
        end as column_name,
        record_id
    from rejected_values
),

final as (
    select
        'rejected_rows' as issue,
        table_name,
        cast(null as {{ text_type() }}) as column_name,
        coalesce(record_id || ' ', '') || '(row ' || cast(offered_row_number as {{ text_type() }}) || ')' as record_id
    from rejected_rows
    union all
    select
        'rejected_values' as issue,
        table_name,
        column_name,
        record_id
    from values_by_column
    group by table_name, column_name, record_id
)

select * from final
