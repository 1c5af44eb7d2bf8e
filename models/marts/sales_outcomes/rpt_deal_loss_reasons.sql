with

loss_reasons as (
    select * from {{ ref('fct_deal_loss_reasons') }}
),

missing_inputs as (
    select * from {{ ref('int_missing_inputs') }}
),

final as (
    select
        close_date,
        loss_reason,
        owner_id,
        owner_name,
        team_id,
        team_name,
        pipeline_id,
        pipeline_label,
        count(*) as deal_count,
        cast(coalesce(sum(company_amount), 0) as {{ decimal_type(2) }}) as total_amount
    from loss_reasons
    where close_date is not null
        and not exists (select 1 from missing_inputs where report = 'rpt_deal_loss_reasons')
    group by close_date, loss_reason, owner_id, owner_name, team_id, team_name, pipeline_id, pipeline_label
)

select * from final
