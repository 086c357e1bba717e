"""What the list tells of holes: who they are, whether they work, and whether they have left."""

import pandas as pd

from hris_pipeline.settings.validating import settings_from
from hris_pipeline.transform.map_users import map_identities
from hris_pipeline.transform.normalise import normalise
from hris_pipeline.transform.validate import read_listed
from hris_pipeline_tests.kit.frames import TODAY, Company, columns, member, values


def identities(*members: dict[str, object], **document: object) -> pd.DataFrame:
    return map_identities(read_listed(normalise(columns(*members))), settings_from(document), Company(), TODAY)


def test_nobody_who_is_only_listed_is_a_good_row() -> None:
    listed = read_listed(normalise(columns(member(1), member(2))))
    assert (len(listed.rows), len(listed.failed)) == (0, 2)


def test_they_are_who_the_list_says_as_far_as_it_can_be_read() -> None:
    people = identities(member(1, email="ada@acme.test"), member(2, birth_date="soon", first_name=None))
    assert values(people["hris_id"]) == ["m-1", "m-2"]
    assert values(people["employee_id"]) == ["0001", "0002"]
    assert values(people["email"]) == ["ada@acme.test", None]
    assert values(people["first_name"]) == ["Ada", None]
    assert [value is None for value in values(people["birth_date"])] == [False, True]


def test_who_works_or_starts_soon_works_and_who_is_called_inactive_has_left() -> None:
    people = identities(
        member(1),
        member(2, active=False),
        member(3, active=None),
        member(4, hire_date="2025-06-05"),
        member(5, hire_date="2026-06-05"),
        member(6, termination_date="2025-01-01"),
        import_days_before_start=7,
    )
    assert people["works"].tolist() == [True, False, True, True, False, False]
    assert people["left"].tolist() == [False, True, False, False, False, False]
