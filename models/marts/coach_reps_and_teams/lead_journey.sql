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

-- The mart has walked through the stages of the seed; through others everybody walks who is asked for.
walking_contacts as (
    {{ asked_records(ref('dim_contacts'), 'created_date') }}
        and (stages is not null or optional_stages is not null)
),

walked_steps as (
    {{ lead_journey('steps', 'walking_contacts') | indent(4) }}
),

owner_steps as (
    select
        created_date,
        stage_position,
        owner_id,
        {{ lead_journey_measure_names() | join(',\n        ') }}
    from {{ ref('rpt_lead_journey') }}
    where stages is null
        and optional_stages is null
    union all
    select
        walking_contacts.created_date,
        walked_steps.position as stage_position,
        walking_contacts.owner_id,
        {{ lead_journey_measures() | indent(8) }}
    from walked_steps
    inner join walking_contacts on walked_steps.contact_id = walking_contacts.contact_id
    group by walking_contacts.created_date, walked_steps.position, walking_contacts.owner_id
),

contacts as (
    select
        scope.*,
        buckets.bucket_start,
        owner_steps.* exclude (created_date, owner_id)
    from owner_steps
    inner join scope
        on owner_steps.owner_id = scope.owner_id
    inner join buckets
        on owner_steps.created_date >= buckets.first_day
        and owner_steps.created_date < buckets.end_day
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
        {{ measure_sums('contacts', lead_journey_measure_names()) | indent(8) }}
    from spine
    cross join steps
    left join contacts
        on spine.group_id = contacts.group_id
        and spine.bucket_start = contacts.bucket_start
        and steps.position = contacts.stage_position
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
