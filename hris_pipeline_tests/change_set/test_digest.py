"""What a digest covers, and what it must not."""

import pandas as pd
import pytest

from hris_pipeline.change_set.directory import plan_digest, source_hash
from hris_pipeline.transform.columns import text_series
from hris_pipeline_tests.kit.mapped_people import person
from hris_pipeline_tests.kit.memory_directory import MemoryDirectory
from hris_pipeline_tests.kit.plans import company, plan


def digest(rows: pd.DataFrame, settings: str = "s", complete: bool = True, tripped: tuple[str, ...] = ()) -> str:
    return plan_digest(rows, settings_digest=settings, complete=complete, tripped=tripped)


def changes() -> pd.DataFrame:
    people, directory = company(3)
    now = [people[0] | {"first_name": "New"}, people[1] | {"active": False}, people[2], person(4)]
    return plan(now, directory).rows


def test_the_same_plan_has_the_same_digest_whatever_its_ids_and_order() -> None:
    rows = changes()
    other = rows.iloc[::-1].assign(user_id=text_series(["x", "y", "z"], rows.index))
    assert digest(rows) == digest(other)
    people = [person(1), person(2)]
    assert plan(people, MemoryDirectory()).digest == plan(people[::-1], MemoryDirectory()).digest


@pytest.mark.parametrize("column", ["action", "changed", "before", "after", "base_version"])
def test_any_change_of_a_row_changes_the_digest(column: str) -> None:
    rows = changes()
    other = rows.copy()
    other.loc[0, column] = 9 if column == "base_version" else "other"
    assert digest(rows) != digest(other)


def test_settings_completeness_and_guards_change_the_digest() -> None:
    rows = changes()
    digests = {
        digest(rows),
        digest(rows, settings="t"),
        digest(rows, complete=False),
        digest(rows, tripped=("archive_limit",)),
        digest(rows.iloc[:0]),
    }
    assert len(digests) == 5
    assert digest(rows, tripped=("a", "b")) == digest(rows, tripped=("b", "a"))


def test_settings_that_do_not_matter_to_a_plan_do_not_change_its_digest() -> None:
    people, directory = company(2)
    people[0] |= {"first_name": "New"}
    today = plan(people, directory).digest
    assert plan(people, directory, {"display_name": "Acme", "frequency": "weekly"}).digest == today
    assert plan(people, directory, {"override_emails": True}).digest != today


def test_an_edit_in_the_store_changes_the_digest_through_the_base_version() -> None:
    people, directory = company(2)
    people[0] |= {"first_name": "New"}
    today = plan(people, directory).digest
    directory.edit(directory.by_employee_id("0001")["user_id"])
    assert plan(people, directory).digest != today


def test_a_source_hash_tells_values_names_and_nulls_apart_but_not_the_order_of_names() -> None:
    rows = pd.DataFrame({"a": text_series(["x", "x", None, "xy", "x"]), "b": text_series(["y", "y", "y", None, None])})
    hashes = source_hash(rows, ["a", "b"]).tolist()
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 4
    assert source_hash(rows, ["b", "a"]).tolist() == hashes
    assert source_hash(rows, ["a"]).tolist() != source_hash(rows.rename(columns={"a": "c"}), ["c"]).tolist()
    assert source_hash(rows, []).nunique() == 1
