"""Every mart equals its independent slow computation, on CRMs full of traps.

`pytest tests/test_reference_vs_sql.py --crms 500` compares many.
"""

from __future__ import annotations

import pytest

from orchestration.reference import references
from orchestration.reference.crm import Crm, RunSettings
from tests.crm_generator import hard_crm
from tests.harness import assert_mart_equals, compiled_project, load_crm


def pytest_generate_tests(metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        seeds = range(metafunc.config.getoption("--crms"))
        metafunc.parametrize("seed", seeds, scope="module")
    if "mart" in metafunc.fixturenames:
        compared = sorted(set(references()) & set(compiled_project().marts))
        metafunc.parametrize("mart", compared)


@pytest.fixture(scope="module")
def generated(seed):
    """One CRM: the build of its marts, and the same rows for the references."""
    crm = hard_crm(seed)
    build = load_crm(crm.tables, **crm.settings)
    yield build, Crm(crm.tables, RunSettings(**crm.settings))
    build.connection.close()


def test_mart_equals_reference(generated, mart, seed):
    build, crm = generated
    reference = references()[mart]
    assert_mart_equals(build, mart, reference.compute(crm), reference.measures, f"CRM {seed}:")
