"""Forgetting people in the landing: everything of theirs goes, and after each sync again."""

from __future__ import annotations

import pytest

from orchestration.ingest.hubspot import forget
from tests.hubspot.syncing import Place, only, set_up

pytestmark = pytest.mark.thorough

NAME = "Hypatia"


@pytest.fixture
def place(simulator, tmp_path):
    set_up(simulator.crm)
    with only():
        yield Place(simulator, tmp_path / "data")


@pytest.fixture
def people(place) -> tuple[str, str, str]:
    """The ids of a contact, of somebody else, and of a call with the first one."""
    crm = place.account.crm
    gone, other = (
        crm.create("contacts", {"firstname": name, "lifecyclestage": "lead"}).id for name in (NAME, "Euclid")
    )
    call = crm.create(
        "calls",
        {"hs_timestamp": crm.clock.now_text(), "hs_call_title": f"With {NAME}", "hubspot_owner_id": "7"},
    ).id
    crm.associate("calls", call, "contacts", gone, "194")
    crm.settle()
    place.sync()
    return gone, other, call


def test_a_person_leaves_the_landing(place, people):
    gone, other, call = people
    assert NAME in str(place.tables())
    forget(place.settings(), [("contact", gone), ("call", call)])
    assert [row["id"] for row in place.rows("contacts")] == [other]
    assert {row["object_id"] for row in place.rows("contact_property_history")} == {other}
    assert place.rows("associations") == []
    assert [(row["id"], row["hs_call_title"]) for row in place.rows("calls")] == [(call, None)]
    assert NAME.encode() not in place.path.read_bytes(), "the file is written anew"


def test_who_is_still_in_hubspot_is_read_again_and_goes_again(place, people):
    gone, other, call = people
    forgotten = [("contact", gone), ("call", call)]
    forget(place.settings(), forgotten)
    crm = place.account.crm
    crm.update("contacts", gone, {"lifecyclestage": "customer"})
    crm.settle()
    place.account.clock.advance(86_400)
    place.sync()
    assert gone in {row["id"] for row in place.rows("contacts")}
    forget(place.settings(), forgotten)
    assert [row["id"] for row in place.rows("contacts")] == [other]
    place.sync()
    assert [row["id"] for row in place.rows("contacts")] == [other]


def test_nothing_landed_nothing_to_forget(tmp_path, place):
    forget(place.settings(), [("contact", "1")])
    assert not (place.data_dir / "hubspot").exists()
