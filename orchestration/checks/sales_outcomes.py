"""Laws of the reports on sales outcomes (20 to 25): how deals ended, by their present row.

Belongs here: what `reports.md` states under "Invariants" of these reports, each under the report's
name. Laws between reports stand in `across_reports.py`, laws of every mart in `universal.py`.
"""

from __future__ import annotations

from orchestration.checks import ANSWER, WHOLE, Invariant, equal_sums
from orchestration.checks.second_road import delivered

CELL = "close_date, owner_id, pipeline_id"

# The dated lost deals with their reasons, told apart as the report does: without case and blanks (21a).
LOSS_REASONS = f"""
    select {CELL}, amount,
        list_filter(
            list_distinct(list_transform(
                string_split(lower(coalesce(closed_lost_reason, '')), ';'),
                lambda part: trim(regexp_replace(part, '[ \\t\\n\\r\\f\\v]+', ' ', 'g'))
            )),
            lambda part: part <> ''
        ) as parts
    from proof_deals
    where deal_status = 'lost'
        and close_date is not null
        and {delivered("deals", "closed_lost_reason")}
"""
# NULL where a reason of that name was typed in: the two cannot be told apart then.
NO_REASON = """
    case
        when not exists (
            select 1 from raw_hubspot.deals where closed_lost_reason ilike '%(no%reason)%'
        ) then '(No reason)'
    end
"""

INVARIANTS = [
    # --- 20 average deal size ---
    Invariant(
        name="average_deal_size_counts_every_dated_deal_once",
        report="rpt_average_deal_size",
        by="deal",
        words="20: deals, deals with an amount and their total are those of the raw deals, per close "
        "day, status, owner and pipeline.",
        **equal_sums(
            "select * from reports.rpt_average_deal_size",
            f"""
            select {CELL}, deal_status, count(*) as deal_count,
                count(amount) as deal_with_amount_count, sum(amount) as total_amount
            from proof_deals where close_date is not null
            group by {CELL}, deal_status
            """,
            by=f"{CELL}, deal_status",
            measures="deal_count, deal_with_amount_count, total_amount",
        ),
    ),
    Invariant(
        name="average_deal_size_times_its_deals_is_the_total",
        report="rpt_average_deal_size",
        words="20: average × deals with an amount = total, for every owner.",
        sql=f"""
            select {ANSWER} as id, average_amount, deal_with_amount_count, total_amount
            from proof_answers_average_deal_size
            where abs(average_amount * deal_with_amount_count - total_amount)
                    > 1e-9 * greatest(abs(total_amount), 1)
                or (average_amount is null) <> (deal_with_amount_count = 0)
        """,
    ),
    Invariant(
        name="average_deal_size_median_lies_between_the_smallest_and_the_largest",
        report="rpt_average_deal_size",
        words="20: smallest <= median <= largest amount of an owner's deals of a quarter.",
        sql=f"""
            with amounts as (
                select owner_id as group_id, fiscal_quarter_start as bucket_start,
                    cast(min(amount) as double) as smallest, cast(max(amount) as double) as largest
                from proof_deals
                inner join core.dim_dates on close_date = date_day
                group by owner_id, fiscal_quarter_start
            )
            select {ANSWER} as id, smallest, median_amount, largest
            from proof_answers_average_deal_size
            left join amounts using (group_id, bucket_start)
            where way = 'owner'
                and (
                    (smallest is null) <> (median_amount is null)
                    or median_amount not between smallest and largest
                )
        """,
    ),
    # --- 21 deal loss reasons ---
    Invariant(
        name="loss_reasons_count_every_lost_deal_once_per_reason",
        report="rpt_deal_loss_reasons",
        by="deal",
        words="21: the sum over reasons is the number of (lost deal, reason) pairs, a deal without "
        "reason being one pair; with one reason per deal that is the number of lost deals.",
        **equal_sums(
            "select * from reports.rpt_deal_loss_reasons",
            f"""
            select {CELL}, sum(greatest(len(parts), 1)) as deal_count,
                sum(amount * greatest(len(parts), 1)) as total_amount
            from ({LOSS_REASONS}) as lost_deals
            group by {CELL}
            """,
            by=CELL,
            measures="deal_count, total_amount",
        ),
    ),
    Invariant(
        name="loss_reasons_that_are_missing_stand_under_no_reason",
        report="rpt_deal_loss_reasons",
        by="deal",
        words="21: (No reason) + deals with a reason = lost deals, unless somebody typed (No reason).",
        **equal_sums(
            f"select * from reports.rpt_deal_loss_reasons where loss_reason = {NO_REASON}",
            f"""
            select {CELL}, count(*) as deal_count, sum(amount) as total_amount
            from ({LOSS_REASONS}) as lost_deals
            where len(parts) = 0 and {NO_REASON} is not null
            group by {CELL}
            """,
            by=CELL,
            measures="deal_count, total_amount",
        ),
    ),
    Invariant(
        name="loss_reasons_shares_of_a_group_cover_its_deals",
        report="rpt_deal_loss_reasons",
        words="21: the shares of a group's reasons add up to 1, to more only where deals have "
        "several reasons, and none exceeds 1.",
        sql=f"""
            select {ANSWER} as id, sum(deal_share) as shares
            from proof_answers_deal_loss_reasons
            group by way, group_id, bucket_start
            having sum(deal_share) < 1 - 1e-9 or max(deal_share) > 1 + 1e-9
        """,
    ),
    # --- 22 deal revenue by source ---
    Invariant(
        name="revenue_by_source_is_the_won_amount_of_each_source",
        report="rpt_deal_revenue_by_source",
        by="deal",
        words="22: deals and amount of a source are those of the raw won deals whose one source it is.",
        **equal_sums(
            "select * from reports.rpt_deal_revenue_by_source",
            f"""
            select {CELL}, source, count(*) as deal_count, sum(amount) as total_amount
            from proof_deals
            where deal_status = 'won'
                and close_date is not null
                and {delivered("deals", "hs_analytics_source")}
            group by {CELL}, source
            """,
            by=f"{CELL}, source",
            measures="deal_count, total_amount",
        ),
    ),
    Invariant(
        name="revenue_by_source_shares_of_a_group_add_up_to_1",
        report="rpt_deal_revenue_by_source",
        words="22: the shares of a group's sources add up to 1 where the group has an amount.",
        sql=f"""
            select {ANSWER} as id, sum(amount_share) as shares, sum(total_amount) as total_amount
            from proof_answers_deal_revenue_by_source
            group by way, group_id, bucket_start
            having abs(sum(amount_share) - 1) > 1e-9 * greatest(max(abs(amount_share)), 1)
                or (sum(amount_share) is null) <> (sum(total_amount) = 0)
        """,
    ),
    # --- 23 deal velocity ---
    Invariant(
        name="deal_velocity_takes_in_every_closed_deal_valid_or_excluded",
        report="rpt_deal_velocity",
        by="deal",
        words="23: valid + excluded = the raw deals of that class that close on the day; the time is "
        "that from creation to close date of the valid ones, all of it positive.",
        **equal_sums(
            "select * from reports.rpt_deal_velocity",
            f"""
            select {CELL}, deal_status,
                count(*) filter (where is_valid) as deal_count,
                count(*) filter (where not is_valid) as excluded_count,
                sum(case when is_valid then cycle_ms end) as days_to_close_ms
            from proof_deals
            where deal_status <> 'open' and close_date is not null
            group by {CELL}, deal_status
            """,
            by=f"{CELL}, deal_status",
            measures="deal_count, excluded_count, days_to_close_ms",
        ),
    ),
    Invariant(
        name="deal_velocity_floored_average_is_less_than_a_day_below_the_exact_one",
        report="rpt_deal_velocity",
        words="23: average of exact days − 1 < average of floored days <= average of exact days.",
        sql=f"""
            select concat_ws('/', exact.group_id, exact.bucket_start) as id,
                exact.average_days_to_close as exact_days,
                floored.average_days_to_close as floored_days
            from (select * from proof_answers_deal_velocity where way = 'owner') as exact
            full join reports.deal_velocity(
                {WHOLE}, group_by := 'owner', bucket := 'quarter', avg_basis := 'days_to_close'
            ) as floored
                on exact.group_id = floored.group_id and exact.bucket_start = floored.bucket_start
            where (exact_days is null) <> (floored_days is null)
                or floored_days <= exact_days - 1 + 5e-9  -- a day less 1 ms is the most that flooring takes
                or floored_days > exact_days + 1e-9
        """,
    ),
    Invariant(
        name="deal_velocity_is_the_time_spent_in_stages",
        report="rpt_deal_velocity",
        by="deal",
        words="23: a closed deal whose stage history starts at its creation and ends at its close date "
        "took, from creation to close, the time of its visits to all stages but the last.",
        sql="""
            with closed as (
                select deal_id, created_at, close_at, cycle_ms
                from proof_deals
                where deal_status <> 'open' and is_valid
            ),
            times as (
                select
                    deal_id,
                    min(entered_at) as first_at,
                    max(entered_at) as last_at,
                    sum(duration_ms) filter (where not is_open_visit) as in_stages_ms
                from core.fct_deal_stage_visits
                group by deal_id
            )
            select deal_id as id, cycle_ms, in_stages_ms
            from closed
            inner join times using (deal_id)
            where first_at = created_at
                and last_at = close_at
                and cycle_ms <> in_stages_ms
        """,
    ),
    # --- 24 deals won and lost ---
    Invariant(
        name="won_and_lost_deals_are_the_closed_raw_deals",
        report="rpt_deals_won_and_lost",
        by="deal",
        words="24: won + lost = the closed raw deals with a close date, class by the probability of "
        "their present stage (C4), amounts likewise.",
        **equal_sums(
            "select * from reports.rpt_deals_won_and_lost",
            f"""
            select {CELL},
                count(*) filter (where deal_status = 'won') as won_count,
                count(*) filter (where deal_status = 'lost') as lost_count,
                sum(case when deal_status = 'won' then amount end) as won_amount,
                sum(case when deal_status = 'lost' then amount end) as lost_amount
            from proof_deals where close_date is not null
            group by {CELL}
            """,
            by=CELL,
            measures="won_count, lost_count, won_amount, lost_amount",
        ),
    ),
    Invariant(
        name="win_rate_lies_between_0_and_1",
        report="rpt_deals_won_and_lost",
        words="24: win rate = won / (won + lost), from 0 to 1, missing where nothing closed.",
        sql=f"""
            select {ANSWER} as id, win_rate, won_count, lost_count
            from proof_answers_deals_won_and_lost
            where win_rate not between 0 and 1
                or (win_rate is null) <> (won_count + lost_count = 0)
                or abs(win_rate * (won_count + lost_count) - won_count) > 1e-9 * won_count
        """,
    ),
    # --- 25 sales velocity ---
    Invariant(
        name="sales_velocity_parts_are_those_of_the_raw_deals",
        report="rpt_sales_velocity",
        by="deal",
        words="25: closed, won, won with an amount, won amount, valid won and their time are those of "
        "the raw deals.",
        **equal_sums(
            "select * from reports.rpt_sales_velocity",
            f"""
            select {CELL},
                count(*) as closed_count,
                count(*) filter (where deal_status = 'won') as won_count,
                count(amount) filter (where deal_status = 'won') as won_with_amount_count,
                sum(case when deal_status = 'won' then amount end) as won_amount,
                count(*) filter (where deal_status = 'won' and is_valid) as valid_won_count,
                sum(case when deal_status = 'won' and is_valid then cycle_ms end) as days_to_win_ms
            from proof_deals
            where deal_status <> 'open' and close_date is not null
            group by {CELL}
            """,
            by=CELL,
            measures="closed_count, won_count, won_with_amount_count, won_amount, "
            "valid_won_count, days_to_win_ms",
        ),
    ),
    Invariant(
        name="sales_velocity_is_its_four_factors",
        report="rpt_sales_velocity",
        words="25: 0 <= win rate <= 1; velocity × average days = closed × win rate × average amount; "
        "the observed velocity is the same where every won deal has an amount.",
        sql=f"""
            select {ANSWER} as id, velocity, velocity_observed, closed_count, win_rate,
                average_won_amount, average_days_to_win
            from proof_answers_sales_velocity
            where win_rate not between 0 and 1
                or abs(
                    velocity * average_days_to_win - closed_count * win_rate * average_won_amount
                ) > 1e-9 * greatest(abs(won_amount), 1)
                or abs(velocity_observed * average_days_to_win - won_amount)
                    > 1e-9 * greatest(abs(won_amount), 1)
                or (
                    won_with_amount_count = won_count
                    and abs(velocity - velocity_observed) > 1e-9 * greatest(abs(velocity), 1)
                )
                or (won_amount > 0 and velocity_observed > velocity * (1 + 1e-9))
        """,
    ),
]
