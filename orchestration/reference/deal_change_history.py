"""Report 12, deal change history: every change of stage, amount and close date, and creations."""

from datetime import datetime, timedelta
from itertools import pairwise

from orchestration.reference.crm import Crm, Deal, Row, StageEntry, Version, money

# Beside these, a row is known by deal, instant, category, property and values.
MEASURES = (
    "deal_amount",
    "delta_amount",
    "delta_days",
    "frame_date",
    "deal_status",
    "changed_by_user_id",
    "source_type",
)
AUTO_CLOSE_DATE_WINDOW = timedelta(milliseconds=60_000)  # 12d: either side, inclusive


def rpt_deal_change_history(crm: Crm) -> list[Row]:
    """One row per change of a deal (12j). `change_id` is the mart's own key and not given here."""
    return [
        row
        for deal in crm.historic_deals
        for row in [
            _created(deal),
            *_first_closed(deal),
            *_stage_changes(deal),
            *_pipeline_changes(deal),
            *_amount_changes(deal),
            *_close_date_changes(deal),
            *_lapses(deal),
        ]
    ]


def _row(deal: Deal, changed_at: datetime, category: str, **columns) -> Row:
    """A change row; `columns` replace what holds just after the whole timestamp (12h, 12j)."""
    after = deal.state_after(changed_at)
    row = {
        "changed_at": changed_at,
        "changed_date": deal.crm.day(changed_at),
        "deal_id": deal.id,
        "deal_name": deal.row["dealname"],
        "category": category,
        "deal_amount": after.company_amount,
        "delta_amount": None,
        "delta_days": None,
        "frame_date": after.close_date,
        "deal_status": after.status,
        "changed_by_user_id": None,
        "source_type": None,
        **deal.filter_columns,
    }
    return row | columns


def _by(version: Version) -> Row:
    return {
        "changed_by_user_id": version.updated_by_user_id,
        "source_type": version.source_type,
    }


def _created(deal: Deal) -> Row:
    """Frame: the close day right after creation, if there is none the one 24 hours later (12h)."""
    frame_date = deal.state_after(deal.created_at).close_date
    if frame_date is None:
        frame_date = deal.state_at(deal.created_at + timedelta(hours=24)).close_date
    return _row(deal, deal.created_at, "created", frame_date=frame_date)


def _first_closed(deal: Deal) -> list[Row]:
    """A deal whose first state is closed was won or lost at creation (12c)."""
    first = deal.stage_entries[0]
    if first.stage.status == "open":
        return []
    return [_outcome_row(deal, deal.created_at, first, first.stage.status)]


def _outcome_row(deal: Deal, at: datetime, entry: StageEntry, category: str) -> Row:
    """A won, lost, reopened or stage row: class of the version itself (12j)."""
    columns = _by(entry.version) | {"deal_status": entry.stage.status}
    if category in ("won", "lost"):
        columns["frame_date"] = deal.crm.day(at)  # 12h
    return _row(deal, at, category, **columns)


def _stage_changes(deal: Deal) -> list[Row]:
    """One row per version that changes the stage, or the class by the pipeline alone (12i)."""
    rows = []
    entries = deal.stage_entries
    for before, after in pairwise(entries):
        changes_stage = before.stage_id != after.stage_id
        changes_class = before.stage.status != after.stage.status
        if changes_stage or changes_class:
            category = stage_category(before, after)
            rows.append(_outcome_row(deal, after.timestamp, after, category))
    return rows


def stage_category(before: StageEntry, after: StageEntry) -> str:
    """12a, 12b. An unknown class counts as open for won, lost and reopened."""
    old, new = before.stage, after.stage
    if old.status != new.status:
        return "reopened" if new.status == "open" else new.status
    positions = old.position, new.position
    if (
        old.stage_class == new.stage_class == "open"
        and old.pipeline_id == new.pipeline_id
        and None not in positions  # archived stages have none (P3)
    ):
        return "stage_forward" if new.position > old.position else "stage_back"
    return "stage_other"


def _pipeline_changes(deal: Deal) -> list[Row]:
    return [
        _row(deal, version.timestamp, "moved_pipeline", **_by(version))
        for _, version in deal.changes("pipeline")
    ]


def _amount_changes(deal: Deal) -> list[Row]:
    """Differences of the rounded company amounts at the present rate; NULL = 0 (P10, P11, 12g)."""
    rows = []
    for old, version in deal.changes("amount"):
        delta = (money(version.value, deal.rate) or 0) - (money(old, deal.rate) or 0)
        if delta:
            category = "amount_increased" if delta > 0 else "amount_decreased"
            rows.append(_row(deal, version.timestamp, category, delta_amount=delta, **_by(version)))
    return rows


def _close_date_changes(deal: Deal) -> list[Row]:
    """One row per version that changes the local close day (12d, 12e, 12h)."""
    rows = []
    for old, version in deal.changes("closedate"):
        old_day, new_day = deal.crm.day(old), deal.crm.day(version.value)
        if old_day == new_day:
            continue
        known = old_day is not None and new_day is not None
        later = new_day is None or (known and new_day > old_day)
        if is_auto_close_date(deal, version.timestamp):
            category = "auto_close_date"
        elif deal.state_after(version.timestamp).status != "open":
            category = "close_date_changed"
        else:
            category = "close_date_pushed" if later else "close_date_pulled"
        columns = _by(version) | {"delta_days": (new_day - old_day).days if known else None}
        if category == "close_date_pushed":
            columns["frame_date"] = old_day
        elif category == "close_date_pulled":
            columns["frame_date"] = new_day
        rows.append(_row(deal, version.timestamp, category, **columns))
    return rows


def is_auto_close_date(deal: Deal, written_at: datetime) -> bool:
    """Whether a closedate version was written within a minute of a change of outcome (12d)."""
    return any(
        status != "open" and abs(written_at - changed_at) <= AUTO_CLOSE_DATE_WINDOW
        for changed_at, status in deal.class_changes
    )


def _lapses(deal: Deal) -> list[Row]:
    """One row per close day that passed while the deal was open and due on it (12f)."""
    crm = deal.crm
    values = [deal.first_value("closedate"), *(v.value for v in deal.raw_versions("closedate"))]
    rows = []
    for due in {crm.day(value) for value in values} - {None}:
        midnight = crm.midnight(due + timedelta(days=1))
        if midnight > crm.run_ts or not deal.exists_at(midnight):
            continue
        state = deal.state_at(midnight)
        if state.status == "open" and state.close_date == due:
            rows.append(
                _row(deal, midnight, "lapsed")
                | {
                    "changed_at": midnight - timedelta(milliseconds=1),
                    "changed_date": due,
                    "frame_date": due,
                    "deal_amount": state.company_amount,
                    "deal_status": "open",
                }
            )
    return rows
