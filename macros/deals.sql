{#
  The properties whose versions make up a deal's state: HubSpot's name → column of
  stg_hubspot__deals. `quoted` gives the names as an SQL list.
#}
{% macro deal_state_properties(quoted=false) %}
{%- set properties = {
    'pipeline': 'pipeline_id',
    'dealstage': 'stage_id',
    'amount': 'amount',
    'closedate': 'closedate',
    'hubspot_owner_id': 'owner_id',
    'hs_manual_forecast_category': 'hs_manual_forecast_category',
    'hs_deal_stage_probability': 'hs_deal_stage_probability',
} -%}
{{- return("'" ~ properties | join("', '") ~ "'" if quoted else properties) -}}
{% endmacro %}


{# The column of int_deal_property_versions that holds the values of a property of a deal's state (H10). #}
{% macro deal_version_value(property) %}
{{- return({
    'amount': 'number_value',
    'hs_deal_stage_probability': 'number_value',
    'closedate': 'instant_value',
}.get(property, 'text_value')) -}}
{% endmacro %}


{#
  Probability that counts, 0…1: the class of the stage comes first, then the deal's own probability,
  then the stage's; a stage that is unknown has none (17d, 19a).
#}
{% macro deal_probability(deal_status, own_probability, stage_probability) -%}
cast(
    case
        when {{ deal_status }} = 'won' then 1
        when {{ deal_status }} = 'lost' then 0
        when {{ own_probability }} >= 0 then least({{ own_probability }}, 1)
        else coalesce({{ stage_probability }}, 0)
    end as {{ decimal_type(10) }}
)
{%- endmacro %}
