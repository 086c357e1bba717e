"""The catalogue: what is made of its lines, and who is held to it."""

import msgspec
import pytest
import yaml

from hris_pipeline.errors import HrisError
from hris_pipeline.settings.document import MetadataField, Settings
from hris_pipeline.settings.fields import (
    EMPLOYEE_FIELDS,
    RAW_COLUMNS,
    USER_FIELD_NAMES,
    USER_FIELDS,
    USER_STATE,
    MetadataName,
    require_getters,
)
from hris_pipeline.sources import finch_wire, justworks_wire
from hris_pipeline.store.tables import users


def test_a_metadata_name_and_its_column_are_told_apart() -> None:
    assert MetadataName("Cost #1").column == "#Cost #1"
    assert MetadataName("#1").column == "##1"


def test_the_settings_know_their_metadata_by_the_type_and_write_it_as_text() -> None:
    settings = Settings(metadata=(MetadataField(name=MetadataName("Team"), source="department"),))
    assert settings.metadata[0].name.column == "#Team"
    document = settings.document()
    assert type(document["metadata"][0]["name"]) is str
    assert yaml.safe_load(yaml.safe_dump(document["metadata"])) == document["metadata"]
    assert msgspec.json.encode(document)


def test_every_user_field_is_fed_by_one_line_and_stands_in_the_state_and_the_table() -> None:
    assert [field.source for field in USER_FIELDS] == [
        line.name
        for line in sorted(
            (line for line in EMPLOYEE_FIELDS if line.feeds), key=lambda line: line.feeds.place if line.feeds else 0
        )
    ]
    assert set(USER_FIELD_NAMES) < set(USER_STATE) <= set(users.c.keys())
    assert len(set(USER_STATE)) == len(USER_STATE)


@pytest.mark.parametrize(("source", "fields"), [("justworks", justworks_wire.FIELDS), ("finch", finch_wire.FIELDS)])
def test_a_field_forgotten_in_one_wire_is_named(source: str, fields: dict[str, object]) -> None:
    missing_in = {line.name for line in EMPLOYEE_FIELDS if source in line.missing_in}
    getters = [name for name in RAW_COLUMNS if name not in missing_in]
    require_getters(source, getters)
    assert set(getters) <= set(fields)
    with pytest.raises(HrisError, match=r"no getter for email.*fields\.py"):
        require_getters(source, [name for name in getters if name != "email"])
    with pytest.raises(HrisError, match="reads shoe_size, which the catalogue does not have"):
        require_getters(source, [*getters, "shoe_size"])
