"""What editors, the command line and the reference page say of the settings is what the model says."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from hris_pipeline.settings.document import GuardLimits, MetadataField, Notify, Settings
from hris_pipeline.settings.fields import USER_FIELD_NAMES
from hris_pipeline.settings.schema import setting_rows, settings_page, settings_schema
from hris_pipeline.settings.values import Condition, Rule

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def test_the_page_in_the_docs_is_the_one_made_from_the_model() -> None:
    assert PAGE.read_text(encoding="utf-8") == settings_page(), "write settings_page() to docs/settings.md"


@pytest.mark.parametrize("part", [Settings, GuardLimits, Rule, Condition, MetadataField, Notify])
def test_every_setting_has_a_meaning_in_one_line(part: type[BaseModel]) -> None:
    for row in setting_rows(part):
        assert row.values
        assert row.meaning.endswith(".")
        assert "\n" not in row.meaning


def test_there_is_a_row_for_every_setting_and_every_limit() -> None:
    names = [row.name for row in setting_rows()]
    assert set(Settings.model_fields) <= set(names)
    assert "guards.archive_limit.people_percent" in names
    assert {row.name: row.default for row in setting_rows()}["guards.field_wipe.percent"] == "30"


def test_the_page_shows_every_user_field_and_metadata_by_default() -> None:
    page = settings_page()
    assert all(f"| `{name}` |" in page for name in USER_FIELD_NAMES)
    assert "JobTitle, Department" in page


def test_the_schema_describes_every_property_and_refuses_unknown_ones() -> None:
    schema = settings_schema()
    assert schema["$schema"].startswith("https://json-schema.org/")
    parts: list[dict[str, Any]] = [schema, *schema["$defs"].values()]
    for part in parts:
        assert part["additionalProperties"] is False
        assert all(described["description"] for described in part["properties"].values())


def test_the_schema_completes_what_is_listed() -> None:
    properties = settings_schema()["properties"]
    assert properties["mapping"]["propertyNames"]["enum"] == list(USER_FIELD_NAMES)
    assert properties["weekday"]["enum"][0] == "monday"
    assert re.fullmatch(properties["at"]["pattern"], "04:15")
    assert not re.fullmatch(properties["at"]["pattern"], "04:20")
