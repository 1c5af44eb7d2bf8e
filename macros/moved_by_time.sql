{#
  What time, or another record, moves in rows of keyed models whose own record has not changed: statements
  after a night has computed the records that have (post_hook). Each of them says of every row what a full
  build would, so that it can be repeated.
#}


{# fct_deal_stage_visits: where the deal is still there, the visit lasts to run_ts. #}
{% macro visits_to_now(visits) -%}
update {{ visits }}
set duration_ms = {{ duration_ms('entered_at', 'settings.run_ts') }}
from {{ ref('int_run_settings') }} as settings
where exited_at is null
{%- endmacro %}


{# fct_deal_funnel_steps: and so does the time in the step that it is in. #}
{% macro funnel_times_to_now(steps) -%}
update {{ steps }} as steps
set time_in_stage_ms = visits.duration_ms
from (
    select
        deal_id,
        stage_id,
        cast(sum(duration_ms) as bigint) as duration_ms
    from {{ ref('fct_deal_stage_visits') }}
    where is_in_present_pipeline
    group by deal_id, stage_id
    having max(case when is_open_visit then 1 else 0 end) = 1
) as visits
where steps.deal_id = visits.deal_id
    and steps.stage_id = visits.stage_id
    and steps.is_timed
{%- endmacro %}


{# fct_deal_changes: which owner a user is, is said by the owners. #}
{% macro changers_of_now(changes) -%}
update {{ changes }} as changes
set changed_by_owner_id = users.owner_id
from (
    select
        known.changed_by_user_id,
        coalesce(users.owner_id, 'user:' || known.changed_by_user_id) as owner_id
    from (
        select changed_by_user_id
        from {{ changes }}
        where changed_by_user_id is not null
        group by changed_by_user_id
    ) as known
    left join {{ ref('int_users_mapped_to_owners') }} as users on known.changed_by_user_id = users.user_id
) as users
where changes.changed_by_user_id = users.changed_by_user_id
    and changes.changed_by_owner_id <> users.owner_id
{%- endmacro %}
