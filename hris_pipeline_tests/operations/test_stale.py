"""Change sets that no longer fit are refused, with the reason, and change nothing."""

import json
import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from hris_pipeline.errors import ImportRunning, ImportStale, UnknownName
from hris_pipeline.operations.overview import history, read_import
from hris_pipeline.sandbox import Company
from hris_pipeline.store.locks import integration_lock
from hris_pipeline_tests.kit.acme import Acme
from hris_pipeline_tests.kit.clock import MONDAY

SAVE = """
import dataclasses, datetime, json, sys
from hris_pipeline.operations.decisions import save_import
from hris_pipeline.operations.services import open_services
now = datetime.datetime.fromisoformat(sys.argv[3])
services = dataclasses.replace(open_services(), now=lambda: now)
print("ready", flush=True)
sys.stdin.readline()
saved = save_import(services, "acme", sys.argv[1], actor=sys.argv[2], lock_wait_seconds=20)
print(json.dumps([saved.status, saved.counts["updated"]]))
"""


@pytest.fixture
def changed(acme: Acme) -> str:
    """The member whose title differs."""
    [member_id] = acme.active()[:1]
    acme.company.edit(member_id, job_title="Astronaut")
    return member_id


def _user_edited(acme: Acme, member_id: str) -> None:
    acme.edit_user(member_id, phone_number="+12125550100")


def _settings_changed(acme: Acme, _: str) -> None:
    acme.switch("override_emails=true")


@pytest.mark.parametrize("meanwhile", [_user_edited, _settings_changed], ids=["user", "settings"])
def test_what_changed_meanwhile_makes_it_stale(
    acme: Acme, changed: str, meanwhile: Callable[[Acme, str], None]
) -> None:
    planned = acme.preview()
    meanwhile(acme, changed)
    before = acme.users()
    with pytest.raises(ImportStale):
        acme.save()
    assert acme.users() == before
    assert read_import(acme.services, planned.import_id).status == "stale"
    with pytest.raises(UnknownName):
        acme.save()
    assert acme.run().counts["updated"] == 1


def test_settings_that_do_not_matter_to_a_plan_leave_it(acme: Acme, changed: str) -> None:
    acme.preview()
    acme.switch("display_name=Acme Inc", "frequency=weekly")
    assert acme.save().status == "applied"


def test_mondays_preview_saved_on_wednesday_after_tuesdays_import(acme: Acme, changed: str) -> None:
    monday = acme.preview()
    acme.tomorrow()
    acme.company.edit(changed, job_title="Baker")
    acme.run("schedule")
    acme.tomorrow()
    before = acme.users()
    with pytest.raises(ImportStale):
        acme.save(monday.import_id)
    assert acme.users() == before


def test_an_import_of_another_integration_is_not_found(acme: Acme) -> None:
    applied = history(acme.services, "acme")[0]
    other = acme.sibling("globex", Company(3, 9, today=MONDAY.date(), display_name="Globex"))
    with pytest.raises(UnknownName):
        other.save(applied.import_id)
    with pytest.raises(UnknownName):
        acme.save("20200101-000000-abcdef12")


def test_while_another_import_runs_nothing_else_plans_or_applies(acme: Acme, changed: str) -> None:
    acme.preview()
    manifest = acme.extract()
    with integration_lock(acme.services.store, "acme"):
        with pytest.raises(ImportRunning):
            acme.plan(manifest)
        with pytest.raises(ImportRunning):
            acme.save()
    assert acme.save().status == "applied"


def test_two_processes_that_apply_at_once_apply_once(acme: Acme, changed: str) -> None:
    planned = acme.preview()
    before = acme.users()[changed]["version"]
    environment = acme.services.environment
    environ = os.environ | {
        "HRIS_HOME": str(environment.home),
        "HRIS_STORE_URL": environment.store_url,
        "HRIS_SECRET_KEY": ",".join(environment.secret_keys),
    }
    children = [
        subprocess.Popen(
            [sys.executable, "-c", SAVE, planned.import_id, name, acme.services.now().isoformat()],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two")
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    answers = [json.loads(child.communicate(timeout=60)[0]) for child in children]
    assert answers == [["applied", 1], ["applied", 1]]
    assert acme.users()[changed]["version"] == before + 1
    assert sum(record.import_id == planned.import_id for record in history(acme.services, "acme")) == 1
