"""Report 13, deal funnel: deals per stage of their pipeline, skips, and how far they came."""

from collections.abc import Sequence
from datetime import datetime

from orchestration.reference.crm import DEAL_COLUMNS, STAGE_COLUMNS, Crm, Deal, Row, group_rows

GRAIN = ("created_date", "stage_position", *STAGE_COLUMNS, *DEAL_COLUMNS)
MEASURES = (
    "entered_count",
    "skipped_count",
    "skipped_at_creation_count",
    "reached_count",
    "strict_count",
    "next_reached_count",
    "lost_here_count",
    "open_here_count",
    "current_here_count",
    "entered_amount",
    "time_in_stage_ms",
    "time_in_stage_count",
)


def rpt_deal_funnel(crm: Crm) -> list[Row]:
    """One row per creation day, live open stage (or 'won'), owner and pipeline (today's, 13a)."""
    rows = [row for deal in crm.historic_deals for row in _funnel_rows(deal)]
    return group_rows(rows, GRAIN, MEASURES)


def _funnel_rows(deal: Deal) -> list[Row]:
    """What one deal adds to each stage of its pipeline; nothing if it reached none (13a)."""
    crm = deal.crm
    stages = crm.open_stages(deal.pipeline_id)
    won_position = len(stages) + 1
    visits = [visit for visit in deal.visits if visit.stage.pipeline_id == deal.pipeline_id]
    visited = {v.stage.position for v in visits if v.stage.stage_class == "open"} - {None}
    is_won = deal.status == "won"
    furthest = won_position if is_won else max(visited, default=0)  # M(d)
    if furthest == 0:
        return []

    entries = [
        [v.entered_at for v in visits if v.stage.key == (deal.pipeline_id, stage_id)] for stage_id in stages
    ]
    won_entries = [v.entered_at for v in visits if v.stage.stage_class == "won"]
    counted = walk([*entries, won_entries if is_won else []], [False] * won_position)  # 13b
    common = {"created_date": deal.created_date, **deal.filter_columns}
    amount = deal.amount or 0
    rows = []
    for position, stage_id in enumerate(stages, start=1):
        entered = position in visited
        skipped = not entered and furthest > position
        rows.append(
            common
            | {
                "stage_position": position,
                **crm.stage(deal.pipeline_id, stage_id).columns,
                "entered_count": int(entered),
                "skipped_count": int(skipped),
                "skipped_at_creation_count": int(
                    skipped and position < _first_position(visits, won_position)
                ),
                "reached_count": int(furthest >= position),
                "strict_count": int(counted[position - 1] is not None),
                "next_reached_count": int(furthest >= position + 1),  # 13d
                "lost_here_count": int(deal.status == "lost" and furthest == position),
                "open_here_count": int(deal.status == "open" and furthest == position),
                "current_here_count": int(deal.stage.key == (deal.pipeline_id, stage_id)),
                "entered_amount": amount if entered else 0,
                "time_in_stage_ms": sum(
                    v.duration_ms for v in visits if v.stage.key == (deal.pipeline_id, stage_id)
                ),
                "time_in_stage_count": int(entered),
            }
        )
    if is_won:
        rows.append(
            common
            | {
                "stage_position": won_position,
                "stage_id": "won",
                "stage_label": "Won",
                "entered_count": 1,
                "reached_count": 1,
                "current_here_count": 1,
                "strict_count": int(counted[-1] is not None),
                "entered_amount": amount,
            }
        )
    return rows


def _first_position(visits: list, won_position: int) -> int:
    """Position of the first visit in this pipeline; lost, archived, unknown or none: 0 (13c)."""
    if not visits:
        return 0
    first = visits[0].stage
    if first.stage_class == "won":
        return won_position
    return first.position or 0


def walk(entries: Sequence[Sequence[datetime]], optional: Sequence[bool]) -> list[datetime | None]:
    """The walk through stages in order (5b): per stage the entry that counts, or None.

    `entries[i]` are the instants at which the record entered stage i. A required stage without an
    entry that is late enough stops the walk; optional ones neither stop it nor raise the floor.
    """
    counted: list[datetime | None] = []
    floor, ok = None, True
    for instants, is_optional in zip(entries, optional, strict=True):
        late_enough = [e for e in instants if floor is None or e >= floor] if ok else []
        entry = min(late_enough, default=None)
        counted.append(entry)
        if not is_optional:
            ok = ok and entry is not None
            floor = entry if entry is not None else floor
    return counted
