{{ report_function(
    arguments={
        'stages': none,
        'optional_stages': none,
    },
    has_pipelines=false,
) }}

with

asked_stages as (
    select
        *,
        coalesce(
            list_position(try_cast(stages as varchar[]), stage_id),
            list_position(try_cast(stages as varchar[]), stage_label),
            journey_position
        ) as asked_place
    from {{ ref('dim_lifecycle_stages') }}
    where (stages is null and journey_position is not null)
        or stage_id in (
            {{ named_ids('stages', ref('dim_lifecycle_stages'), 'stage_id', 'stage_label') }}
        )
),

optional_ids as (
    {{ named_ids('optional_stages', 'asked_stages', 'stage_id', 'stage_label') }}
),

-- The stages that are asked for, in the order in which they are asked. Unless it is said which are
-- optional, those of the seed are; the first one never is.
steps as (
    select
        row_number() over (order by asked_place) as position,
        stage_id,
        stage_label,
        row_number() over (order by asked_place) > 1
        and case
            when optional_stages is null then is_optional
            else stage_id in (select stage_id from optional_ids)
        end as is_optional
    from asked_stages
),

request as materialized (
    {{ report_request(
        names={
            'stages': [ref('dim_lifecycle_stages'), 'stage_id', 'stage_label'],
            'optional_stages': ['asked_stages', 'stage_id', 'stage_label'],
        },
        problems=[optional_first_step('steps')],
    ) }}
),

buckets as (
    select buckets.*
    from request
    cross join {{ report_buckets() }} as buckets
),

scope as (
    select * from {{ report_scope() }}
),

-- Nobody else walks: on a long past, most contacts were created outside of what is asked for.
asked_contacts as (
    {{ asked_records(ref('dim_contacts'), 'created_date') }}
),

contact_steps as (
    {{ lead_journey('steps', 'asked_contacts') | indent(4) }}
),

contacts as (
    select
        scope.*,
        buckets.bucket_start,
        contact_steps.*
    from contact_steps
    inner join {{ ref('dim_contacts') }} as dim_contacts
        on contact_steps.contact_id = dim_contacts.contact_id
    inner join scope
        on dim_contacts.owner_id = scope.owner_id
    inner join buckets
        on dim_contacts.created_date >= buckets.first_day
        and dim_contacts.created_date < buckets.end_day
),

spine as (
    {{ report_spine('contacts') }}
),

measured as (
    select
        spine.*,
        steps.position as stage_position,
        steps.stage_id,
        steps.stage_label,
        steps.is_optional,
        {{ lead_journey_measures() | indent(8) }}
    from spine
    cross join steps
    left join contacts
        on spine.group_id = contacts.group_id
        and spine.bucket_start = contacts.bucket_start
        and steps.position = contacts.position
    group by all
),

final as (
    select
        *,
        case
            when stage_position < max(stage_position) over ()
                then advanced_count / nullif(contact_count, 0)
        end as next_step_rate,
        contact_count / nullif(
            first_value(contact_count) over (partition by group_id, bucket_start order by stage_position), 0
        ) as cumulative_rate,
        time_to_next_ms / nullif(time_to_next_count, 0) as average_time_to_next_ms
    from measured
)

select {{ report_columns() }}
from final
order by {{ report_order('case when stage_position = 1 then contact_count end', then=['stage_position']) }}
