"""Words of SQL that the laws of forecasts and pipelines share.

Belongs here: columns, days and predicates that several of them name. The laws stand beside it.
"""

from __future__ import annotations

OWNED = "owner_id, pipeline_id"
PERIOD = "period_grain, period_start"
RUN = "getvariable('run_date')"
QUARTER, QUARTER_END = "getvariable('quarter_start')", "getvariable('quarter_end')"

# Every state as of an instant, strictly (C1).
AS_OF = "valid_from < {at} and (valid_to is null or valid_to >= {at})"
HISTORY_IS_LOST = """
    (is_stage_unknown or is_pipeline_unknown or is_amount_unknown or is_forecast_category_unknown)
"""
# The periods that the waterfall has, with the instant at which each ends so far (14b).
WATERFALL_PERIODS = """
    select dim_periods.*, least(end_at, run_ts) as known_until
    from core.dim_periods
    cross join core.build_info
    where begin_at <= run_ts
        and end_at > (select min(created_at) from core.fct_deals)
"""
# Each day with those periods, so that what happened on a day finds its periods by equality.
WATERFALL_DAYS = f"""
    select date_day, periods.*
    from core.dim_dates
    inner join ({WATERFALL_PERIODS}) as periods
        on date_day >= period_start and date_day < period_end
"""
# Whether amounts were never negative: what orders amounts holds only then.
NO_NEGATIVE_AMOUNT = """
    not exists (select 1 from core.fct_deal_states where company_amount < 0)
    and not exists (select 1 from proof_deals where amount < 0)
"""
