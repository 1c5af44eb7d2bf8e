-- Lost by the class of the stage (C4), not by the deal's own probability.
with

lost_deals as (
    select * from {{ ref('fct_deals') }} where is_lost
),

parts as (
    select
        deal_id,
        {{ split_to_rows('loss_reason', ';') }} as part
    from lost_deals {{ from_split('loss_reason', ';') }}
),

spelled_reasons as (
    select
        deal_id,
        {{ collapse_whitespace('part') }} as spelling
    from parts
),

-- One row per part: each is one vote for its spelling (21a).
all_reasons as (
    select deal_id, {{ without_case('spelling') }} as reason_key, spelling
    from spelled_reasons
    where spelling <> ''
    union all
    select deal_id, '(no reason)' as reason_key, '(No reason)' as spelling
    from lost_deals
    where not exists (
        select 1 from spelled_reasons
        where spelled_reasons.deal_id = lost_deals.deal_id and spelled_reasons.spelling <> ''
    )
),

ranked_spellings as (
    select
        reason_key,
        spelling,
        row_number() over (
            partition by reason_key order by count(*) desc, {{ code_points('spelling') }}
        ) as spelling_rank
    from all_reasons
    group by reason_key, spelling
),

deal_reasons as (
    select deal_id, reason_key
    from all_reasons
    group by deal_id, reason_key
),

final as (
    select
        lost_deals.deal_id,
        ranked_spellings.spelling as loss_reason,
        lost_deals.close_date,
        lost_deals.owner_id,
        lost_deals.owner_name,
        lost_deals.team_id,
        lost_deals.team_name,
        lost_deals.pipeline_id,
        lost_deals.pipeline_label,
        lost_deals.company_amount
    from deal_reasons
    inner join ranked_spellings
        on deal_reasons.reason_key = ranked_spellings.reason_key
        and ranked_spellings.spelling_rank = 1
    inner join lost_deals on deal_reasons.deal_id = lost_deals.deal_id
)

select * from final
