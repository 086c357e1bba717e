"""Whole imports over HTTP into both databases, held against the oracle, which shares no code with the pipeline."""

from datetime import timedelta
from typing import Any

import pytest

from hris_pipeline.operations.verification import verify
from hris_pipeline.sandbox import Company
from hris_pipeline.sandbox.wire import custom_fields, custom_values, profile
from hris_pipeline.settings.document import Settings
from hris_pipeline_tests.kit import oracle
from hris_pipeline_tests.kit.acme import Acme, MakeAcme
from hris_pipeline_tests.kit.clock import MONDAY
from hris_pipeline_tests.kit.oracle_members import expect_members

SETTINGS: dict[str, dict[str, Any]] = {
    "default": {},
    "every switch the other way": {
        "archive_employees": False,
        "override_emails": True,
        "override_hire_date": True,
        "hire_date_priority": "latest",
        "add_plus_to_phone_numbers": True,
    },
}


def states(acme: Acme) -> dict[str, dict[str, Any]]:
    """The users as the oracle writes them, by id."""
    return {row["user_id"]: {name: oracle.plain(row[name]) for name in oracle.STATE} for row in acme.users().values()}


def by_link(users: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {user["hris_id"]: user for user in users.values()}


@pytest.mark.parametrize("document", SETTINGS.values(), ids=SETTINGS)
def test_weeks_of_imports_end_where_the_oracle_says(make: MakeAcme, document: dict[str, Any]) -> None:
    settings = Settings.model_validate(document)
    acme = make(company=Company(120, seed=11, today=MONDAY.date()), settings=settings)
    for _ in range(3):
        known = states(acme)
        expected = expect_members(
            acme.company.members(),
            profile(acme.company.id, acme.company.display_name),
            known,
            settings.document(),
            integration=acme.name,
            today=acme.company.today,
            definitions=custom_fields(),
            custom_values={one.id: custom_values(one) for one in acme.company.persons()},
            missing=set(acme.company.gone),
        )
        done = acme.run()
        assert dict(done.counts) == expected.counts
        after = states(acme)
        assert by_link(after) == by_link(expected.users)
        assert {key for key in known if after[key]["hris_id"] == known[key]["hris_id"]} == set(known)
        rows = acme.counted()[0]
        assert acme.run().changes == 0
        assert acme.counted()[0] == rows
        acme.company.week(acme.company.today + timedelta(days=7))
        acme.clock.advance(days=7)
    assert verify(acme.services, acme.name).ok
