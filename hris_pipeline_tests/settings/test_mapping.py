"""What feeds what, and the edits people make to it."""

from collections.abc import Callable
from typing import Any

import pytest

from hris_pipeline.errors import HrisError, SettingsInvalid, UnknownName, UsageError
from hris_pipeline.settings.document import MetadataField, Settings
from hris_pipeline.settings.fields import DEFAULT_METADATA, USER_FIELDS, MetadataName
from hris_pipeline.settings.mapping import (
    add_metadata,
    change_metadata_type,
    column_lineage,
    delete_metadata,
    effective_mapping,
    effective_metadata,
    metadata_renames,
    needs_custom_fields,
    rename_metadata,
    set_source,
)
from hris_pipeline.settings.validating import settings_from

ODD: Any = "odd"
TEAM = {"name": "Team", "source": "department"}
BUDDY = {"name": "Buddy", "source": "custom:Buddy", "type": "associated"}
RULE = {"name": "R", "all": [{"field": "custom:Kind", "operator": "is_empty"}]}


def test_by_default_every_user_field_is_fed_as_the_catalogue_says() -> None:
    assert effective_mapping(Settings()) == {field.name: field.source for field in USER_FIELDS}
    assert [(entry.name, entry.source) for entry in effective_metadata(Settings())] == list(DEFAULT_METADATA)
    assert {entry.type for entry in effective_metadata(Settings())} == {"default"}


def test_giving_keys_of_mapping_replaces_those_keys() -> None:
    mapping = effective_mapping(settings_from({"mapping": {"supervisor_id": "supervisor_justworks_id"}}))
    assert mapping == effective_mapping(Settings()) | {"supervisor_id": "supervisor_justworks_id"}


def test_giving_metadata_replaces_the_list() -> None:
    assert effective_metadata(settings_from({"metadata": [TEAM]})) == (
        MetadataField(name=MetadataName("Team"), source="department"),
    )
    assert effective_metadata(settings_from({"metadata": []})) == ()


def test_excluded_fields_are_not_fed() -> None:
    settings = settings_from({"exclude_fields": ["birth_date", "JobTitle"]})
    assert "birth_date" not in effective_mapping(settings)
    assert "JobTitle" not in [entry.name for entry in effective_metadata(settings)]


def test_generated_employee_ids_are_not_fed() -> None:
    settings = settings_from({"employee_ids": "generated", "mapping": {"employee_id": "justworks_id"}})
    assert "employee_id" not in effective_mapping(settings)


@pytest.mark.parametrize(
    ("document", "needed"),
    [
        ({}, False),
        ({"mapping": {"email": "custom:Mail"}}, True),
        ({"metadata": [TEAM, BUDDY]}, True),
        ({"metadata": [TEAM]}, False),
        ({"do_not_import": [RULE]}, True),
        ({"mapping": {"email": "custom:Mail"}, "exclude_fields": ["email"]}, False),
        ({"metadata": [BUDDY], "exclude_fields": ["Buddy"]}, False),
    ],
)
def test_custom_fields_are_needed_when_something_in_force_names_one(document: dict[str, object], needed: bool) -> None:
    assert needs_custom_fields(settings_from(document)) is needed


def test_lineage_leads_to_employee_columns_and_leaves_hidden_metadata_out() -> None:
    settings = settings_from(
        {
            "hire_date_priority": "latest",
            "mapping": {"email": "custom:Mail"},
            "metadata": [TEAM, BUDDY, {"name": "Secret", "source": "birth_date", "type": "hidden"}],
            "exclude_fields": ["phone_number"],
        }
    )
    lineage = column_lineage(settings)
    assert lineage["employee_id"] == ("justworks_id",)
    assert lineage["hire_date"] == ("hire_date", "latest_rehire_date")
    assert lineage["email"] == lineage["#Buddy"] == ("custom_fields",)
    assert lineage["#Team"] == ("department",)
    assert "phone_number" not in lineage
    assert "#Secret" not in lineage


def test_a_core_field_or_metadata_is_fed_from_another_source() -> None:
    settings = settings_from({"metadata": [TEAM]})
    settings = set_source(settings, "employee_id", "custom:Badge")
    settings = set_source(settings, "Team", "job_title")
    assert effective_mapping(settings)["employee_id"] == "custom:Badge"
    assert settings.metadata == (MetadataField(name=MetadataName("Team"), source="job_title"),)


def test_metadata_is_added_retyped_and_deleted() -> None:
    settings = add_metadata(settings_from({"metadata": [TEAM]}), "Buddy", "custom:Buddy", "associated")
    assert settings == settings_from({"metadata": [TEAM, BUDDY]})
    settings = change_metadata_type(settings, "Team", "hidden")
    assert settings.metadata[0].type == "hidden"
    assert delete_metadata(settings, "Team") == settings_from({"metadata": [BUDDY]})


def test_a_renamed_or_deleted_metadata_field_stays_or_goes_in_the_exclusions() -> None:
    settings = settings_from({"metadata": [TEAM], "exclude_fields": ["Team", "email"]})
    assert rename_metadata(settings, "Team", "Unit").exclude_fields == ("Unit", "email")
    assert delete_metadata(settings, "Team").exclude_fields == ("email",)


@pytest.mark.parametrize(
    ("edit", "error", "message"),
    [
        (
            lambda s: set_source(s, "Taem", "email"),
            UnknownName,
            "No metadata field or user field 'Taem'. Did you mean 'Team'?",
        ),
        (lambda s: set_source(s, "emial", "email"), UnknownName, "Did you mean 'email'?"),
        (lambda s: set_source(s, "email", "emial"), SettingsInvalid, "mapping.email: no employee column 'emial'"),
        (lambda s: set_source(s, "Team", "class_code"), SettingsInvalid, "ClassCode (class_code) is not available"),
        (lambda s: set_source(s, "hire_date", "department"), SettingsInvalid, "hire_date is a date"),
        (lambda s: add_metadata(s, "TEAM", "email"), SettingsInvalid, "'TEAM' is given twice"),
        (lambda s: add_metadata(s, "Email", "email"), SettingsInvalid, "'Email' is a core field"),
        (
            lambda s: add_metadata(s, "X", "email", ODD),
            SettingsInvalid,
            "must be 'default', 'associated' or 'hidden'",
        ),
        (lambda s: rename_metadata(s, "Taem", "Unit"), UnknownName, "Did you mean 'Team'?"),
        (lambda s: rename_metadata(s, "Team", "Buddy"), SettingsInvalid, "'Buddy' is given twice"),
        (lambda s: rename_metadata(s, "Team", " "), SettingsInvalid, "must not be blank"),
        (lambda s: change_metadata_type(s, "email", "hidden"), UnknownName, "No metadata field"),
        (lambda s: delete_metadata(s, "Taem"), UnknownName, "Did you mean 'Team'?"),
        (lambda s: delete_metadata(s, "email"), UsageError, "email is a core user field and cannot be deleted"),
    ],
)
def test_an_edit_that_cannot_be_is_refused_and_says_why(
    edit: Callable[[Settings], Settings], error: type[HrisError], message: str
) -> None:
    with pytest.raises(error) as refusal:
        edit(settings_from({"metadata": [TEAM, BUDDY]}))
    assert message in str(refusal.value)


@pytest.mark.parametrize(
    ("old", "new", "renames"),
    [
        ([("A", "email")], [("A", "email")], {}),
        ([("A", "email")], [("B", "email")], {"A": "B"}),
        ([("A", "email")], [("a", "email")], {"A": "a"}),
        ([("A", "email")], [("B", "job_title")], {}),
        ([("A", "email")], [], {}),
        ([("A", "email")], [("A", "email"), ("B", "email")], {}),
        ([("A", "email"), ("B", "email")], [("C", "email"), ("D", "email")], {"A": "C", "B": "D"}),
        ([("A", "email"), ("B", "email")], [("B", "email"), ("C", "email")], {"A": "C"}),
        ([("A", "email"), ("B", "email")], [("C", "email")], {"A": "C"}),
        ([("A", "email"), ("B", "job_title")], [("B", "email"), ("A", "job_title")], {}),
    ],
)
def test_a_metadata_field_is_renamed_when_its_name_goes_and_a_new_one_has_its_source(
    old: list[tuple[str, str]], new: list[tuple[str, str]], renames: dict[str, str]
) -> None:
    before, after = (
        settings_from({"metadata": [{"name": name, "source": source} for name, source in entries]})
        for entries in (old, new)
    )
    assert metadata_renames(before, after) == renames


def test_a_rename_is_told_as_one() -> None:
    settings = settings_from({"metadata": [TEAM, BUDDY]})
    assert metadata_renames(settings, rename_metadata(settings, "Team", "Unit")) == {"Team": "Unit"}
