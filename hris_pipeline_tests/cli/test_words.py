"""What the command line tells: nothing is done for a question that cannot be answered, every moment says its zone, and
what happens beside what was asked is said."""

from typing import Any

import pytest

from hris_pipeline_tests.kit.command_line import Hris


@pytest.mark.parametrize("wrong", [("--only", "updates"), ("--field", "surname"), ("--sort", "age")])
def test_a_preview_is_not_made_to_be_shown_by_what_there_is_not(acme: str, wrong: tuple[str, str], hris: Hris) -> None:
    assert hris("preview", acme, *wrong).exit_code == 2
    assert hris("history", acme, "--json").document["imports"] == []


def test_an_undo_says_that_it_pauses_and_its_discard_that_they_stay_paused(saved: Any, hris: Hris) -> None:
    assert hris("resume", "acme", "--reason", "go").exit_code == 0
    undo = hris("undo", saved["import_id"])
    assert "hris resume acme" in undo.stdout
    planned = hris("history", "acme", "--json").document["imports"][0]["import_id"]
    assert "hris resume acme" in hris("discard", planned).stdout


def test_moments_say_the_integrations_zone(saved: Any, hris: Hris) -> None:
    assert hris("settings", "set", "acme", "time_zone=Asia/Tokyo").exit_code == 0
    for line in (("history", "acme"), ("show", saved["import_id"]), ("user", "acme", "0001"), ("integrations",)):
        assert " JST" in hris(*line).stdout, line


def test_a_user_as_of_a_moment_to_come_is_not_made_up(saved: Any, hris: Hris) -> None:
    assert saved["status"] == "applied"
    error = hris("user", "acme", "0001", "--as-of", "2999-01-31")
    assert (error.exit_code, "to come" in error.error) == (2, True)


def test_what_is_missing_is_explained_by_the_help_of_that_command(saved: Any, hris: Hris) -> None:
    assert saved["status"] == "applied"
    assert "`hris pause --help` tells more" in hris("pause", "acme").error


def test_an_import_that_changed_nothing_is_not_told_as_a_change(saved: Any, hris: Hris) -> None:
    preview = hris("preview", "acme").stdout
    assert "10 guards: all ok" in preview
    assert "nothing to change" in hris("history", "acme").stdout
    assert saved["import_id"] in hris("history", "acme").stdout
