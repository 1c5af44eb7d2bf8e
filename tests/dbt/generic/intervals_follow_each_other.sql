{#
  The half-open intervals of each group are disjoint and without gaps, and only the last one is open:
  each ends where the next one begins. Fails with the intervals that do not.
#}
{% test intervals_follow_each_other(model, partition_by, valid_from, valid_to, order_by=none) %}
select *
from (
    select
        *,
        lead({{ valid_from }}) over (
            partition by {{ partition_by }} order by {{ order_by or valid_from }}
        ) as next_valid_from
    from {{ rows_to_hold(model, [partition_by]) }}
) as followed
where {{ valid_to }} is distinct from next_valid_from
{% endtest %}
