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

-- A record counts once per report and issue, however many columns it is about.
touched as (
    select
        report_columns.report,
        findings.issue,
        findings.record_id
    from findings
    inner join report_columns
        on findings.table_name = report_columns.table_name
        and (findings.column_name = report_columns.column_name or findings.column_name is null)
    where findings.deal_status is null
        or report_columns.of_deals in ('all', findings.deal_status)
        or (report_columns.of_deals = 'closed' and findings.deal_status <> 'open')
    group by report_columns.report, findings.issue, findings.record_id
),

numbered as (
    select
        *,
        row_number() over (partition by report, issue order by {{ id_order('record_id') }}) as place
    from touched
),

counted as (
    select
        report,
        issue,
        count(*) as row_count,
        {{ joined_texts('case when place <= 10 then record_id end', 'place') }} as sample_ids
    from numbered
    group by report, issue
),

final as (
    select
        counted.report,
        counted.issue,
        issues.severity,
        counted.row_count,
        counted.sample_ids
    from counted
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
