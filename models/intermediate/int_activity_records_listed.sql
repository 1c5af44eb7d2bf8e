{{ config(materialized='view') }}
-- The contacts, companies and deals of each activity as comma-joined lists, in the order of their
-- ids. A record by its name, else by what else is known of it, else by its id; contacts only where
-- personal data may be shown (K10).
with

records as (
    select * from {{ changed(ref('bridge_activity_records'), ['activity_type', 'activity_id']) }}
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

-- Nearly every activity has one record of a type, whose id is the list; only where there are more
-- need they be put in order.
counted as (
    select
        activity_type,
        activity_id,
        {%- for type in ['contact', 'company', 'deal'] %}
        count(case when record_type = '{{ type }}' then 1 end) as {{ type }}_count,
        min(case when record_type = '{{ type }}' then record_id end) as {{ type }}_id{{ ',' if not loop.last }}
        {%- endfor %}
    from records
    group by activity_type, activity_id
),

-- By an import of its own: what is read twice, DuckDB first writes down whole.
all_records as (
    select * from {{ ref('bridge_activity_records') }}
),

several as (
    select
        all_records.activity_type,
        all_records.activity_id,
        {%- for type in ['contact', 'company', 'deal'] %}
        {%- set of_type = "case when all_records.record_type = '" ~ type ~ "' then " %}
        {{ joined_texts(of_type ~ 'all_records.record_id end', id_order('all_records.record_id')) }} as {{ type }}_ids,
        {{ joined_texts(of_type ~ 'named.record_name end', id_order('all_records.record_id')) }} as {{ type }}_names
        {{- ',' if not loop.last }}
        {%- endfor %}
    from all_records
    inner join counted
        on all_records.activity_type = counted.activity_type
        and all_records.activity_id = counted.activity_id
    -- Every record has a name; an inner join would tempt engines to name them all first.
    left join named
        on all_records.record_type = named.record_type
        and all_records.record_id = named.record_id
    where counted.contact_count > 1 or counted.company_count > 1 or counted.deal_count > 1
    group by all_records.activity_type, all_records.activity_id
),

final as (
    select
        counted.activity_type,
        counted.activity_id,
        {%- for type, plural in {'contact': 'contacts', 'company': 'companies', 'deal': 'deals'}.items() %}
        coalesce(several.{{ type }}_ids, counted.{{ type }}_id) as {{ type }}_ids,
        coalesce(several.{{ type }}_names, {{ plural }}.record_name) as {{ type }}_names{{ ',' if not loop.last }}
        {%- endfor %}
    from counted
    left join several
        on counted.activity_type = several.activity_type
        and counted.activity_id = several.activity_id
    {%- for type, plural in {'contact': 'contacts', 'company': 'companies', 'deal': 'deals'}.items() %}
    left join named as {{ plural }}
        on {{ plural }}.record_type = '{{ type }}'
        and counted.{{ type }}_id = {{ plural }}.record_id
    {%- endfor %}
)

select * from final
