-- Goals and chats name users, everything else owners. Several owners of one user: active first,
-- then the lowest id (P8).
with owners as (
    select * from {{ ref('stg_hubspot__owners') }}
),

ranked as (
    select
        user_id,
        owner_id,
        row_number() over (
            partition by user_id
            order by case when is_archived then 1 else 0 end, {{ code_points('owner_id') }}
        ) as choice
    from owners
    where user_id is not null
),

final as (
    select
        user_id,
        owner_id
    from ranked
    where choice = 1
)

select * from final
