"""The slow, obvious computation of every report, written beside the specification.

Belongs here: `crm.py`, the notions that all reports share (population, creation instant, history,
classes, labels, amounts, periods), and one module per report with `rpt_<report>(crm)`, which
returns exactly the rows of the mart. Rule ids in comments point at `decisions.md` and `reports.md`.
Does not belong here: speed, SQL, anything learnt from the dbt models. Where the models and these
pages differ, the specification decides who is wrong; that is all they are for.
"""
