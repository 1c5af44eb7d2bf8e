-- A finding touches the reports that read the column it is about; a row that was not loaded, those
-- that read its table. Warnings of the checks are added when these have run (K8).
with

findings as (
    select * from {{ ref('int_data_quality_findings') }}
),

missing_inputs as (
    select * from {{ ref('int_missing_inputs') }}
),

report_columns as (
    select * from {{ ref('report_columns') }}
),

issues as (
    select * from {{ ref('data_quality_issues') }}
),

-- The lowest ids of a report are among the lowest of each kind of finding.
placed as (
    select
        *,
        dense_rank() over (
            partition by issue, table_name, column_name, deal_status
            order by {{ id_order('record_id') }}
        ) as place
    from findings
),

-- A record counts once per report and issue, however many columns it is about.
touched as (
    select
        report_columns.report,
        placed.issue,
        placed.record_id,
        min(placed.place) as place
    from placed
    inner join report_columns
        on placed.table_name = report_columns.table_name
        and (placed.column_name = report_columns.column_name or placed.column_name is null)
    where placed.deal_status is null
        or report_columns.of_deals in ('all', placed.deal_status)
        or (report_columns.of_deals = 'closed' and placed.deal_status <> 'open')
    group by report_columns.report, placed.issue, placed.record_id
),

lowest as (
    select
        *,
        row_number() over (partition by report, issue order by {{ id_order('record_id') }}) as id_number
    from touched
    where place <= 10
),

samples as (
    select
        report,
        issue,
        {{ joined_texts('record_id', 'id_number') }} as sample_ids
    from lowest
    where id_number <= 10
    group by report, issue
),

counted as (
    select
        report,
        issue,
        count(*) as row_count
    from touched
    group by report, issue
),

final as (
    select
        counted.report,
        counted.issue,
        issues.severity,
        counted.row_count,
        samples.sample_ids
    from counted
    inner join samples
        on counted.report = samples.report
        and counted.issue = samples.issue
    inner join issues on counted.issue = issues.issue
    union all
    select
        report,
        issue,
        'warning' as severity,
        cast(0 as bigint) as row_count,
        cast(null as {{ text_type() }}) as sample_ids
    from missing_inputs
)

select * from final
