-- All findings about single records. Deals have the present status, so that a report that reads won
-- deals only is not charged with open ones.
with

final as (
    select issue, table_name, column_name, record_id, deal_status
    from {{ ref('int_data_quality_deals') }}
    union all
    select issue, table_name, column_name, record_id, deal_status
    from {{ ref('int_data_quality_deal_histories') }}
    union all
    select issue, table_name, column_name, record_id, cast(null as {{ text_type() }}) as deal_status
    from {{ ref('int_data_quality_activities') }}
    union all
    select issue, table_name, column_name, contact_id as record_id, cast(null as {{ text_type() }}) as deal_status
    from {{ ref('int_data_quality_contacts') }}
    union all
    select issue, table_name, column_name, record_id, cast(null as {{ text_type() }}) as deal_status
    from {{ ref('int_data_quality_goals') }}
    union all
    select issue, table_name, column_name, record_id, cast(null as {{ text_type() }}) as deal_status
    from {{ ref('int_data_quality_rejects') }}
)

select * from final
