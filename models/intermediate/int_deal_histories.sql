-- What is known of a deal's past, in one row per deal with a creation instant: where it begins, and
-- for which properties there are versions at all.
with

deals as (
    select * from {{ ref('int_deals_in_population') }} where deal_created_at is not null
),

versions as (
    select * from {{ ref('int_deal_property_versions') }}
),

histories as (
    select
        deal_id,
        min(case when property_name = 'dealstage' then changed_at end) as first_stage_at,
        count(distinct case when property_name = 'deal_currency_code' then text_value end) as currency_count,
        {%- for property in deal_state_properties() %}
        max(case when property_name = '{{ property }}' then 1 else 0 end) as {{ property }}_flag{{ ',' if not loop.last }}
        {%- endfor %}
    from versions
    group by deal_id
),

final as (
    select
        deals.deal_id,
        deals.deal_created_at,
        -- r0 (H3); without any stage version the present stage holds from the creation on (H5).
        coalesce(histories.first_stage_at, deals.deal_created_at) as first_stage_at,
        coalesce(histories.currency_count, 0) > 1 as has_changed_currency,
        {%- for property in deal_state_properties() %}
        coalesce(histories.{{ property }}_flag, 0) = 1 as has_{{ property }}_versions{{ ',' if not loop.last }}
        {%- endfor %}
    from deals
    left join histories on deals.deal_id = histories.deal_id
)

select * from final
