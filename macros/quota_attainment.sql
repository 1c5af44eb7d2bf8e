{# What only the function of report 18, quota attainment, needs. #}


{# Select of the ids of the goals that the argument `goal` means: by id or name, or the only one (K14). #}
{% macro asked_goal(goals) -%}
select goal_id
from {{ goals }}
where (goal is null and goal_count = 1)
    or goal_id = goal
    or (goal_name = goal and goal not in (select goal_id from {{ goals }}))
{%- endmacro %}


{# Select of one problem where the argument `goal` does not mean exactly one goal; none where there are no goals. #}
{% macro wrong_goal(goals, asked_goals) -%}
select case
        when goal is null then 'goal is needed where there are several'
        else 'goal has ' || goal || ', which is ' || case when asked_count = 0 then 'unknown' else 'ambiguous' end
    end || '; choose from: ' || choices as problem
from (
    select
        string_agg(coalesce(goal_name || ' (' || goal_id || ')', goal_id), ', ' order by goal_name, goal_id) as choices,
        (select count(*) from {{ asked_goals }}) as asked_count
    from {{ goals }}
) as all_goals
where choices is not null and asked_count <> 1
{%- endmacro %}


{#
  A share of an amount in whole cents (HUGEINT): amount × days / all_days, rounded half away from zero
  without leaving integers. Parts that are differences of such shares add up to the whole exactly.
#}
{% macro cents_until(amount, days, all_days) -%}
sign({{ amount }}) * (
    (2 * abs(cast({{ amount }} * 100 as hugeint)) * {{ days }} + {{ all_days }}) // nullif(2 * {{ all_days }}, 0)
)
{%- endmacro %}


{# How much of the days [from_day, to_day) lies behind run_ts, 0 to 1 (18d, DOUBLE); needs `build_info`. #}
{% macro elapsed_share(from_day, to_day) -%}
{%- set begins = local_midnight(from_day, 'build_info.time_zone') -%}
{%- set ends = local_midnight(to_day, 'build_info.time_zone') -%}
least(greatest({{ duration_ms(begins, 'build_info.run_ts') }}, 0), {{ duration_ms(begins, ends) }})
/ nullif({{ duration_ms(begins, ends) }}, 0)
{%- endmacro %}
