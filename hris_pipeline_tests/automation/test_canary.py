"""What no part of Dagster may ever hold: planted in every field of every person, and looked for in every file."""

import sqlite3
from dataclasses import dataclass

import dagster as dg
import pytest

from hris_pipeline.sandbox import Company
from hris_pipeline_tests.kit.automatic_companies import automatic_settings
from hris_pipeline_tests.kit.graphql import Ui
from hris_pipeline_tests.kit.machine import Machine, MakeMachine

NAME = "aviary"
CUSTOM_FIELDS = ("cf-shirt", "cf-languages", "cf-buddy", "cf-badge", "cf-volunteer")

PLANTED = {
    "given name": "Zanzibarina",
    "family name": "Quuxworthy",
    "preferred name": "Floopsie",
    "additional name": "Middlewump",
    "work email": "canary.work@aviary.example",
    "personal email": "canary.home@nest.example",
    "phone": "+12125550177",
    "birth date": "1931-07-13",
    "custom value": "tweetle-value",
    "pay": "777123",
}
"""One of each kind; every person's is this one with a number behind it, where a number can stand."""


def plant(company: Company) -> None:
    """Every person carries the canaries; two have what quarantine keeps, one a value of a wrong kind."""
    for number, member_id in enumerate(company.member_ids):
        company.edit(
            member_id,
            first_name=f"{PLANTED['given name']}{number}",
            last_name=f"{PLANTED['family name']}{number}",
            preferred_name=f"{PLANTED['preferred name']}{number}",
            additional_names=(PLANTED["additional name"],),
            work_email=f"{number}{PLANTED['work email']}",
            personal_email=f"{number}{PLANTED['personal email']}",
            phones=(("mobile", PLANTED["phone"]),),
            birth_date=PLANTED["birth date"],
            custom=dict.fromkeys(CUSTOM_FIELDS, (PLANTED["custom value"],)),
            salary=int(PLANTED["pay"]),
        )
    odd, *_, long, wrong = company.member_ids
    company.edit(odd, birth_date=f"{PLANTED['birth date']}T99", work_email=f"{PLANTED['given name']} at nowhere")
    company.edit(long, preferred_name=PLANTED["preferred name"] * 40)
    company.edit(wrong, raw={"name": {"given_name": [PLANTED["given name"]], "family_name": 5}})


@dataclass
class Aviary:
    """The machine, all the runs it made, and what its processes printed."""

    machine: Machine
    tokens: dict[str, str]
    runs: dict[str, dg.DagsterRun]
    outputs: dict[str, str]


@pytest.fixture(scope="module")
def aviary(make_machine: MakeMachine) -> Aviary:
    """A whole import, and runs that fail: in the database, in validation as a whole, in the source."""
    machine = make_machine()
    companies = machine.companies
    hidden = {"name": "Secret", "source": "custom:Buddy", "type": "hidden"}
    company = companies.add(NAME, 24, settings=automatic_settings(metadata=[hidden]), saved=False)
    plant(company)
    machine.know()
    runs: dict[str, dg.DagsterRun] = {}
    with machine.daemon() as daemon, machine.webserver() as webserver:
        ui = Ui(machine, webserver)
        runs["whole"] = ui.launch("import_users", NAME)
        for number, member_id in enumerate(company.member_ids):
            company.edit(member_id, preferred_name=f"{PLANTED['preferred name']}{number}again")
        with sqlite3.connect(companies.environment.home / "store.db") as store:
            store.execute("CREATE TRIGGER broken BEFORE UPDATE ON users BEGIN SELECT RAISE(ABORT, 'broken'); END")
        runs["broken rule"] = ui.launch("import_users", NAME)
        with sqlite3.connect(companies.environment.home / "store.db") as store:
            store.execute("ALTER TABLE quarantine RENAME COLUMN value TO worth")
        runs["broken store"] = ui.launch("import_users", NAME)
        with sqlite3.connect(companies.environment.home / "store.db") as store:
            store.execute("ALTER TABLE quarantine RENAME COLUMN worth TO value")
        for member_id in company.member_ids[3:]:
            company.edit(member_id, last_name=None)
        runs["bad extract"] = ui.launch("import_users", NAME)
        companies.sandbox.fault("revoked_token", username=NAME)
        tokens = companies.services.tokens(NAME).current()
        runs["dead token"] = ui.launch("import_users", NAME)
    outputs = {"daemon": daemon.output, "webserver": webserver.group.output}
    return Aviary(machine, {"access token": tokens.access, "refresh token": tokens.refresh or ""}, runs, outputs)


def test_the_runs_ended_as_they_were_meant_to(aviary: Aviary) -> None:
    ends = {name: run.status for name, run in aviary.runs.items()}
    assert ends == dict.fromkeys(ends, dg.DagsterRunStatus.FAILURE) | {"whole": dg.DagsterRunStatus.SUCCESS}
    assert "refuses a statement" in aviary.runs["broken store"].tags["hris/failure"]
    assert "last_name" in aviary.runs["bad extract"].tags["hris/failure"]


def test_the_canaries_did_fly(aviary: Aviary) -> None:
    with sqlite3.connect(aviary.machine.companies.environment.home / "store.db") as store:
        (stored,) = store.execute("SELECT count(*) FROM users WHERE last_name LIKE ?", ("Quuxworthy%",)).fetchone()
    assert stored > 15


def test_no_canary_is_in_any_file_of_dagster_nor_in_anything_printed(aviary: Aviary) -> None:
    planted = PLANTED | {name: token for name, token in aviary.tokens.items() if token}
    home = aviary.machine.companies.environment.dagster_home
    texts = {str(path.relative_to(home)): path.read_bytes() for path in home.rglob("*") if path.is_file()}
    assert any(name.startswith("storage/") for name in texts)
    texts |= {name: text.encode() for name, text in aviary.outputs.items()}
    leaks = {(what, name) for what, value in planted.items() for name, text in texts.items() if value.encode() in text}
    assert leaks == set()
