"""Planted values that occur nowhere else: none may be found in an error, a log, or anything told of an import."""

import json
import logging
import traceback
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from hris_pipeline.defs.metadata import import_markdown
from hris_pipeline.errors import HrisError
from hris_pipeline.operations.decisions import approve_import, plan_undo
from hris_pipeline.operations.explanation import explain
from hris_pipeline.operations.notification import notify_import
from hris_pipeline.operations.overview import history
from hris_pipeline.operations.review_queues import open_conflicts, resolve
from hris_pipeline.operations.upkeep import verify
from hris_pipeline.operations.users import load_users
from hris_pipeline.settings.validating import settings_from
from hris_pipeline.store.tables import approvals, imports, integration_settings, integrations, notifications
from hris_pipeline_tests.kit.acme import Acme, MakeAcme

CANARY = "Zwitscherling"
PLANTED: dict[str, Any] = {
    "first_name": f"{CANARY}first",
    "last_name": f"{CANARY}last",
    "preferred_name": f"{CANARY}preferred",
    "work_email": f"{CANARY}work@acme.example",
    "personal_email": f"{CANARY}home@home.example",
    "phones": (("mobile", "+12125550188"),),
    "birth_date": "1961-07-13",
    "job_title": f"{CANARY}title",
    "department": f"{CANARY}department",
    "custom": {"cf-badge": (f"{CANARY}badge",), "cf-buddy": (f"{CANARY}buddy",)},
}
BROKEN: tuple[dict[str, Any], ...] = (
    {"last_name": None},
    {"last_name": CANARY * 9},
    {"birth_date": f"{CANARY}date"},
    {"start_date": f"{CANARY}date"},
    {"raw": {"name": f"{CANARY}name"}},
    {"raw": {"emails": {"value": f"{CANARY}mail"}, "phones": [f"{CANARY}phone", 7]}},
    {"raw": {"department": [f"{CANARY}"], "manager": f"{CANARY}"}},
)
SECRETS = (CANARY.casefold(), "2125550188", "1961-07-13")


@pytest.fixture
def planted(make_lite: MakeAcme) -> Acme:
    """Somebody full of canaries, and a namesake; custom fields are read, one of them hidden."""
    acme = make_lite(
        20,
        settings=settings_from(
            {
                "metadata": [
                    {"name": "Badge", "source": "custom:Badge Number", "type": "hidden"},
                    {"name": "Buddy", "source": "custom:Buddy", "type": "associated"},
                    {"name": "Title", "source": "job_title"},
                ],
                "notify": [{"to": f"json://{CANARY}@hooks.example"}],
            }
        ),
    )
    acme.company.add(**PLANTED)
    acme.company.add(first_name=PLANTED["first_name"], last_name=PLANTED["last_name"])
    return acme


def test_no_planted_value_is_told_anywhere_whatever_fails(planted: Acme, caplog: pytest.LogCaptureFixture) -> None:
    acme, log = planted, _Told()
    tokens = acme.services.tokens("acme").current()
    secrets = (*SECRETS, tokens.access.casefold(), tokens.refresh.casefold())
    with caplog.at_level(logging.DEBUG):
        _a_life(acme, log)
    log.add(*(record.getMessage() for record in caplog.records))
    with acme.services.store.read() as connection:
        for table in (imports, approvals, notifications, integrations, integration_settings):
            log.add(*(repr(tuple(row)) for row in connection.execute(sa.select(table))))
    log.add(*(path.name for path in acme.services.environment.home.rglob("*")))
    log.add(repr(acme.services), repr(open_conflicts(acme.services, "acme", ("open", "gone", "resolved"))))
    assert len(log.errors) >= 6
    text = "\n".join(log.texts).casefold()
    assert [secret for secret in secrets if secret in text] == []


class _Told:
    """Whatever is said to anybody."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.errors: list[Exception] = []

    def add(self, *texts: str) -> None:
        self.texts += texts

    def trying(self, act: Callable[[], object]) -> None:
        """Every exception with its causes; anything but our own errors is a bug."""
        try:
            act()
        except HrisError as error:
            self.errors.append(error)
            self.add("".join(traceback.format_exception(error)))

    def sent(self, url: str, title: str, body: str) -> bool:
        self.add(title, body)
        raise OSError(f"{CANARY} refused")

    def imported(self, acme: Acme) -> None:
        summary = acme.preview()
        if summary.status == "planned":
            summary = acme.save()
        self.add(repr(summary), json.dumps(summary.document()), import_markdown(summary))
        notify_import(acme.services, summary, send=self.sent)


def _a_life(acme: Acme, log: _Told) -> None:
    """Imports that go well and badly, and everything a person might then do wrong."""
    services = acme.services
    log.imported(acme)
    log.imported(acme)
    for number, broken in enumerate(BROKEN):
        acme.company.edit(acme.active()[number % 3], **broken)
        log.trying(lambda: log.imported(acme))
    for fault in ("failing_details", "server_error", "not_json", "empty_list", "short_list"):
        acme.fault(fault)
        log.trying(lambda: log.imported(acme))
        acme.sandbox.clear_faults()
    canary = next(row for row in acme.users().values() if row["last_name"] == PLANTED["last_name"])
    acme.company.add(work_email=PLANTED["work_email"], birth_date=PLANTED["birth_date"])
    log.imported(acme)
    acme.lose([canary["hris_id"]])
    stale = acme.preview()
    acme.edit_user(canary["hris_id"], phone_number="+12125550188")
    log.trying(lambda: acme.save(stale.import_id))
    log.trying(lambda: approve_import(services, stale.import_id, stale.digest, "lee", "why"))
    log.trying(lambda: resolve(services, open_conflicts(services, "acme")[0].conflict_id, "link", "lee", user_id="x"))
    log.trying(lambda: load_users(services, "acme", f"Employee Id,Birth Date\nA1,{CANARY}\n".encode()))
    log.trying(lambda: acme.switch("archive_employees=perhaps"))
    log.add(repr(explain(services, "acme", canary["employee_id"])))
    acme.write_behind(canary["hris_id"], last_name=f"{CANARY}behind")
    log.add(repr(verify(services, "acme")), str(verify(services, "acme").first))
    undone = next(record for record in history(services, "acme") if record.status == "applied" and record.changes)
    log.add(json.dumps(plan_undo(services, undone.import_id, actor="lee").document()))
    acme.fault("revoked_token")
    log.trying(acme.extract)
