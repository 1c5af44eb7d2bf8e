-- The deals that a night computes anew: those of which the source has changed anything since the
-- build before, those of owners that have changed, and those to which time has come: something of theirs
-- lies between the run_ts before and this one. Without a build before there are none, and none is needed.
-- Few of them concern rows of activities and contacts, too (orchestration/ingest/concerns.py).
with

records as (
    select * from {{ ref('stg_hubspot__changed_records') }}
),

deals as (
    select * from {{ ref('stg_hubspot__deals') }}
),

versions as (
    select * from {{ ref('stg_hubspot__deal_property_history') }}
),

gaps as (
    select * from {{ ref('stg_hubspot__history_gaps') }} where table_name = 'deal_property_history'
),

settings as (
    select
        *,
        {{ local_date('follows_run_ts', 'time_zone') }} as follows_run_date
    from {{ ref('int_run_settings') }}
),

touched as (
    select
        record_id as deal_id,
        concerns_activities,
        concerns_contacts
    from records
    where object_type = 'deal'
    union all
    select
        deals.deal_id,
        false as concerns_activities,
        false as concerns_contacts
    from deals
    inner join records on deals.owner_id = records.record_id
    where records.object_type = 'owner'
    union all
    -- Created in the future, until now.
    select
        deals.deal_id,
        true as concerns_activities,
        true as concerns_contacts
    from deals
    inner join settings
        on coalesce(deals.createdate, deals.hs_createdate, deals.created_at)
        between settings.follows_run_ts and settings.run_ts
    union all
    select
        versions.deal_id,
        false as concerns_activities,
        false as concerns_contacts
    from versions
    inner join settings on versions.changed_at between settings.follows_run_ts and settings.run_ts
    union all
    select
        gaps.object_id as deal_id,
        false as concerns_activities,
        false as concerns_contacts
    from gaps
    inner join settings
        on gaps.gap_from between settings.follows_run_ts and settings.run_ts
        or gaps.gap_to between settings.follows_run_ts and settings.run_ts
    union all
    -- A close day has passed since then: it may have lapsed (12f, 14). It ends at a midnight that is at most two
    -- days after any of its instants.
    select
        deals.deal_id,
        false as concerns_activities,
        false as concerns_contacts
    from deals
    inner join settings
        on deals.closedate between {{ shifted('settings.follows_run_ts', -48, 'hour') }} and settings.run_ts
    union all
    select
        versions.deal_id,
        false as concerns_activities,
        false as concerns_contacts
    from versions
    inner join settings
        on versions.instant_value between {{ shifted('settings.follows_run_ts', -48, 'hour') }} and settings.run_ts
    where versions.property_name = 'closedate'
    union all
    -- With a month a new period begins, in which every deal may stand (14b), and with a year the calendar moves.
    select
        deals.deal_id,
        false as concerns_activities,
        false as concerns_contacts
    from deals
    inner join settings
        on extract(month from settings.run_date) <> extract(month from settings.follows_run_date)
        or extract(year from settings.run_date) <> extract(year from settings.follows_run_date)
),

-- When a deal without a date of its own was created is said by its first version (H2), and read by contacts.
undated as (
    select deal_id
    from deals
    where createdate is null
        and hs_createdate is null
        and created_at is null
),

final as (
    select
        touched.deal_id,
        max(case when touched.concerns_activities then 1 else 0 end) = 1 as concerns_activities,
        max(case when touched.concerns_contacts or undated.deal_id is not null then 1 else 0 end) = 1
            as concerns_contacts
    from touched
    left join undated on touched.deal_id = undated.deal_id
    group by touched.deal_id
)

select * from final
