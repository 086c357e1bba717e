"""The settings document in and out as YAML, one setting at a time, and what differs."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hris_pipeline.errors import SettingsInvalid
from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.loading import differences, dump_settings, load_settings, set_values
from hris_pipeline.settings.validating import settings_from
from hris_pipeline_tests.kit.settings_strategies import documents

DESIGN = """\
display_name: Acme
source: justworks              # Partner API (OAuth); finch = HRIS aggregator (credentials)
directory: acme
archive_employees: true
override_emails: false
hire_date_priority: original   # latest
override_hire_date: false
add_plus_to_phone_numbers: false
employee_ids: justworks        # generated
do_not_import:
  - {name: Contractors, all: [{field: employment_type, operator: equals, value: contractor}], archive_existing: false}
do_not_archive: ["0001"]
exclude_fields: [birth_date]
import_days_before_start: 0
frequency: daily               # weekly, monthly
at: "04:00"
weekday: monday
day_of_month: 1
time_zone: America/New_York
start_automatic_imports: false
mapping: {employee_id: justworks_id}
metadata:
  - {name: JobTitle, source: job_title, type: default}
  - {name: Buddy, source: "custom:Buddy", type: associated}
guards: {archive_limit: {percent: 10, people: 100, min_people: 5}}
notify: [{to: "slack://a/b", on: [held, failed, paused, stalled, conflict, done]}]
"""


def problems(text: str) -> list[str]:
    with pytest.raises(SettingsInvalid) as refusal:
        load_settings(text)
    return [str(problem) for problem in refusal.value.problems]


def test_the_whole_document_is_read() -> None:
    settings = load_settings(DESIGN)
    assert settings.display_name == "Acme"
    assert settings.do_not_archive == ("0001",)
    assert settings.do_not_import[0].all[0].value == "contractor"
    assert [entry.type for entry in settings.metadata] == ["default", "associated"]
    assert settings.notify[0].on == ("held", "failed", "paused", "stalled", "conflict", "done")


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "{}", "null\n"])
def test_an_empty_document_is_valid(text: str) -> None:
    assert load_settings(text) == Settings()


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        ("at: 04:00", "at", "04:00"),
        ("archive_employees: off", "archive_employees", False),
        ("archive_employees: No", "archive_employees", False),
        ("display_name: 'on'", "display_name", "on"),
        ("display_name: no", "display_name", "no"),
        ("display_name: 2024-01-01", "display_name", "2024-01-01"),
        ("display_name: !!str 0012", "display_name", "0012"),
    ],
)
def test_plain_words_mean_what_they_look_like(line: str, key: str, value: Any) -> None:
    assert getattr(load_settings(line), key) == value


def test_one_message_lists_all_the_problems_with_their_lines() -> None:
    text = """\
display_name: Acme
archive_employes: true
override_emails: perhaps
do_not_import:
  - name: Contractors
    all:
      - {field: employment_type, operator: before, value: 2024-01-01}
      - {field: employment_kind, operator: is_empty}
do_not_archive:
  - "0001"
  - 0002
time_zone: America/NewYork
day_of_month: 32
metadata:
  - {name: Team, source: department}
  - {name: team, source: class_code}
  - name: Site
display_name: Again
"""
    lines = problems(text)
    assert [problem.partition(": ")[0] for problem in lines] == [
        f"line {line}" for line in (2, 3, 7, 8, 11, 12, 13, 16, 16, 17, 18)
    ]
    assert lines[-1] == "line 18: display_name: is given twice; keep one"
    assert lines[4] == (
        "line 11: do_not_archive[1]: must be text: put it in quotes, because a bare number loses its leading zeros"
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("mapping: {email: email, email: secondary_email}", "line 1: mapping.email: is given twice; keep one"),
        ("- a list", "line 1: a settings document is `key: value` lines"),
        ("just words", "line 1: a settings document is `key: value` lines"),
        ("at: [", "line 1: this is no valid YAML: expected the node content, but found '<stream end>'"),
        ("a: 1\n\tb: 2", "line 2: this is no valid YAML: found character '\\t' that cannot start any token"),
        ("a: &x 1\nb: *x", "line 2: this is no valid YAML: aliases are not supported; write the value out"),
        ("at: 05:00\n---\nat: 06:00", "line 2: this is no valid YAML: but found another document"),
        ("display_name: !secret x", "line 1: display_name: tags are not supported"),
        ("display_name: !!int x", "line 1: display_name: tags are not supported"),
        ("? [a]\n: 1", "line 1: a key must be a single word"),
        ("a: \x00", "this is no valid YAML: it holds characters that are not allowed"),
        ("at: " + "[" * 5000, "this is nested too deeply"),
    ],
)
def test_what_is_no_document_is_refused_in_one_line(text: str, problem: str) -> None:
    assert problems(text) == [problem]


@given(st.text())
def test_any_text_is_settings_or_problems(text: str) -> None:
    try:
        load_settings(text)
    except SettingsInvalid as refusal:
        assert refusal.problems  # noqa: PT017


@given(documents, st.booleans())
def test_what_is_written_is_read_back(document: dict[str, Any], defaults: bool) -> None:
    settings = settings_from(document)
    text = dump_settings(settings, defaults=defaults)
    assert load_settings(text) == settings
    assert load_settings(text).digest() == settings.digest()


@given(st.lists(st.from_regex(r"[0-9]{1,6}", fullmatch=True), min_size=1))
def test_ids_survive_any_yaml_reader(ids: list[str]) -> None:
    text = dump_settings(settings_from({"do_not_archive": ids}))
    assert yaml.safe_load(text)["do_not_archive"] == ids


def test_only_what_differs_from_the_defaults_is_written_unless_asked() -> None:
    settings = settings_from({"archive_employees": False, "guards": {"slow_bleed": {"percent": 25}}})
    assert dump_settings(settings) == "archive_employees: false\nguards:\n  slow_bleed:\n    percent: 25\n"
    assert list(yaml.safe_load(dump_settings(settings, defaults=True))) == list(Settings.model_fields)


@pytest.mark.parametrize(
    ("assignment", "document"),
    [
        ("override_emails=true", {"override_emails": True}),
        ("override_emails = on", {"override_emails": True}),
        ("at=05:15", {"at": "05:15"}),
        ("display_name=0012", {"display_name": "0012"}),
        ("display_name=a=b", {"display_name": "a=b"}),
        ("day_of_month=31", {"day_of_month": 31}),
        ("guards.archive_limit.percent=20", {"guards": {"archive_limit": {"percent": 20}}}),
        ("mapping.employee_id=custom:Badge", {"mapping": {"employee_id": "custom:Badge"}}),
        ('do_not_archive=["007"]', {"do_not_archive": ["007"]}),
        ("metadata=[]", {"metadata": []}),
        (
            "do_not_import=[{name: X, any: [{field: email, operator: is_empty}]}]",
            {"do_not_import": [{"name": "X", "any": [{"field": "email", "operator": "is_empty"}]}]},
        ),
    ],
)
def test_one_setting_is_set_as_written(assignment: str, document: dict[str, Any]) -> None:
    assert set_values(Settings(), [assignment]) == settings_from(document)


@pytest.mark.parametrize("key", ["display_name", "guards", "guards.archive_limit.percent", "mapping.email", "metadata"])
def test_an_empty_value_puts_the_default_back(key: str) -> None:
    changed = settings_from(
        {
            "display_name": "Acme",
            "guards": {"archive_limit": {"percent": 20}},
            "mapping": {"email": "secondary_email"},
            "metadata": [],
        }
    )
    names = {key.partition(".")[0]}
    assert set_values(changed, [f"{key}="]) == changed.model_copy(
        update={name: getattr(Settings(), name) for name in names}
    )


@pytest.mark.parametrize(
    ("assignment", "problem"),
    [
        ("override_emails", "override_emails: give it as key=value"),
        ("overide_emails=on", "overide_emails: no such setting. Did you mean 'override_emails'?"),
        ("guards.archive_limit.percnt=1", "guards.archive_limit.percnt: no such setting. Did you mean 'percent'?"),
        ("guards.nothing.percent=1", "guards.nothing.percent: no such setting. There are: archive_limit, slow_bleed,"),
        ("foo=bar", "foo: no such setting. There are: display_name, source, directory,"),
        ("metadata.JobTitle=x", "metadata.JobTitle: metadata has no keys; give its whole value as YAML"),
        ("at.hour=4", "at.hour: at has no keys; give its whole value as YAML"),
        ("mapping.a.b=x", "mapping.a.b: mapping.a has no keys; give its whole value as YAML"),
        ("do_not_archive=0001", "do_not_archive: must be a list"),
        ("do_not_archive=[0001]", "do_not_archive[0]: must be text: put it in quotes"),
        ("do_not_archive=[", "do_not_archive: this is no valid YAML"),
        ("mapping.emial=email", "mapping.emial: no user field 'emial'. Did you mean 'email'?"),
        ("at=4:00", "at: must be a quarter hour"),
        ("=x", "no such setting."),
    ],
)
def test_an_assignment_that_cannot_be_is_refused_by_its_key(assignment: str, problem: str) -> None:
    with pytest.raises(SettingsInvalid) as refusal:
        set_values(Settings(), [assignment, "override_emails=on"])
    assert str(refusal.value).startswith(problem)
    assert len(refusal.value.problems) == 1


def test_differences_are_told_by_key() -> None:
    old = settings_from({"metadata": [{"name": "Team", "source": "department"}, {"name": "Site", "source": "email"}]})
    new = settings_from(
        {
            "override_emails": True,
            "display_name": "Acme",
            "do_not_archive": ["0001"],
            "guards": {"archive_limit": {"percent": 12.5}},
            "mapping": {"email": "custom:Mail"},
            "metadata": [
                {"name": "Team", "source": "department", "type": "hidden"},
                {"name": "Buddy", "source": "custom:Buddy"},
            ],
        }
    )
    assert {key: (before, after) for key, before, after in differences(old, new)} == {
        "override_emails": ("false", "true"),
        "display_name": ("", "Acme"),
        "do_not_archive": ("", '["0001"]'),
        "guards.archive_limit.percent": ("10", "12.5"),
        "mapping.email": ("", "custom:Mail"),
        "metadata.Team": ('{"source": "department", "type": "default"}', '{"source": "department", "type": "hidden"}'),
        "metadata.Site": ('{"source": "email", "type": "default"}', ""),
        "metadata.Buddy": ("", '{"source": "custom:Buddy", "type": "default"}'),
    }


def test_the_order_of_rules_is_a_difference_because_the_first_match_names_the_reason() -> None:
    rules = [{"name": name, "all": [{"field": "email", "operator": "is_empty"}]} for name in ("A", "B")]
    old, new = settings_from({"do_not_import": rules}), settings_from({"do_not_import": rules[::-1]})
    assert [tuple(difference) for difference in differences(old, new)] == [
        ("do_not_import", '["A", "B"]', '["B", "A"]')
    ]


def test_a_changed_notification_address_is_a_difference_that_does_not_show_it() -> None:
    old, new = (settings_from({"notify": [{"to": f"slack://{token}"}]}) for token in ("s3cr3t", "n3w"))
    assert [tuple(difference) for difference in differences(old, new)] == [("notify[0].to", "slack://…", "slack://…")]


@given(documents, documents)
def test_settings_differ_exactly_when_there_are_differences(first: dict[str, Any], other: dict[str, Any]) -> None:
    old, new = settings_from(first), settings_from(other)
    assert (differences(old, new) == []) is (old == new)
