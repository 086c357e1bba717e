"""Settings against the last extract."""

from hris_pipeline.operations.settings import check_against_extract
from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.validating import settings_from

RULE = {"name": "Nobody", "any": [{"field": "custom:Badge", "operator": "is_not_empty"}]}
SETTINGS = settings_from(
    {
        "do_not_import": [RULE],
        "mapping": {"employee_id": "custom:Badge"},
        "metadata": [{"name": "Buddy", "source": "custom:Buddy", "type": "associated"}],
    }
)


def test_settings_that_fit_the_extract_have_no_problems() -> None:
    assert check_against_extract(SETTINGS, ["Badge", "Buddy"], {"Nobody": 0.99}, {"Buddy": 0.5}) == ([], [])
    assert check_against_extract(Settings(), [], {}, {}) == ([], [])


def test_a_custom_field_the_company_does_not_have_is_an_error_wherever_it_is_named() -> None:
    errors, warnings = check_against_extract(SETTINGS, ["badge", "Buddy"], {}, {})
    assert [str(problem) for problem in errors] == [
        "mapping.employee_id: the company has no custom field 'Badge'. Did you mean 'badge'?",
        "do_not_import.Nobody.any[0].field: the company has no custom field 'Badge'. Did you mean 'badge'?",
    ]
    assert warnings == []
    [error, _] = check_against_extract(SETTINGS, ["Pet", "Team", "Buddy"], {}, {})[0]
    assert error.message == "the company has no custom field 'Badge'. There are: Pet, Team, Buddy."
    assert check_against_extract(SETTINGS, [], {}, {})[0][0].message.endswith("'Badge'. It has none.")


def test_a_rule_that_matches_everybody_is_an_error() -> None:
    errors, _ = check_against_extract(SETTINGS, ["Badge", "Buddy"], {"Nobody": 1.0}, {})
    assert [str(problem) for problem in errors] == [
        "do_not_import.Nobody: rule 'Nobody' matches everybody; nobody would be imported"
    ]


def test_an_associated_field_whose_values_are_nobodys_employee_id_is_a_warning() -> None:
    errors, warnings = check_against_extract(SETTINGS, ["Badge", "Buddy"], {}, {"Buddy": 0.0})
    assert errors == []
    assert [problem.where for problem in warnings] == ["metadata.Buddy"]
