with

chats as (
    select * from {{ ref('fct_conversations') }}
),

missing_inputs as (
    select * from {{ ref('int_missing_inputs') }}
),

final as (
    select
        created_date,
        channel,
        owner_id,
        owner_name,
        team_id,
        team_name,
        count(*) as chat_count,
        count(case when not is_closed then 1 end) as open_count,
        count(case when is_closed then 1 end) as closed_count
    from chats
    where created_date is not null
        and not exists (select 1 from missing_inputs where report = 'rpt_chats')
    group by created_date, channel, owner_id, owner_name, team_id, team_name
)

select * from final
