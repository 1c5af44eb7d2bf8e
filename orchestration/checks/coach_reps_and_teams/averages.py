"""Averages that report functions answer, against the sums and counts that they stand for."""

from __future__ import annotations

from orchestration.checks import ANSWER


def wrong_averages(function: str, averages: dict[str, tuple[str, str]]) -> str:
    """SQL of the rows that a report function answers whose averages times their count are not the sum.

    `averages` maps each to its sum and its count; without a count there is none (C7).
    """
    broken = " or ".join(
        f"({average} is null) <> ({count} = 0) "
        f"or abs(coalesce({average}, 0) * {count} - {total}) > 1e-9 * greatest(abs({total}), 1)"
        for average, (total, count) in averages.items()
    )
    shown = ", ".join({name: None for pair in averages.items() for name in (pair[0], *pair[1])})
    return f"select {ANSWER} as id, {shown} from proof_answers_{function} where {broken}"
