"""The generator of hard CRMs is a pure function and leaves no trap out."""

from __future__ import annotations

from collections import Counter

from tests.crm_generator import hard_crm


def test_same_seed_same_crm():
    assert hard_crm(3).tables == hard_crm(3).tables


def test_every_trap_is_laid():
    """Every place of the generator that can lay a trap has laid some in two hundred CRMs."""
    traps = Counter()
    for seed in range(200):
        traps.update(hard_crm(seed).traps)
    assert not {name for name, laid in traps.items() if laid < 3}
