"""Every setting: its default, what it takes, and what it refuses in which words."""

from typing import Any

import pytest
from pydantic import ValidationError

from hris_pipeline.errors import SettingsInvalid
from hris_pipeline.settings.document import NOT_IN_PLAN, Settings
from hris_pipeline.settings.fields import DEFAULT_METADATA
from hris_pipeline.settings.validating import settings_from

DEFAULTS: dict[str, Any] = {
    "display_name": None,
    "source": "justworks",
    "directory": None,
    "archive_employees": True,
    "override_emails": False,
    "hire_date_priority": "original",
    "override_hire_date": False,
    "default_calling_country": None,
    "add_plus_to_phone_numbers": False,
    "employee_ids": "justworks",
    "do_not_import": [],
    "do_not_archive": [],
    "exclude_fields": [],
    "import_days_before_start": 0,
    "frequency": "daily",
    "at": "04:00",
    "weekday": "monday",
    "day_of_month": 1,
    "time_zone": "America/New_York",
    "start_automatic_imports": False,
    "mapping": {},
    "metadata": [{"name": name, "source": source, "type": "default"} for name, source in DEFAULT_METADATA],
    "guards": {
        "archive_limit": {
            "percent": 10,
            "min_people": 5,
            "people": 100,
            "people_percent": 3,
            "small_people": 2,
            "small_percent": 50,
        },
        "slow_bleed": {"days": 7, "percent": 20, "min_people": 5},
        "create_limit": {"percent": 50, "min_people": 25},
        "employee_id_mismatch": {"percent": 5, "min_people": 5},
        "email_change_limit": {"percent": 20, "min_people": 5},
        "identity_change": {"percent": 5, "min_people": 5},
        "quarantine_growth": {"percent": 5, "min_people": 5},
        "unread_field": {"percent": 50, "min_people": 5},
        "field_wipe": {"percent": 30, "min_people": 5},
    },
    "notify": [],
}

OTHER_VALUES: dict[str, Any] = {
    "display_name": "Acme",
    "source": "finch",
    "directory": "acme-2",
    "archive_employees": False,
    "override_emails": True,
    "hire_date_priority": "latest",
    "override_hire_date": True,
    "default_calling_country": "GB",
    "add_plus_to_phone_numbers": True,
    "employee_ids": "generated",
    "do_not_import": [{"name": "C", "all": [{"field": "email", "operator": "is_empty"}], "archive_existing": True}],
    "do_not_archive": ["0001"],
    "exclude_fields": ["birth_date", "JobTitle"],
    "import_days_before_start": 90,
    "frequency": "monthly",
    "at": "23:45",
    "weekday": "sunday",
    "day_of_month": 31,
    "time_zone": "Asia/Kathmandu",
    "start_automatic_imports": True,
    "mapping": {"employee_id": "custom:Badge"},
    "metadata": [{"name": "Buddy", "source": "custom:Buddy", "type": "associated"}],
    "guards": {"archive_limit": {"percent": 20}},
    "notify": [{"to": "slack://token", "on": ["held"]}],
}


def rule(**condition: Any) -> dict[str, Any]:
    return {"do_not_import": [{"name": "R", "all": [condition]}]}


def metadata(*entries: tuple[str, str]) -> dict[str, Any]:
    return {"metadata": [{"name": name, "source": source} for name, source in entries]}


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"archive_employes": True}, "archive_employes: no such setting. Did you mean 'archive_employees'?"),
    ({"archive_employees": "maybe"}, "archive_employees: must be true or false"),
    ({"archive_employees": 1}, "archive_employees: must be true or false"),
    ({"source": "justwork"}, "source: must be 'justworks' or 'finch'. Did you mean 'justworks'?"),
    ({"display_name": " "}, "display_name: must not be blank nor have blanks around it"),
    ({"display_name": "x" * 101}, "display_name: must not be longer than 100 characters"),
    ({"display_name": "a\x07"}, "display_name: must not hold control characters"),
    ({"directory": "Acme Inc"}, "directory: must be a slug: lower-case letters, digits and hyphens, at most 63"),
    ({"do_not_archive": [1]}, "do_not_archive[0]: must be text: put it in quotes, because a bare number loses"),
    ({"do_not_archive": "0001"}, "do_not_archive: must be a list"),
    ({"exclude_fields": ["employee_id"]}, "exclude_fields[0]: employee_id cannot be excluded"),
    ({"exclude_fields": ["birthdate"]}, "exclude_fields[0]: 'birthdate' is neither a user field nor a metadata name."),
    ({"exclude_fields": ["jobtitle"]}, "Did you mean 'JobTitle'?"),
    ({"import_days_before_start": 91}, "import_days_before_start: must be at most 90"),
    ({"import_days_before_start": -1}, "import_days_before_start: must be at least 0"),
    ({"import_days_before_start": "3"}, "import_days_before_start: must be a whole number"),
    ({"frequency": "dayly"}, "Did you mean 'daily'?"),
    ({"at": "04:10"}, "at: must be a quarter hour of the day as HH:MM"),
    ({"at": "24:00"}, "at: must be a quarter hour"),
    ({"weekday": "Monday"}, "Did you mean 'monday'?"),
    ({"day_of_month": 32}, "day_of_month: must be at most 31"),
    ({"day_of_month": 0}, "day_of_month: must be at least 1"),
    ({"time_zone": "America/NewYork"}, "time_zone: no such time zone; use a name like America/New_York. Did you mean"),
    ({"time_zone": "../etc/passwd"}, "time_zone: no such time zone"),
    ({"time_zone": ""}, "time_zone: no such time zone"),
    ({"time_zone": "America"}, "time_zone: no such time zone"),
    ({"mapping": ["email"]}, "mapping: must be keys with values"),
    (
        {"mapping": {"emplyee_id": "email"}},
        "mapping.emplyee_id: no user field 'emplyee_id'. Did you mean 'employee_id'?",
    ),
    ({"mapping": {"email": "emails"}}, "mapping.email: no employee column 'emails'; use one of them or custom:Label."),
    ({"mapping": {"email": "custom:"}}, "mapping.email: a custom field is written custom:Label"),
    ({"mapping": {"email": "custom: Badge"}}, "mapping.email: a custom field is written custom:Label"),
    ({"mapping": {"email": "custom_fields"}}, "mapping.email: name one custom field, as custom:Label"),
    ({"mapping": {"hire_date": "department"}}, "mapping.hire_date: hire_date is a date, department is not"),
    ({"mapping": {"email": "class_code"}}, "ClassCode (class_code) is not available with source: justworks"),
    (metadata(("Code", "class_code")), "metadata.Code.source: ClassCode (class_code) is not available"),
    (rule(field="class_code", operator="is_empty"), "do_not_import.R.all[0].field: ClassCode (class_code)"),
    (metadata(("Team", "department"), ("TEAM", "job_title")), "metadata.TEAM.name: 'TEAM' is given twice"),
    (
        metadata(("employee ID", "department")),
        "metadata.employee ID.name: 'employee ID' is a core field of the user file",
    ),
    (metadata(("EmployeeId", "department")), "metadata.EmployeeId.name: 'EmployeeId' is a core field of the user file"),
    ({"metadata": [{"name": "Team"}]}, "metadata.Team.source: is missing"),
    (
        {"metadata": [{"name": "Team", "source": "department", "type": "secret"}]},
        "metadata.Team.type: must be 'default'",
    ),
    ({"do_not_import": [{"name": "R"}]}, "do_not_import.R: a rule has either `all` or `any`"),
    (
        {"do_not_import": [{"name": "R", "any": [{"field": "email", "operator": "is_empty"}]}] * 2},
        "do_not_import.R.name: 'R' is given twice",
    ),
    (rule(field="emial", operator="is_empty"), "no employee column 'emial'; use one of them or custom:Label. Did you"),
    (rule(field="email", operator="equal", value="x"), "Did you mean 'equals'?"),
    (rule(field="email", operator="equals"), "do_not_import.R.all[0]: equals on email needs a text"),
    (
        rule(field="email", operator="equals", value=" "),
        "equals on email needs a text (to ask for a blank, use is_empty)",
    ),
    (rule(field="justworks_id", operator="equals", value=1), "put numbers in quotes"),
    (
        rule(field="justworks_id", operator="in", value=["1", 2]),
        "in on justworks_id needs a list of texts; put numbers",
    ),
    (rule(field="email", operator="in", value="x"), "in on email needs a list of texts"),
    (rule(field="email", operator="in", value=[]), "in on email needs a list of texts"),
    (rule(field="email", operator="is_empty", value="x"), "is_empty on email takes no value"),
    (rule(field="email", operator="before", value="2024-01-01"), "before cannot be asked of the text field email"),
    (rule(field="email", operator="at_least", value="5"), "at_least on email needs a number"),
    (rule(field="hire_date", operator="before", value="2024-02-30"), "before on hire_date needs a date, YYYY-MM-DD"),
    (rule(field="hire_date", operator="at_most", value=5), "at_most on hire_date needs a date"),
    (
        rule(field="hire_date", operator="contains", value="2024"),
        "contains cannot be asked of the date field hire_date",
    ),
    (rule(field="is_manager", operator="equals", value="true"), "equals on is_manager needs true or false"),
    (rule(field="is_manager", operator="in", value=[True]), "in cannot be asked of the flag field is_manager"),
    (rule(field="custom:N", operator="at_least", value="soon"), "at_least on custom:N needs a number or a date"),
    (rule(field="custom:N", operator="at_least", value=True), "at_least on custom:N needs a number or a date"),
    (rule(field="custom:N", operator="equals", value={"a": 1}), "value: must be one value or a list of values"),
    ({"guards": {"archive_limits": {}}}, "guards.archive_limits: no such setting. Did you mean 'archive_limit'?"),
    ({"guards": {"incomplete_extract": {}}}, "guards.incomplete_extract: no such setting."),
    ({"guards": {"archive_limit": {"percent": 101}}}, "guards.archive_limit.percent: must be at most 100"),
    ({"guards": {"archive_limit": {"percent": "10"}}}, "guards.archive_limit.percent: must be a number"),
    ({"guards": {"archive_limit": {"percent": float("nan")}}}, "guards.archive_limit.percent: "),
    ({"guards": {"archive_limit": {"min_people": 0}}}, "guards.archive_limit.min_people: must be at least 1"),
    ({"notify": [{"to": "someone", "on": ["held"]}]}, "notify[0].to: must be an apprise URL, scheme://…"),
    ({"notify": [{"to": "slack://"}]}, "notify[0].to: must be an apprise URL"),
    ({"notify": [{"to": "slack://x", "on": ["holds"]}]}, "notify[0].on[0]: must be 'done'"),
    ({"notify": [{"to": "slack://x", "on": []}]}, "notify[0].on: must not be empty"),
]


def test_an_empty_document_holds_exactly_the_defaults() -> None:
    assert settings_from({}).document() == DEFAULTS


def test_every_setting_is_in_the_tables_of_this_test() -> None:
    assert list(DEFAULTS) == list(OTHER_VALUES) == list(Settings.model_fields)


@pytest.mark.parametrize("name", OTHER_VALUES)
def test_every_setting_takes_another_value_and_keeps_it(name: str) -> None:
    settings = settings_from({name: OTHER_VALUES[name]})
    assert settings.document()[name] != DEFAULTS[name]
    assert settings_from(settings.document()) == settings


@pytest.mark.parametrize(("document", "message"), REFUSED)
def test_what_is_wrong_is_refused_by_name_and_with_the_remedy(document: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsInvalid) as refusal:
        settings_from(document)
    assert message in str(refusal.value)
    assert len(refusal.value.problems) == 1


@pytest.mark.parametrize(("word", "value"), [("on", True), ("off", False), ("yes", True), ("no", False)])
def test_a_switch_understands_on_and_off(word: str, value: bool) -> None:
    assert settings_from({"archive_employees": word}).archive_employees is value


def test_one_limit_of_a_guard_leaves_its_other_limits_as_they_are() -> None:
    limit = settings_from({"guards": {"create_limit": {"percent": 60}}}).guards.create_limit
    assert (limit.percent, limit.min_people) == (60, 25)


def test_class_code_is_available_with_the_aggregator() -> None:
    assert settings_from({"source": "finch", **metadata(("Code", "class_code"))}).metadata[0].source == "class_code"


def test_names_of_the_user_may_be_excluded() -> None:
    assert settings_from({"exclude_fields": ["first_name"]}).exclude_fields == ("first_name",)


def test_all_problems_are_told_at_once() -> None:
    document = {
        "overide_emails": True,
        "archive_employees": "perhaps",
        "time_zone": "Mars/Olympus",
        "day_of_month": 32,
        "mapping": {"email": "mail"},
        **metadata(("Team", "department"), ("Broken", "depratment"), ("team", "class_code")),
        **rule(field="email", operator="before", value="2024-01-01"),
    }
    with pytest.raises(SettingsInvalid) as refusal:
        settings_from(document)
    assert {problem.where for problem in refusal.value.problems} == {
        "overide_emails",
        "archive_employees",
        "time_zone",
        "day_of_month",
        "mapping.email",
        "metadata.Broken.source",
        "metadata.team.source",
        "metadata.team.name",
        "do_not_import.R.all[0]",
    }


def test_a_clash_with_something_that_is_wrong_itself_is_not_told() -> None:
    document = {"source": "finhc", "exclude_fields": ["Team"], "metadata": [{"name": "Team", "source": "class_cod"}]}
    with pytest.raises(SettingsInvalid) as refusal:
        settings_from(document)
    assert [problem.where for problem in refusal.value.problems] == ["source", "metadata.Team.source"]


def test_no_error_and_no_repr_shows_a_notification_address() -> None:
    with pytest.raises(ValidationError) as refusal:
        Settings.model_validate({"notify": [{"to": "s3cr3t"}]})
    assert "s3cr3t" not in str(refusal.value)
    assert "s3cr3t" not in repr(settings_from({"notify": [{"to": "slack://s3cr3t"}]}))


def test_settings_cannot_be_changed_in_place() -> None:
    with pytest.raises(ValidationError):
        settings_from({}).at = "05:00"  # type: ignore[misc]


def test_equal_documents_have_equal_digests_however_written() -> None:
    assert settings_from({}).digest() == settings_from(DEFAULTS).digest()
    assert settings_from({"mapping": {"email": "email", "hire_date": "hire_date"}}).digest() == (
        settings_from({"mapping": {"hire_date": "hire_date", "email": "email"}}).digest()
    )


@pytest.mark.parametrize("name", OTHER_VALUES)
def test_the_digest_covers_every_setting_and_the_plan_digest_those_that_matter_to_a_plan(name: str) -> None:
    settings, changed = settings_from({}), settings_from({name: OTHER_VALUES[name]})
    assert settings.digest() != changed.digest()
    assert (settings.plan_digest() == changed.plan_digest()) is (name in NOT_IN_PLAN)


def test_what_does_not_matter_to_a_plan() -> None:
    assert {
        "display_name",
        "notify",
        "frequency",
        "at",
        "weekday",
        "day_of_month",
        "start_automatic_imports",
    } == NOT_IN_PLAN


@pytest.mark.parametrize("written", ["0001", " 0001 ", "00\u200b01", "0001\ufeff", "\u00a00001"])
def test_an_employee_id_of_do_not_archive_is_found_however_it_is_written(written: str) -> None:
    assert Settings.model_validate({"do_not_archive": [written]}).do_not_archive == ("0001",)
