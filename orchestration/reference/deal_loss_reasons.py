"""Report 21, deal loss reasons: lost deals by the reason that stands on them today."""

from collections import Counter

from orchestration.reference.crm import DEAL_COLUMNS, Crm, Deal, Row, group_rows

GRAIN = ("close_date", "loss_reason", *DEAL_COLUMNS)
MEASURES = ("deal_count", "total_amount")
NO_REASON = "(No reason)"
ASCII_WHITESPACE = " \t\n\r\f\v"


def rpt_deal_loss_reasons(crm: Crm) -> list[Row]:
    """One row per close day, reason, owner and pipeline; a deal counts once per reason (21a)."""
    if not crm.is_available("deals", "closed_lost_reason"):  # K11
        return []
    spellings = displayed_spellings(crm)
    deals = [
        {
            "close_date": deal.close_date,
            "loss_reason": reason,
            **deal.filter_columns,
            "deal_count": 1,
            "total_amount": deal.amount,
        }
        for deal in crm.closing_deals
        if deal.status == "lost"
        for reason in sorted({spellings[without_case(part)] for part in reason_parts(deal)})
    ]
    return group_rows(deals, GRAIN, MEASURES)


def reason_parts(deal: Deal) -> list[str]:
    """The reasons in the text, or that there is none: split at ';', ASCII whitespace collapsed (21a)."""
    parts = []
    for text in (deal.row["closed_lost_reason"] or "").split(";"):
        for character in ASCII_WHITESPACE:
            text = text.replace(character, " ")
        part = " ".join(word for word in text.split(" ") if word)
        if part:
            parts.append(part)
    return parts or [NO_REASON]


def without_case(reason: str) -> str:
    """Lower case letter by letter: a sigma at the end of a word is one like any other."""
    return "".join(letter.lower()[0] for letter in reason)


def displayed_spellings(crm: Crm) -> dict[str, str]:
    """Lower-case reason → its most frequent spelling among all lost deals, dated or not (21a)."""
    votes = Counter(part for deal in crm.deals if deal.status == "lost" for part in reason_parts(deal))
    by_reason: dict[str, list[str]] = {}
    for spelling in votes:
        by_reason.setdefault(without_case(spelling), []).append(spelling)
    return {
        reason: min(spellings, key=lambda spelling: (-votes[spelling], spelling))
        for reason, spellings in by_reason.items()
    }
