-- Which value each property of a deal's state has, and from when: one row per deal, property and
-- instant at which the as-of value changes. From the creation on; what happened earlier only says
-- how the deal began (H8).
with

deals as (
    select * from {{ ref('int_deal_histories') }}
),

versions as (
    select * from {{ ref('int_deal_property_versions') }}
),

present as (
    select * from {{ ref('int_deals_in_population') }}
),

lost_beginnings as (
    select deal_id, property_name
    from {{ ref('int_deal_history_gaps') }}
    where is_beginning_lost
    group by deal_id, property_name
),

-- A first version also holds before its own time where nothing says that the property was empty
-- until then (H3), or where older versions are lost (H4).
placed as (
    select
        versions.deal_id,
        deals.deal_created_at,
        versions.property_name,
        versions.version_number as value_number,
        case
            when versions.changed_at <= deals.deal_created_at then deals.deal_created_at
            when versions.version_number > 1 then versions.changed_at
            when versions.property_name in ('dealstage', 'pipeline')
                or versions.changed_at <= deals.first_stage_at
                or lost_beginnings.deal_id is not null
                then deals.deal_created_at
            else versions.changed_at
        end as valid_from,
        versions.next_changed_at,
        versions.text_value,
        versions.number_value,
        versions.instant_value
    from versions
    inner join deals on versions.deal_id = deals.deal_id
    left join lost_beginnings
        on versions.deal_id = lost_beginnings.deal_id
        and versions.property_name = lost_beginnings.property_name
        and versions.version_number = 1
    where versions.property_name in ({{ deal_state_properties(quoted=true) }})
),

-- Several versions at one instant: the last one counts, the others were never observed (H7).
observed as (
    select
        *,
        lag(text_value) over values_in_order as previous_text,
        lag(number_value) over values_in_order as previous_value,
        lag(instant_value) over values_in_order as previous_instant
    from placed
    where next_changed_at is null or next_changed_at > valid_from
    window values_in_order as (partition by deal_id, property_name order by value_number)
),

-- A property without any version: its present value all along (H5), except for the probability,
-- which then is the stage's (17d).
constant as (
    {%- for property, column in deal_state_properties().items() if property != 'hs_deal_stage_probability' %}
    select
        present.deal_id,
        '{{ property }}' as property_name,
        cast(0 as bigint) as value_number,
        present.deal_created_at as valid_from,
        {{ 'cast(null as varchar)' if property in ('amount', 'closedate') else 'present.' ~ column }} as text_value,
        {{ 'present.amount' if property == 'amount' else 'cast(null as decimal(38, 10))' }} as number_value,
        {{ 'present.closedate' if property == 'closedate' else 'cast(null as ' ~ instant_type() ~ ')' }} as instant_value
    from present
    inner join deals on present.deal_id = deals.deal_id
    where not deals.has_{{ property }}_versions
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

final as (
    select deal_id, property_name, value_number, valid_from, text_value, number_value, instant_value
    from observed
    where valid_from = deal_created_at
        or text_value is distinct from previous_text
        or number_value is distinct from previous_value
        or instant_value is distinct from previous_instant
    union all
    select deal_id, property_name, value_number, valid_from, text_value, number_value, instant_value
    from constant
)

select * from final
