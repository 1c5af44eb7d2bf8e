-- Every version that changes a deal's stage, or its outcome by a change of pipeline alone (12i), named
-- as report 12 names it (12a, 12b). A deal that begins closed was won or lost at its creation (12c).
{{ config(materialized='view') }}
{% set entries_in_order = '(partition by deal_id order by entry_number)' -%}
with

entries as (
    select * from {{ changed(ref('int_deal_stage_entries'), 'deal_id') }}
),

stages as (
    select * from {{ ref('int_stage_pairs_resolved') }}
),

resolved as (
    select
        entries.*,
        stages.stage_pipeline_id,
        stages.stage_label,
        stages.stage_class,
        stages.stage_position,
        stages.deal_status
    from entries
    inner join stages
        on entries.pipeline_id = stages.pipeline_id
        and entries.stage_id = stages.stage_id
),

compared as (
    select
        *,
        lag(pipeline_id) over {{ entries_in_order }} as old_pipeline_id,
        lag(stage_id) over {{ entries_in_order }} as old_stage_id,
        lag(stage_pipeline_id) over {{ entries_in_order }} as old_stage_pipeline_id,
        lag(stage_class) over {{ entries_in_order }} as old_stage_class,
        lag(stage_position) over {{ entries_in_order }} as old_stage_position,
        lag(deal_status) over {{ entries_in_order }} as old_deal_status
    from resolved
),

changes as (
    select
        *,
        case when is_pipeline_only then 'pipeline' else 'dealstage' end as property,
        case when is_pipeline_only then old_pipeline_id else old_stage_id end as old_value,
        case when is_pipeline_only then pipeline_id else stage_id end as new_value,
        case
            -- An unknown class counts as open here (P4).
            when old_deal_status is distinct from deal_status
                then case when deal_status = 'open' then 'reopened' else deal_status end
            -- An archived stage is no step of its pipeline (P3).
            when old_stage_class = 'open'
                and stage_class = 'open'
                and old_stage_pipeline_id = stage_pipeline_id
                and old_stage_position is not null
                and stage_position is not null
                then case when stage_position > old_stage_position then 'stage_forward' else 'stage_back' end
            else 'stage_other'
        end as category
    from compared
    where (entry_number = 1 and deal_status <> 'open')
        or old_stage_id <> stage_id
        or old_deal_status <> deal_status
),

final as (
    select
        deal_id,
        entry_number,
        entered_at as changed_at,
        category,
        property,
        old_value,
        new_value,
        deal_status,
        stage_pipeline_id,
        stage_id,
        stage_label,
        source_type,
        updated_by_user_id
    from changes
)

select * from final
