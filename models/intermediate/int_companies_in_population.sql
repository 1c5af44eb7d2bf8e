-- The companies that reports count (C10, P1).
with

companies as (
    select * from {{ ref('stg_hubspot__companies') }}
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

dated as (
    select
        *,
        coalesce(createdate, created_at) as company_created_at
    from companies
),

final as (
    select dated.*
    from dated
    cross join settings
    where dated.is_archived is distinct from true
        and dated.hard_deleted_at is null
        and dated.merged_into_id is null
        and (dated.company_created_at is null or dated.company_created_at < settings.run_ts)
)

select * from final
