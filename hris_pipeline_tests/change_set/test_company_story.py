"""A sandbox company through a first import and weeks of changes, from its members to its users, against the oracle."""

import json
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from hris_pipeline.change_set.plan import Plan, PlanContext, make_plan
from hris_pipeline.sandbox import Company
from hris_pipeline.sandbox.wire import custom_fields, custom_values, profile
from hris_pipeline.settings.document import Settings
from hris_pipeline.sources.justworks_wire import CUSTOM_VALUES_KEY, columns, read_company, read_custom_fields
from hris_pipeline.transform.map_users import map_users
from hris_pipeline.transform.normalise import normalise
from hris_pipeline.transform.validate import validate
from hris_pipeline_tests.kit import oracle
from hris_pipeline_tests.kit.company_strategies import TODAY
from hris_pipeline_tests.kit.memory_directory import MemoryDirectory
from hris_pipeline_tests.kit.oracle_members import expect_members

RULE = {"name": "Contractors", "all": [{"field": "employment_type", "operator": "equals", "value": "contractor"}]}
SALES = {"name": "Sales", "any": [{"field": "department", "operator": "in", "value": ["Sales", "Marketing"]}]}
BUDDY = {"name": "Buddy", "source": "custom:Buddy", "type": "associated"}
BADGE = {"name": "Badge", "source": "custom:Badge Number", "type": "hidden"}
TONGUES = {"name": "Languages", "source": "custom:Languages"}

SETTINGS: dict[str, dict[str, Any]] = {
    "default": {},
    "every switch the other way": {
        "archive_employees": False,
        "override_emails": True,
        "override_hire_date": True,
        "hire_date_priority": "latest",
        "add_plus_to_phone_numbers": True,
        "employee_ids": "generated",
        "import_days_before_start": 20,
    },
    "rules, exclusions and custom fields": {
        "do_not_import": [RULE, SALES | {"archive_existing": True}],
        "exclude_fields": ["birth_date", "Badge"],
        "mapping": {"supervisor_id": "supervisor_justworks_id"},
        "metadata": [BUDDY, BADGE, TONGUES],
    },
}


@pytest.mark.parametrize("document", SETTINGS.values(), ids=SETTINGS)
def test_every_import_ends_where_the_oracle_says(document: dict[str, Any]) -> None:
    settings, directory = Settings.model_validate(document), MemoryDirectory()
    company = Company(150, seed=7, today=TODAY)
    for _ in range(3):
        missing = set(company.gone)
        known = dict(directory.by_id)
        plan = planned(company, directory, settings, missing)
        expected = expect_members(
            company.members(),
            profile(company.id, company.display_name),
            known,
            settings.document(),
            integration="acme",
            today=company.today,
            definitions=custom_fields(),
            custom_values={one.id: custom_values(one) for one in company.persons()},
            missing=missing,
        )
        directory.apply(plan.rows)
        assert plan.counts == expected.counts
        assert states(directory, set(known)) == expected.users
        assert planned(company, directory, settings, missing).rows.empty
        company.week(company.today + timedelta(days=7))
    assert len(directory.by_id) > 100


def planned(company: Company, directory: MemoryDirectory, settings: Settings, missing: set[str]) -> Plan:
    """The plan of the company's members as they would come over the wire."""
    definitions = read_custom_fields(json.dumps(one).encode() for one in custom_fields())
    read = read_company(json.dumps(profile(company.id, company.display_name)).encode(), definitions)
    values = {one.id: custom_values(one) for one in company.persons()}
    lines = [json.dumps(one | {CUSTOM_VALUES_KEY: values[one["id"]]}).encode() for one in company.members()]
    validated = validate(normalise(columns(lines, read)))
    mapped = map_users(validated.employees, settings, read)
    bad = pd.concat([validated.quarantined, mapped.quarantined])
    people = bad.drop_duplicates("hris_id")
    facts = PlanContext(
        "acme",
        company.today,
        True,
        missing=frozenset(missing),
        quarantined=tuple(people["employee_id"].fillna(people["hris_id"])),
        quarantined_hris_ids=frozenset(people["hris_id"]),
    )
    return make_plan(mapped.users, directory, facts, settings)


def states(directory: MemoryDirectory, known: set[str]) -> dict[str, dict[str, Any]]:
    """Users as the oracle writes them, by id; new ones by their link."""
    return {
        key if key in known else f"new:{user['hris_id']}": {name: oracle.plain(user[name]) for name in oracle.STATE}
        for key, user in directory.by_id.items()
    }
