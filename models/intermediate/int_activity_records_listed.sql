-- The contacts, companies and deals of each activity as comma-joined lists, in the order of their
-- ids. A record by its name, else by what else is known of it, else by its id; contacts only where
-- personal data may be shown (K10).
with

records as (
    select * from {{ ref('bridge_activity_records') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

named as (
    select
        'contact' as record_type,
        contacts.contact_id as record_id,
        case
            when settings.include_personal_data then coalesce(
                nullif({{ trimmed("coalesce(contacts.first_name, '') || ' ' || coalesce(contacts.last_name, '')") }}, ''),
                contacts.email,
                'Contact ' || contacts.contact_id
            )
        end as record_name
    from {{ ref('dim_contacts') }} as contacts
    cross join settings
    union all
    select 'company', company_id, coalesce(company_name, domain, 'Company ' || company_id)
    from {{ ref('dim_companies') }}
    union all
    select 'deal', deal_id, coalesce(deal_name, 'Deal ' || deal_id)
    from {{ ref('fct_deals') }}
),

final as (
    select
        records.activity_type,
        records.activity_id,
        {%- for type in ['contact', 'company', 'deal'] %}
        string_agg(records.record_id, ',' order by {{ id_order('records.record_id') }})
            filter (where records.record_type = '{{ type }}') as {{ type }}_ids,
        string_agg(named.record_name, ',' order by {{ id_order('records.record_id') }})
            filter (where records.record_type = '{{ type }}') as {{ type }}_names{{ ',' if not loop.last }}
        {%- endfor %}
    from records
    inner join named
        on records.record_type = named.record_type
        and records.record_id = named.record_id
    group by records.activity_type, records.activity_id
)

select * from final
