{# The categories of report 12 in its order (12a). #}
{% macro deal_change_categories() %}
{{- return([
    'created',
    'stage_forward',
    'stage_back',
    'stage_other',
    'moved_pipeline',
    'won',
    'lost',
    'reopened',
    'amount_increased',
    'amount_decreased',
    'close_date_pushed',
    'close_date_pulled',
    'close_date_changed',
    'auto_close_date',
    'lapsed',
]) -}}
{% endmacro %}
