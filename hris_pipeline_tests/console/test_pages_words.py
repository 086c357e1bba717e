"""What pages say when something is not there, lacking or unexpected."""

import errno
from typing import Any

import pytest

from hris_pipeline.console.words import browser_words
from hris_pipeline.errors import MachineError
from hris_pipeline_tests.kit.acme import Acme
from hris_pipeline_tests.kit.browser import Served


@pytest.mark.parametrize(
    "path", ["/nowhere", "/i/none", "/i/none/settings", "/i/acme/setup/nonsense", "/i/%00", "/i/a/b/c"]
)
def test_what_there_is_not_is_said(acme: Acme, served: Served, path: str) -> None:
    page = served.browser().get(path)
    assert page.status_code == 404
    assert "`" not in page.text, "a command is nothing for a browser"
    assert 'href="/"' in page.text, "no way back"


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("None: `hris history NAME` lists them.", "None: the page “History” lists them."),
        ("None yet: run `hris preview acme` first.", "None yet: run a manual import first."),
        ("Not connected: run `hris connect acme`.", "Not connected: use “Connect” in the settings."),
        (
            "No tables: run `hris store upgrade`.",
            "No tables: run hris store upgrade. That is for whoever runs this installation.",
        ),
        ("Nothing to name.", "Nothing to name."),
    ],
)
def test_a_command_is_told_as_the_page_that_does_the_same(message: str, words: str) -> None:
    assert browser_words(message) == words


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "Zwitscherling"), "disk is full"),
        (ImportError("Install s3fs to access S3"), "pip install"),
        (MachineError("NO_PROXY holds what is no host."), "NO_PROXY"),
    ],
)
def test_what_this_machine_lacks_is_said_in_words(
    acme: Acme, served: Served, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr("hris_pipeline.console.pages.people.milestones", broken)
    page = served.browser().get("/i/acme/people")
    assert page.status_code in (409, 503)
    assert words in page.text
    assert "unexpected" not in page.text
    assert "Zwitscherling" not in page.text


def test_an_unexpected_error_tells_its_kind_and_place_alone(
    acme: Acme, served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ValueError("Zwitscherling was born on 1961-07-13")

    monkeypatch.setattr("hris_pipeline.console.pages.people.milestones", broken)
    page = served.browser().get("/i/acme/people")
    assert page.status_code == 500
    assert "ValueError" in page.text
    assert "Zwitscherling" not in page.text + caplog.text
