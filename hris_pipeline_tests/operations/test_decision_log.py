"""Who decided what: written down before it is carried out, with what came of it, on both databases."""

import pytest

from hris_pipeline.errors import ImportStale
from hris_pipeline.operations.roles import DecidedBy, deciding, decisions_of
from hris_pipeline.operations.services import Services

DANA = DecidedBy("Dana", "dana@acme.example", "oidc", "192.0.2.7")


def test_a_decision_keeps_who_was_authenticated_how_and_from_where(services: Services) -> None:
    with deciding(services, "acme", "approve", DANA, "20260302-1"):
        pass
    (decision,) = decisions_of(services, "acme")
    assert (decision.name, decision.identity, decision.method, decision.address) == (
        "Dana",
        "dana@acme.example",
        "oidc",
        "192.0.2.7",
    )
    assert (decision.action, decision.subject, decision.outcome) == ("approve", "20260302-1", "done")
    assert decision.decided_at == services.now()


def test_it_stands_there_before_it_is_carried_out(services: Services) -> None:
    with deciding(services, "acme", "save", DANA):
        assert [decision.outcome for decision in decisions_of(services, "acme")] == [None]


@pytest.mark.parametrize(("error", "outcome"), [(ImportStale("x"), "ImportStale"), (ValueError("x"), "unexpected")])
def test_what_was_refused_is_not_forgotten(services: Services, error: Exception, outcome: str) -> None:
    with pytest.raises(type(error)), deciding(services, "acme", "save", DANA):
        raise error
    assert [decision.outcome for decision in decisions_of(services, "acme")] == [outcome]


def test_the_newest_come_first_and_each_integration_has_its_own(services: Services) -> None:
    for name, action in (("acme", "pause"), ("other", "pause"), ("acme", "resume")):
        with deciding(services, name, action, DANA):
            pass
    assert [decision.action for decision in decisions_of(services, "acme")] == ["resume", "pause"]
    assert [decision.action for decision in decisions_of(services, "acme", limit=1)] == ["resume"]
