"""Laws of rpt_data_quality: what a report leaves out is counted there.

Belongs here: C11 of `reports.md`, that every record is either in a report or accounted for.
"""

from __future__ import annotations

from orchestration.checks import Invariant, equal_sums

# Reports that count each deal of a class once, and leave out those without the report's one date.
REPORTS = """
    values
        ('rpt_deals_created', 'all'),
        ('rpt_average_deal_size', 'all'),
        ('rpt_deals_won_and_lost', 'closed')
"""
DEALS_IN_REPORTS = """
    select 'rpt_deals_created' as report, deal_count from reports.rpt_deals_created
    union all
    select 'rpt_average_deal_size', deal_count from reports.rpt_average_deal_size
    union all
    select 'rpt_deals_won_and_lost', won_count + lost_count from reports.rpt_deals_won_and_lost
"""
# Each raw deal under every class that a report may be about.
CLASSES = """
    select deal_id, amount, unnest(
        case deal_status when 'open' then ['all'] else ['all', 'closed', deal_status] end
    ) as of_deals
    from proof_deals
"""

INVARIANTS = [
    Invariant(
        name="data_quality_and_the_reports_account_for_every_deal",
        report="rpt_data_quality",
        words="C11: the deals in a report and those that lack its date, by data quality, are together "
        "all raw deals of the report's class.",
        **equal_sums(
            f"""
            with reports (report, of_deals) as ({REPORTS})
            select report, deal_count from ({DEALS_IN_REPORTS}) as counted
            union all
            select report, row_count from reports.rpt_data_quality
            semi join reports using (report)
            where issue = 'no_date'
            """,
            f"""
            with reports (report, of_deals) as ({REPORTS})
            select report, count(*) as deal_count
            from ({CLASSES}) as classes
            inner join reports using (of_deals)
            group by report
            """,
            by="report",
            measures="deal_count",
        ),
    ),
    Invariant(
        name="data_quality_counts_the_deals_without_amount",
        report="rpt_data_quality",
        words="C5, C11: as many deals lack an amount as raw deals have neither a home amount nor one "
        "to convert.",
        **equal_sums(
            f"""
            with reports (report, of_deals) as ({REPORTS})
            select report, row_count from reports.rpt_data_quality
            semi join reports using (report)
            where issue = 'no_amount'
            """,
            f"""
            with reports (report, of_deals) as ({REPORTS})
            select report, count(*) as row_count
            from ({CLASSES}) as classes
            inner join reports using (of_deals)
            where amount is null
            group by report
            """,
            by="report",
            measures="row_count",
        ),
    ),
    Invariant(
        name="data_quality_names_up_to_ten_records",
        report="rpt_data_quality",
        words="marts.md: sample_ids are up to 10 ids, as many as there are.",
        sql="""
            select concat_ws('/', report, issue) as id, row_count, sample_ids
            from reports.rpt_data_quality
            where len(string_split(sample_ids, ',')) < least(row_count, 10)
                or (sample_ids is null and row_count > 0)
        """,
    ),
]
