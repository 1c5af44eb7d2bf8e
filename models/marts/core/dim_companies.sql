with

companies as (
    select * from {{ ref('int_companies_in_population') }}
),

owners as (
    select * from {{ ref('dim_owners') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

final as (
    select
        companies.company_id,
        companies.company_name,
        companies.domain,
        companies.industry,
        companies.country,
        companies.company_created_at as created_at,
        {{ local_date('companies.company_created_at', 'settings.time_zone') }} as created_date,
        owners.owner_id,
        owners.owner_name,
        owners.team_id,
        owners.team_name
    from companies
    cross join settings
    inner join owners on coalesce(companies.owner_id, 'none') = owners.owner_id
)

select * from final
