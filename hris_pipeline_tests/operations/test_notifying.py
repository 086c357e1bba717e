"""Notifications: once per change of state, in counts and ids, and never in the way of an import."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from hris_pipeline.operations.automation import pause, resume
from hris_pipeline.operations.notification import notify, notify_import, reset_notification
from hris_pipeline.settings.validating import settings_from
from hris_pipeline.store.imports import Import
from hris_pipeline_tests.kit.acme import Acme, MakeAcme

SENDS = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what apprise imports
EVENTS = ["done", "held", "failed", "paused", "stalled", "conflict", "expiring"]


class Channel:
    """Keeps what it was told, while it works."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, str]] = []
        self.works = True

    def __call__(self, url: str, title: str, body: str) -> bool:
        if not self.works:
            raise OSError("secret-token is refused")
        self.sent.append((url, title, body))
        return True

    @property
    def titles(self) -> list[str]:
        return [title.rpartition(": ")[2] for _, title, _ in self.sent]


@pytest.fixture
def loud(acme_lite: Acme) -> Acme:
    acme_lite.change(settings_from({"notify": [{"to": "json://secret-token@one.example", "on": EVENTS}]}))
    return acme_lite


def test_once_per_change_of_state(loud: Acme) -> None:
    channel = Channel()
    for state in ("a", "a", "b", "b", "a"):
        notify(loud.services, "acme", "failed", state, "An import failed.", send=channel)
    assert len(channel.sent) == 3
    reset_notification(loud.services, "acme", "failed")
    assert notify(loud.services, "acme", "failed", "a", "An import failed.", send=channel)
    assert channel.sent[-1] == ("json://secret-token@one.example", "HR sync of acme: failed", "An import failed.")


def test_only_who_asked_is_told(loud: Acme) -> None:
    loud.change(
        settings_from(
            {"notify": [{"to": "json://one.example", "on": ["held"]}, {"to": "json://two.example", "on": ["failed"]}]}
        )
    )
    channel = Channel()
    notify(loud.services, "acme", "failed", "a", "x", send=channel)
    notify(loud.services, "acme", "stalled", "a", "x", send=channel)
    assert [url for url, _, _ in channel.sent] == ["json://two.example"]


def test_a_channel_that_fails_fails_nothing_is_logged_without_its_address_and_told_again(
    loud: Acme, caplog: pytest.LogCaptureFixture
) -> None:
    channel = Channel()
    channel.works = False
    with caplog.at_level(logging.DEBUG):
        assert not notify(loud.services, "acme", "failed", "a", "x", send=channel)
        assert not notify(loud.services, "acme", "failed", "b", "x", send=lambda *_: False)
        assert not notify(loud.services, "nobody", "failed", "b", "x", send=channel)
    assert "json" in caplog.text
    assert "secret-token" not in caplog.text
    channel.works = True
    assert notify(loud.services, "acme", "failed", "a", "x", send=channel)


def test_a_store_that_is_gone_does_not_raise_either(loud: Acme) -> None:
    with loud.services.store.begin() as connection:
        connection.exec_driver_sql("DROP TABLE notifications")
    assert not notify(loud.services, "acme", "failed", "a", "x", send=Channel())
    reset_notification(loud.services, "acme", "failed")


def test_a_broken_channel_beside_a_good_one_does_not_repeat_the_good_one(loud: Acme) -> None:
    loud.change(
        settings_from({"notify": [{"to": f"json://{name}.example", "on": ["stalled"]} for name in ("good", "bad")]})
    )
    channel = Channel()

    def send(url: str, title: str, body: str) -> bool:
        return "bad" not in url and channel(url, title, body)

    for _ in range(3):
        notify(loud.services, "acme", "stalled", "same", "x", send=send)
    assert len(channel.sent) == 1


def test_imports_tell_done_held_and_what_they_leave_open(loud: Acme) -> None:
    acme, channel = loud, Channel()

    def run() -> Import:
        summary = acme.preview()
        if summary.status == "planned":
            summary = acme.save()
        notify_import(acme.services, summary, send=channel)
        return summary

    run()
    assert channel.titles == [], "nothing happened"
    acme.company.edit(acme.active()[0], job_title="Astronaut")
    done = run()
    run()
    assert channel.titles == ["done"]
    assert channel.sent[0][2] == f"Import {done.import_id}: 0 created, 1 updated, 0 archived, 0 restored."

    people = acme.lose(acme.active()[:6])
    held = run()
    run()
    assert channel.titles == ["done", "held"]
    assert held.import_id in channel.sent[1][2]
    assert "archive_limit: 6 of 12 (50.0 %)" in channel.sent[1][2]
    acme.bring_back(people)
    run()

    bad = acme.company.add(last_name=None)
    run()
    run()
    assert channel.titles == ["done", "held", "conflict"]
    assert "1 quarantined" in channel.sent[2][2]
    acme.company.add(last_name=None)
    run()
    assert channel.titles.count("conflict") == 2, "a growing quarantine"
    acme.company.remove(bad)
    run()
    assert channel.titles.count("conflict") == 2, "a shrinking one is no news"


@SENDS
def test_pausing_tells_over_a_real_channel_once_until_resumed(loud: Acme) -> None:
    with _webhook() as (address, received):
        loud.change(settings_from({"notify": [{"to": address, "on": ["paused"]}]}))
        pause(loud.services, "acme", "lee", "audit")
        pause(loud.services, "acme", "lee", "audit again")
        assert len(received) == 1
        assert received[0]["title"] == "HR sync of acme: paused"
        assert "lee" not in received[0]["message"]
        resume(loud.services, "acme", "lee", "done")
        pause(loud.services, "acme", "lee", "again")
    assert len(received) == 2


@SENDS
def test_an_address_nobody_can_send_to_is_only_logged(make_lite: MakeAcme, caplog: pytest.LogCaptureFixture) -> None:
    acme = make_lite(3)
    acme.change(settings_from({"notify": [{"to": "json://secret-token@127.0.0.1:9/x", "on": ["paused"]}]}))
    with caplog.at_level(logging.DEBUG):
        pause(acme.services, "acme", "lee", "audit")
    assert "was not accepted" in caplog.text
    assert "secret-token" not in "".join(record.getMessage() for record in caplog.records)


@contextmanager
def _webhook() -> Iterator[tuple[str, list[dict[str, str]]]]:
    received: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"json://127.0.0.1:{server.server_port}/hook", received
        server.shutdown()
        thread.join()


def test_whoever_is_named_after_nobody_was_hears_of_what_still_is_so(loud: Acme) -> None:
    channel = Channel()
    assert notify(loud.services, "acme", "stalled", "same", "x", send=channel)
    loud.change(settings_from({}))
    loud.change(settings_from({"notify": [{"to": "json://other.example", "on": ["stalled"]}]}))
    assert notify(loud.services, "acme", "stalled", "same", "x", send=channel)
    assert not notify(loud.services, "acme", "stalled", "same", "x", send=channel)
