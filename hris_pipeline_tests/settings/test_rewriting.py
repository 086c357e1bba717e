"""A settings file that is written anew keeps what people wrote into it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.loading import dump_settings, load_settings, rewrite_settings, set_values
from hris_pipeline.settings.validating import settings_from
from hris_pipeline_tests.kit.settings_strategies import documents

TEXT = """\
# Acme's settings

override_emails: true   # since the merger
at: "05:15" # quiet
guards:
  # the summer
  archive_limit:
    percent: 12 # of all
do_not_archive:
  - "0001"  # founder
  # the others
  - '0002' # cofounder
metadata:
  - name: Team # ours
    source: department
  # where people sit
  - {name: Site, source: "email"}
# the end
"""
REMARKS = (
    *("# Acme's settings", "# since the merger", "# quiet", "# the summer", "# of all", "# founder", "# the others"),
    *("# cofounder", "# ours", "# where people sit", "# the end"),
)


def single_blanks(text: str) -> str:
    """Remarks stay in their column where there is room."""
    return re.sub(r"(?<=\S) +#", " #", text)


@pytest.mark.parametrize(
    ("assignment", "old", "new"),
    [
        ("override_emails=false", "override_emails: true   # since", "override_emails: false  # since"),
        ("guards.archive_limit.percent=15", "percent: 12 # of all", "percent: 15 # of all"),
        ("guards.slow_bleed.percent=22", "# of all\n", "# of all\n  slow_bleed:\n    percent: 22\n"),
        ('do_not_archive=["0001", "0002", "0003"]', "# cofounder\n", '# cofounder\n  - "0003"\n'),
        ("display_name=Acme", "# the end\n", "# the end\ndisplay_name: Acme\n"),
    ],
)
def test_only_what_changed_is_written_anew(assignment: str, old: str, new: str) -> None:
    settings = set_values(load_settings(TEXT), [assignment])
    text = rewrite_settings(TEXT, settings)
    assert single_blanks(text) == single_blanks(TEXT.replace(old, new))
    assert load_settings(text) == settings


def test_what_did_not_change_is_left_byte_by_byte() -> None:
    assert rewrite_settings(TEXT, load_settings(TEXT)) == TEXT


@pytest.mark.parametrize(
    "assignments",
    [
        ['do_not_archive=["0002"]'],
        ["do_not_archive="],
        ["metadata=[{name: Site, source: email}, {name: Team, source: department}]", "guards=", "override_emails="],
        ["metadata=[]", "at="],
    ],
    ids=str,
)
def test_a_comment_whose_place_is_gone_moves_to_the_end(assignments: list[str]) -> None:
    settings = set_values(load_settings(TEXT), assignments)
    text = rewrite_settings(TEXT, settings)
    assert load_settings(text) == settings
    assert [text.count(remark) for remark in REMARKS] == [1] * len(REMARKS)


@given(documents, documents, st.booleans())
def test_whatever_changes_the_text_says_the_new_settings_and_every_comment(
    old: dict[str, object], new: dict[str, object], defaults: bool
) -> None:
    lines = dump_settings(settings_from(old), defaults=defaults).splitlines()
    remarks = [f"# remark {number};" for number in range(len(lines))]
    text = "".join(f"{line} {remark}\n" for line, remark in zip(lines, remarks, strict=True))
    rewritten = rewrite_settings(text, settings_from(new), defaults=defaults)
    assert load_settings(rewritten) == settings_from(new)
    assert [remark for remark in remarks if rewritten.count(remark) != 1] == []


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "- no\n- settings\n", "at: [", "at: 05:15\nat: 05:15\n"])
def test_where_no_settings_stood_they_are_written_as_always(text: str) -> None:
    settings = settings_from({"at": "06:00"})
    rewritten = rewrite_settings(text, settings)
    assert rewritten.startswith(dump_settings(settings))
    assert ("# nothing yet" in rewritten) == ("# nothing yet" in text)


def test_written_out_with_defaults_everything_is_there() -> None:
    settings = load_settings(TEXT)
    text = rewrite_settings(TEXT, settings, defaults=True)
    assert load_settings(text) == settings
    assert all(f"\n{name}:" in text for name in Settings.model_fields)
    assert [text.count(remark) for remark in REMARKS] == [1] * len(REMARKS)
