-- The instants at which something about a deal's state changes, and for each property the number
-- of the value in force (int_deal_property_values). Numbers grow with time, so that a running maximum
-- carries them forward: no as-of join, and one sort of narrow rows. Gaps in the history (H4) begin and end here too.
{% set gap_properties = ['dealstage', 'pipeline', 'amount', 'hs_manual_forecast_category'] -%}
with

property_values as (
    select * from {{ ref('int_deal_property_values') }}
),

gaps as (
    select *
    from {{ ref('int_deal_history_gaps') }}
    where property_name in ('{{ gap_properties | join("', '") }}')
),

settings as (
    select * from {{ ref('int_run_settings') }}
),

events as (
    select deal_id, property_name, valid_from, value_number, 0 as gap_change
    from property_values
    union all
    select deal_id, property_name, gap_from as valid_from, null as value_number, 1 as gap_change
    from gaps
    union all
    select deal_id, property_name, gap_to as valid_from, null as value_number, -1 as gap_change
    from gaps
),

changes as (
    select
        events.deal_id,
        events.valid_from
        {%- for property in deal_state_properties() %},
        max(case when events.property_name = '{{ property }}' then events.value_number end) as {{ property }}_number
        {%- endfor %}
        {%- for property in gap_properties %},
        sum(case when events.property_name = '{{ property }}' then events.gap_change else 0 end) as {{ property }}_gap_change
        {%- endfor %}
    from events
    cross join settings
    where events.valid_from < settings.run_ts
    group by events.deal_id, events.valid_from
),

final as (
    select
        deal_id,
        row_number() over changes_in_order as state_number,
        valid_from,
        lead(valid_from) over changes_in_order as valid_to
        {%- for property in deal_state_properties() %},
        max({{ property }}_number) over changes_so_far as {{ property }}_number
        {%- endfor %}
        {%- for property in gap_properties %},
        sum({{ property }}_gap_change) over changes_so_far > 0 as is_{{ property }}_unknown
        {%- endfor %}
    from changes
    window changes_in_order as (partition by deal_id order by valid_from),
    changes_so_far as (
        partition by deal_id order by valid_from rows between unbounded preceding and current row
    )
)

select * from final
