-- The stretches of a deal's life between two changes of its state, with the values that hold in each. A
-- property without any version has none here (H5). Gaps in the history (H4) begin and end stretches too.
{{ config(materialized='view') }}
{% set gap_properties = ['dealstage', 'pipeline', 'amount', 'hs_manual_forecast_category'] -%}
{% set instants_so_far = '(partition by deal_id order by valid_from rows between unbounded preceding and current row)' -%}
{% set instants_in_order = '(partition by deal_id order by valid_from)' -%}
with

deals as (
    select * from {{ changed(ref('int_deal_histories'), 'deal_id') }}
),

versions as (
    select * from {{ changed(ref('int_deal_property_versions'), 'deal_id') }} where valid_from is not null
),

gaps as (
    select *
    from {{ changed(ref('int_deal_history_gaps'), 'deal_id') }}
    where property_name in ('{{ gap_properties | join("', '") }}')
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

-- The creation begins the first state, whatever versions there are.
events as (
    select
        deal_id,
        valid_from,
        property_name,
        version_number,
        text_value,
        number_value,
        instant_value,
        0 as gap_change
    from versions
    union all
    select deal_id, deal_created_at, null, null, null, null, null, 0 from deals
    union all
    select deal_id, gap_from, property_name, null, null, null, null, 1 from gaps
    union all
    select deal_id, gap_to, property_name, null, null, null, null, -1 from gaps
),

instants as (
    select
        events.deal_id,
        events.valid_from,
        {%- for property in deal_state_properties() %}
        max(case when events.property_name = '{{ property }}' then events.version_number end) as {{ property }}_number,
        max(case when events.property_name = '{{ property }}' then events.{{ deal_version_value(property) }} end) as {{ property }},
        {%- endfor %}
        {%- for property in gap_properties %}
        sum(case when events.property_name = '{{ property }}' then events.gap_change else 0 end) as {{ property }}_gap_change,
        {%- endfor %}
        max(abs(events.gap_change)) as has_gap_change
    from events
    cross join settings
    where events.valid_from < settings.run_ts
    group by events.deal_id, events.valid_from
),

carried as (
    select
        deal_id,
        valid_from,
        has_gap_change,
        {%- for property in deal_state_properties() %}
        {{ value_in_force(property, property ~ '_number', instants_so_far) }} as {{ property }},
        {%- endfor %}
        {%- for property in gap_properties %}
        sum({{ property }}_gap_change) over {{ instants_so_far }} > 0 as is_{{ property }}_unknown{{ ',' if not loop.last }}
        {%- endfor %}
    from instants
),

compared as (
    select
        *,
        {%- for property in deal_state_properties() %}
        lag({{ property }}) over {{ instants_in_order }} as previous_{{ property }},
        {%- endfor %}
        lag(valid_from) over {{ instants_in_order }} as previous_valid_from
    from carried
),

-- A version that says the same again changes nothing.
final as (
    select
        deal_id,
        cast(row_number() over {{ instants_in_order }} as bigint) as state_number,
        valid_from,
        lead(valid_from) over {{ instants_in_order }} as valid_to
        {%- for property in deal_state_properties() %},
        {{ property }}
        {%- endfor %}
        {%- for property in gap_properties %},
        is_{{ property }}_unknown
        {%- endfor %}
    from compared
    where previous_valid_from is null
        or has_gap_change = 1
        {%- for property in deal_state_properties() %}
        or {{ property }} is distinct from previous_{{ property }}
        {%- endfor %}
)

select * from final
