"""The benchmark: accounts of any size, and what a run costs on them.

Belongs here: making the files of an account (`generator.py` and what it reads), the nights after it
(`nights.py`), the phases that are measured (`phases.py`, `core_steps.py`, `measure.py`) and the tables
that come of it (`results.py`). Nothing here is part of a run.
"""
