{# A rule that every row keeps, as one boolean expression. A NULL result fails too. Fails with the rows. #}
{% test row_rule(model, rule) %}
select *
from {{ model }}
where not coalesce({{ rule }}, false)
{% endtest %}
