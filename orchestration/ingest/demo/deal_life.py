"""A deal's life: how it is opened, worked, dated, priced, handed over, closed and taken up again.

Belongs here: everything that writes a version of a deal. A life is lived to its end whatever the end
of the CRM; `deals.write` cuts it.
"""

from __future__ import annotations

from decimal import Decimal
from random import Random

from . import clock, company, names
from .company import NEW_BUSINESS, RENEWALS, Pipeline, Rep, Segment, Stage
from .crm import Timeline, record_id
from .customers import Book
from .deals import Deal, Stay

# How often things happen that are not a step forward (share of moves or deals).
_SKIPS, _GOES_BACK, _CHANGES_PIPELINE, _ON_HOLD = 0.1, 0.055, 0.012, 0.03
_TECHNICAL_REVIEW = 0.4
_FORGOTTEN = 0.09
"""Share of the lost deals that nobody closes for months."""
_LOST_COMES_BACK, _WON_FALLS_THROUGH, _LOST_IS_WON, _OUTCOME_REFINED = 0.05, 0.018, 0.008, 0.15
_HANDED_OVER = 1 / 60
"""Per stage, without anybody leaving."""
_SUCCEEDED = 0.8
"""Share of the deals of somebody who leaves that get a new owner."""
_MOST_MOVES = 14
"""After so many moves a deal only goes forward, so that every life ends."""

_BY_HAND = ("CRM_UI", "MOBILE_IOS")


def live(seed: int, number: int, day: int, book: Book) -> Deal:
    """The whole life of a deal that starts on `day`."""
    return _Life(seed, number, day, book).live()


class _Life:
    """One deal while it lives. `now` is the instant up to which everything has happened."""

    def __init__(self, seed: int, number: int, day: int, book: Book) -> None:
        self.rng = rng = Random(f"{seed}:deal:{number}")
        self.seed, self.book = seed, book
        segments = company.SEGMENTS
        (self.segment_name,) = rng.choices(list(segments), [s.share for s in segments.values()])
        self.segment: Segment = segments[self.segment_name]
        self.pipeline: Pipeline = self.segment.pipeline
        self.now = born = clock.at(day, clock.business_hour(rng))
        customer = book.buyer(rng, self.segment_name, number, born)
        if self.segment_name == customer.segment and rng.random() < 0.93:
            self.rep = customer.seller
        else:
            self.rep = company.pick_rep(rng, self.segment_name, day)
        name = names.deal(rng, customer.name)
        if self.pipeline is RENEWALS:
            name = f"{customer.name} – renewal"
        self.timeline = Timeline()
        self.deal = Deal(
            number,
            record_id("deal", number),
            name,
            self.segment_name,
            customer,
            born,
            self.timeline,
            reps=[(born, self.rep)],
        )
        self.step = 0
        self.moves = 0
        self.is_open = True
        self.is_won = False
        self.amount: int | None = None
        self.close: int | None = None
        self.review: int | None = None
        """When the rep looks at the close date next."""
        self.luck = rng.lognormvariate(0, 0.35)
        self.size = self.segment.median * rng.lognormvariate(0, self.segment.spread)
        self.forecast = rng.choices(("mapped", "manual", "none"), (75, 20, 5))[0]
        self.has_own_rate = rng.random() > 0.012

    # --- the course of a life ---

    def live(self) -> Deal:
        self._open()
        while self.is_open:
            self._work_stage()
            if not self.is_open:
                self._after_closing()
        self._finish()
        return self.deal

    def _open(self) -> None:
        rng, now = self.rng, self.now
        self.source = rng.choices(
            ("CRM_UI", "INTEGRATION", "AUTOMATION_PLATFORM", "MOBILE_IOS"), (84, 8, 5, 3)
        )[0]
        if rng.random() < 0.12:
            self.step = 1
        self._put("pipeline", self.pipeline.id)
        owner = self.rep.owner_id
        odd = rng.random()
        if odd < 0.012:
            owner = None
        elif odd < 0.02:
            owner = company.UNKNOWN_OWNER
        if owner is not None:
            self._put("hubspot_owner_id", owner)
        self._put("deal_currency_code", self._currency())
        if self.source == "CRM_UI":
            if rng.random() < self.rep.optimism * 0.5 - 0.1:
                # The more realistic, the rather at once.
                self._tend_close_date(now)
            else:
                # HubSpot fills in the end of the month (27.9); many set a date of their own soon.
                self._date(clock.month_end(clock.day_of(now)), now)
                if rng.random() < 0.6:
                    self.review = clock.later(rng, now, rng.uniform(0, 4))
        else:
            self.review = clock.later(rng, now, rng.uniform(0.5, 15))
        if rng.random() < 0.8 or self.pipeline is RENEWALS:
            self._price(self.size, now)
        self._enter(self.pipeline.stages[self.step], now)

    def _currency(self) -> str:
        usual = self.rep.currency
        if usual != company.CURRENCY and self.rng.random() < 0.02:
            # Created in dollars by mistake.
            noticed = clock.later(self.rng, self.now, self.rng.uniform(0.5, 6))
            self._put("deal_currency_code", usual, at=noticed)
            return company.CURRENCY
        if self.rng.random() < 0.015:
            return "EUR" if usual == company.CURRENCY else company.CURRENCY
        return usual

    def _work_stage(self) -> None:
        """Work the deal in its stage until it leaves it."""
        rng = self.rng
        stages = self.pipeline.stages
        stage = stages[self.step]
        days = stage.days * self.segment.pace * self.rep.pace * rng.lognormvariate(0, 0.55)
        if not self._passes(stage):
            self._lose(days)
            return
        target = self.step + 1
        if rng.random() < _SKIPS and (target == len(stages) or self._passes(stages[target])):
            target += 1
        if target >= len(stages):
            self._win(days)
        elif self.moves < _MOST_MOVES and self.step > 0 and rng.random() < _GOES_BACK:
            self._move(self.step - 1, days)
        elif self.moves < _MOST_MOVES and rng.random() < _CHANGES_PIPELINE:
            self._change_pipeline(days)
        else:
            self._detour(target, days)
            self._move(target, days)

    def _passes(self, stage: Stage) -> bool:
        odds = stage.passing / (1 - stage.passing) * self.rep.skill * self.segment.odds * self.luck
        return self.rng.random() < odds / (1 + odds)

    def _move(self, step: int, days: float) -> None:
        leave = clock.later(self.rng, self.now, days)
        self._leave(leave)
        self.step = step
        self._enter(self.pipeline.stages[step], leave)
        self._revise()

    def _change_pipeline(self, days: float) -> None:
        """Move to the other pipeline for new customers: pipeline and stage at one timestamp."""
        if self.pipeline is RENEWALS:
            return
        leave = clock.later(self.rng, self.now, days)
        self._leave(leave)
        self.pipeline = company.CHANNEL if self.pipeline is NEW_BUSINESS else NEW_BUSINESS
        self.step = min(self.step, len(self.pipeline.stages) - 1)
        self._put("pipeline", self.pipeline.id)
        self._enter(self.pipeline.stages[self.step], leave)

    def _detour(self, target: int, days: float) -> None:
        """Steps that New Business no longer has: the technical review and "On hold"."""
        if self.pipeline is not NEW_BUSINESS:
            return
        rng = self.rng
        gone = clock.at(company.DELETED_STAGE_ON, 9)
        if target == 3 and rng.random() < _TECHNICAL_REVIEW:
            entry = clock.later(rng, self.now, days * 0.5)
            if entry < gone:
                self._leave(entry)
                self._enter(company.DELETED_STAGE, entry)
                # Whatever was left in the stage was moved out, so that it could be deleted.
                stay = company.DELETED_STAGE.days * rng.lognormvariate(0, 0.5)
                leave = min(clock.later(rng, entry, stay), gone)
                self._leave(leave)
                self._enter(self.pipeline.stages[2], leave)
        elif rng.random() < _ON_HOLD:
            entry = clock.later(rng, self.now, days)
            if entry < clock.at(company.ARCHIVED_STAGE_ON, 0):
                self._leave(entry)
                self._enter(company.ARCHIVED_STAGE, entry)
                stay = company.ARCHIVED_STAGE.days * rng.lognormvariate(0, 0.5)
                leave = clock.later(rng, entry, stay)
                self._leave(leave)
                self._enter(self.pipeline.stages[self.step], leave)

    # --- closing ---

    def _win(self, days: float) -> None:
        rng = self.rng
        leave = clock.later(rng, self.now, days)
        if rng.random() < 0.45:
            leave = self._at_month_end(leave)
        leave = self._on_switch_evening(leave)
        if self.deal.first_won_at is None:
            self.deal.first_won_at = leave
        stages = self.pipeline.won
        self._close(leave, stages[-1] if rng.random() < 0.25 else stages[0], is_won=True)

    def _lose(self, days: float) -> None:
        rng = self.rng
        if rng.random() < _FORGOTTEN:
            days = rng.uniform(150, 400)
            if rng.random() < 0.15:
                self._slide(clock.later(rng, self.now, days * 0.97))
            self.review = None
            leave = self._on_a_clean_up(clock.later(rng, self.now, days))
        else:
            leave = clock.later(rng, self.now, days * rng.uniform(0.9, 1.8))
            leave = self._on_switch_evening(leave)
        stages = self.pipeline.lost
        self._close(leave, stages[-1] if rng.random() < 0.25 else stages[0], is_won=False)

    def _at_month_end(self, instant: int) -> int:
        """Orders come on the last working days of a month, if that is near."""
        day = clock.day_of(instant)
        last = clock.month_end(day) - self.rng.choice((0, 0, 1, 2))
        while not clock.is_workday(last):
            last -= 1
        if not 0 < last - day <= 12:
            return instant
        return clock.at(last, clock.business_hour(self.rng))

    def _on_switch_evening(self, instant: int) -> int:
        """Near a change of the clocks some close late on that Sunday: already tomorrow in UTC."""
        day = clock.day_of(instant)
        for switch in clock.switches_near(day, 4):
            late = clock.at(switch, self.rng.uniform(20.2, 23.8))
            if late > self.now + clock.HOUR and self.rng.random() < 0.3:
                return late
        return instant

    def _on_a_clean_up(self, instant: int) -> int:
        """Forgotten deals are closed by the dozen, on the first Friday of a month."""
        day = clock.month_start(clock.day_of(instant), 1)
        while clock.weekday(day) != 4:
            day += 1
        return clock.at(day, 16 + self.deal.number % 60 / 60)

    def _close(self, leave: int, stage: Stage, *, is_won: bool) -> None:
        """HubSpot writes the close date by itself (27.9), mostly in the same millisecond."""
        rng = self.rng
        if is_won and rng.random() < 0.2 and self.amount:
            self._price(self.amount / 100 * rng.uniform(0.92, 1.02), leave)
        self._leave(leave)
        self._enter(stage, leave)
        self.is_open, self.is_won = False, is_won
        written = leave if rng.random() < 0.85 else leave + rng.randrange(4000)
        self._put("closedate", leave, at=written, source="CALCULATED")
        self.close, self.review = leave, None

    def _after_closing(self) -> None:
        """What still happens to a closed deal; it may come to life again."""
        rng = self.rng
        again = rng.random() if self.moves < _MOST_MOVES else 1.0
        if self.is_won and again < _WON_FALLS_THROUGH:
            self._flip(rng.uniform(4, 40), self.pipeline.lost[0], is_won=False)
        elif not self.is_won and again < _LOST_IS_WON:
            self._flip(rng.uniform(1, 15), self.pipeline.won[0], is_won=True)
        elif not self.is_won and again < _LOST_IS_WON + _LOST_COMES_BACK:
            self._reopen()
        elif len(self.pipeline.won) > 1 and again > 1 - _OUTCOME_REFINED:
            # won → other won, lost → other lost: the close date stays.
            stages = self.pipeline.won if self.is_won else self.pipeline.lost
            self.now = clock.later(rng, self.now, rng.uniform(1, 20))
            self._enter(stages[1], self.now)
        elif again > 0.96:
            # The date of the order, not of the click.
            day = clock.day_of(self.now) - rng.choice((1, 1, 2, 3, 5))
            self._date(day, clock.later(rng, self.now, rng.uniform(0.1, 6)))
            self.review = None
        elif again > 0.94 and self.amount:
            later = clock.later(rng, self.now, rng.uniform(0.5, 20))
            self._price(self.amount / 100 * rng.uniform(0.9, 1.1), later)
        elif again > 0.93:
            # The account changes hands, and with it the credit for the deal.
            later = clock.later(rng, self.now, rng.uniform(5, 60))
            self._hand_to(company.pick_rep(rng, self.segment_name, clock.day_of(later)), later)

    def _flip(self, days: float, stage: Stage, *, is_won: bool) -> None:
        self.now = leave = clock.later(self.rng, self.now, days)
        if is_won and self.deal.first_won_at is None:
            self.deal.first_won_at = leave
        self.is_open = True
        self._close(leave, stage, is_won=is_won)

    def _reopen(self) -> None:
        """Back into an open stage; the close date stays in the past until somebody edits it."""
        rng = self.rng
        now = self.now = clock.later(rng, self.now, rng.uniform(6, 80))
        if not self.rep.works_on(clock.day_of(now)):
            self._hand_to(company.pick_rep(rng, self.segment_name, clock.day_of(now)), now)
        self.is_open = True
        self.step = rng.randrange(1, len(self.pipeline.stages))
        self._enter(self.pipeline.stages[self.step], now)
        self.review = clock.later(rng, now, rng.uniform(0, 9))

    # --- what happens while a deal waits in a stage ---

    def _leave(self, leave: int) -> None:
        """Let the time until `leave` pass: people come and go, close dates are tended."""
        self._hand_over_before(leave)
        while self.review is not None and self.review < leave:
            self._tend_close_date(self.review)
        if self.now < leave and self.is_open:
            stay = Stay(self.now, leave, self.stage, self.step)
            self.deal.stays.append(stay)
        self.now = leave

    def _hand_over_before(self, leave: int) -> None:
        rng = self.rng
        if self.rep.left is not None and not self.rep.works_on(clock.day_of(leave)):
            # Some deals of those who leave are forgotten with them.
            when = clock.at(self.rep.left, 8) + int(rng.uniform(0, 5) * clock.DAY)
            if self.now < when < leave:
                succeeded = rng.random()
                if succeeded < _SUCCEEDED:
                    day = clock.day_of(when)
                    self._hand_to(company.pick_rep(rng, self.segment_name, day), when)
                elif succeeded > 0.95:
                    self._put("hubspot_owner_id", None, at=when)
        elif rng.random() < _HANDED_OVER:
            when = self.now + int((leave - self.now) * rng.random())
            if when > self.deal.born:
                day = clock.day_of(when)
                self._hand_to(company.pick_rep(rng, self.segment_name, day), when)

    def _hand_to(self, rep: Rep, when: int) -> None:
        self.rep = rep
        self.deal.reps.append((when, rep))
        self._put("hubspot_owner_id", rep.owner_id, at=when)

    def _days_to_go(self) -> float:
        """How long the rep thinks it still takes: the truth times the rep's optimism."""
        days = sum(stage.days for stage in self.pipeline.stages[self.step :])
        typical = days * self.segment.pace * self.rep.pace * 1.15
        return max(2.0, typical * self.rep.optimism * self.rng.lognormvariate(0, 0.35))

    def _tend_close_date(self, now: int) -> None:
        """The rep looks at the close date and sets a later one, if it will not hold."""
        rng = self.rng
        if self.close is not None and rng.random() < 0.012:
            self._put("closedate", None, at=now)
            self.close, self.review = None, clock.later(rng, now, rng.uniform(2, 25))
            return
        day = clock.day_of(now)
        likely = day + max(1, round(self._days_to_go()))
        habit = rng.random()
        if habit < 0.5:
            likely = clock.month_end(likely)
        elif habit < 0.62:
            likely = clock.quarter_end(likely)
        while not clock.is_workday(likely):
            likely += 1
        due = clock.day_of(self.close) if self.close is not None else None
        if due is None or due < day + 3 or abs(likely - due) > 6:
            self._date(likely, now)
        else:
            self._review_after(self.close)

    def _date(self, day: int, now: int) -> None:
        """Set the close date, with the time of day of the click, and know when to look again."""
        self.close = clock.at(day, clock.hour_of(now))
        self._put("closedate", self.close, at=now)
        in_time = self.close - int(self.rng.uniform(0.3, 5) * clock.DAY)
        if self.rng.random() < self.rep.push and in_time > now + clock.HOUR:
            self.review = in_time
        else:
            self._review_after(self.close, now)

    def _review_after(self, close: int, now: int = 0) -> None:
        """Look again only after the date has passed: until then the deal is lapsed."""
        when = close + int((0.5 + self.rng.expovariate(1 / 9)) * clock.DAY)
        self.review = clock.working(self.rng, max(when, now + clock.DAY))

    def _revise(self) -> None:
        """A new stage: a better idea of price and date."""
        rng, now = self.rng, self.now
        if self.amount is None:
            if rng.random() < 0.5:
                self._price(self.size, now + rng.randrange(2) * clock.HOUR)
        elif rng.random() < 0.012:
            self._put("amount", None)
            self.amount = None
        elif self.amount > 0 and rng.random() < 0.3:
            factor = rng.lognormvariate(0.03, 0.22) if self.step < 4 else rng.uniform(0.8, 1.0)
            self._price(self.amount / 100 * factor, now + rng.randrange(2) * 5 * clock.MINUTE)
        if self.amount and self.step == 2 and rng.random() < 0.03:
            self._quote_busily()
        if self.step == len(self.pipeline.stages) - 1 and rng.random() < 0.35:
            self.review = clock.later(rng, now, rng.uniform(0, 3))

    def _quote_busily(self) -> None:
        """A quoting tool writes the amount at every change of a line: more versions than are kept."""
        rng, when = self.rng, self.now
        for _ in range(rng.randint(21, 48)):
            when += int(rng.uniform(0.01, 0.4) * clock.DAY)
            cents = round(self.amount * rng.uniform(0.97, 1.03))
            self.amount = cents
            self._put("amount", cents, at=when, source="INTEGRATION")

    def _slide(self, until: int) -> None:
        """A workflow moves an overdue close date by a week, every week: versions fall out."""
        when = (self.close or self.now) + clock.DAY
        when = max(when, self.now + clock.DAY)
        while when < until:
            close = when + 6 * clock.DAY
            self._put("closedate", close, at=when, source="AUTOMATION_PLATFORM")
            self.close = close
            when += 7 * clock.DAY

    # --- writing versions ---

    def _put(self, name: str, value: object, at: int | None = None, source: str | None = None) -> None:
        """A version; by the rep, where people work rather than programs."""
        source = source or self.source
        user = self.rep.user_id if source in _BY_HAND else None
        self.timeline.put(name, self.now if at is None else at, value, source, user)

    def _enter(self, stage: Stage, now: int) -> None:
        """A new stage, with what HubSpot sets from it: probability and forecast category."""
        self.moves += 1
        self.now, self.stage = now, stage
        self._put("dealstage", stage.id)
        self._put("hs_deal_stage_probability", str(stage.probability), source="CALCULATED")
        rng = self.rng
        if self.moves == 1:
            self.source = "CRM_UI"
        closed = stage.probability in (0, 1)
        if not closed and rng.random() < 0.02:
            own = rng.choice(("0", "0.05", "0.3", "0.5", "0.75", "0.9"))
            self._put("hs_deal_stage_probability", own, at=now + clock.HOUR)
        if self.forecast == "none":
            return
        if self.forecast == "mapped" or (closed and rng.random() < 0.93):
            if rng.random() < 0.985:
                self._put("hs_manual_forecast_category", stage.category, source="CALCULATED")
        elif not closed and rng.random() < 0.6:
            guess = rng.choices(("PIPELINE", "BEST_CASE", "COMMIT", "OMIT", "CLOSED"), (50, 28, 18, 3, 1))[0]
            self._put("hs_manual_forecast_category", guess)

    def _price(self, dollars: float, now: int) -> None:
        step = 50 if abs(dollars) < 10_000 else 500
        cents = int(max(step, round(dollars / step) * step)) * 100
        odd = self.rng.random()
        if odd < 0.006:
            cents = 0
        elif odd < 0.024 and self.pipeline is RENEWALS:
            cents = -abs(cents) // 10
        elif odd < 0.1:
            cents += self.rng.randrange(100)
        if cents != self.amount:
            self._put("amount", cents, at=now)
            self.amount = cents

    # --- the end of a life ---

    def _finish(self) -> None:
        rng, deal = self.rng, self.deal
        self._put_rates()
        self.timeline.settle()
        if deal.born < clock.IMPORTED:
            self.timeline.import_before(clock.IMPORTED)
        if rng.random() < 0.015:
            deal.archived_at = deal.entered + int(rng.uniform(1, 200) * clock.DAY)
            self.timeline.forget_from(deal.archived_at)
            if deal.first_won_at is not None and deal.first_won_at >= deal.archived_at:
                deal.first_won_at = None
        elif rng.random() < 0.012:
            deal.merged_at = deal.entered + int(rng.uniform(2, 20) * clock.DAY)
        customer = deal.customer
        first = customer.contacts[0]
        renews = self.segment_name == "renewals"
        deal.attributes = {
            "dealtype": "existingbusiness" if renews or customer.deals else "newbusiness",
            "hs_priority": rng.choices((None, "low", "medium", "high"), (60, 12, 18, 10))[0],
            "hs_analytics_source": "OFFLINE" if renews else first.source,
            "hs_analytics_source_data_1": rng.choice(("CRM_UI", "IMPORT", "INTEGRATION")),
        }
        deal.lost_reason, deal.won_reason = names.loss_reason(rng), names.won_reason(rng)
        if rng.random() < 0.12:
            deal.forecast_probability = Decimal(rng.choice(("0.25", "0.5", "0.9")))
        deal.is_split = self.segment_name == "enterprise" and rng.random() < 0.12
        deal.contacts = [first, *self.book.add_people(rng, customer, deal.number, deal.born)]
        self.book.note_deal(customer, deal.born, deal.first_won_at)

    def _put_rates(self) -> None:
        """The account's rate of the day, anew each quarter while the deal is open (27.5)."""
        currencies = self.timeline["deal_currency_code"]
        if not self.has_own_rate or {v.value for v in currencies} == {company.CURRENCY}:
            return
        changes = {version.timestamp for version in currencies}
        for stay in self.deal.stays:
            changes.update(company.rate_instants(stay.start, stay.end))
        for when in sorted(changes):
            currency = [v.value for v in currencies if v.timestamp <= when][-1]
            rate = company.rate_at(self.seed, currency, when)
            self._put("hs_exchange_rate", f"{rate:f}", at=when, source="CALCULATED")
