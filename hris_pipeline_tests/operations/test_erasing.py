"""One person erased on request: everywhere, whether they ever became a user or not; and user files that say less."""

import json
import re
from typing import Any

import pytest
import sqlalchemy as sa

from hris_pipeline.errors import UnknownName
from hris_pipeline.operations.decisions import open_import
from hris_pipeline.operations.extraction import kept_manifest
from hris_pipeline.operations.overview import history
from hris_pipeline.operations.upkeep import verify
from hris_pipeline.operations.users import erase, load_users
from hris_pipeline.sandbox import Company
from hris_pipeline.settings.document import Settings
from hris_pipeline.store.tables import metadata
from hris_pipeline_tests.kit.acme import Acme, MakeAcme
from hris_pipeline_tests.kit.clock import MONDAY

SHARED = Settings.model_validate({"directory": "acme"})


def everything(acme: Acme) -> str:
    """All that the store and the archive hold, as text."""
    with acme.services.store.read() as connection:
        tables = [connection.execute(sa.select(table)).all() for table in metadata.sorted_tables]
    files = [name for name in ("acme", "globex") if acme.services.archive.extracts(name)]
    return repr(tables) + repr(files)


def traces(acme: Acme, *texts: str) -> list[str]:
    """The texts that are still anywhere; a work id as a word, for some digest holds any four digits."""
    kept = everything(acme)
    digit = "[0-9a-f]"
    return [
        text
        for text in texts
        if (re.search(f"(?<!{digit}){text}(?!{digit})", kept) if text.isdigit() else text in kept)
    ]


def test_an_account_called_import_that_erases_is_no_import(acme: Acme) -> None:
    [member_id] = acme.active()[:1]
    erase(acme.services, "acme", acme.users()[member_id]["employee_id"], "import")
    assert acme.users()[member_id]["archived_by"] == "person:import"
    done = acme.run()
    assert (done.counts["restored"], done.counts["protected"]) == (0, 1)


def test_a_user_is_found_by_member_id_too_and_goes_from_every_integration_of_the_directory(acme: Acme) -> None:
    globex = acme.sibling("globex", Company(3, 9, today=MONDAY.date(), display_name="Globex"), SHARED)
    globex.run()
    [member_id] = acme.active()[:1]
    user = acme.users()[member_id]
    removed: list[str] = []
    erase(acme.services, "globex", member_id, "lee", remove_frames=removed.append)
    assert removed == ["acme", "globex"]
    for name in ("acme", "globex"):
        with pytest.raises(UnknownName):
            kept_manifest(acme.services, name)
    assert traces(acme, user["last_name"], user["email"]) == []
    assert verify(acme.services, "acme").ok


def test_somebody_who_never_was_a_user_can_be_erased(acme: Acme) -> None:
    company = acme.company
    quarantined = company.add(first_name="Quarta", last_name=None)
    planned = company.add(first_name="Plana", last_name="Mundi", work_email="plana@acme.example")
    first = acme.preview()
    assert first.counts["created"] == 1
    ids = {person.id: str(person.work_id) for person in company.persons() if person.id in (quarantined, planned)}
    assert {ids[quarantined]} <= set(first.diagnostics["quarantined"])
    for member_id in (quarantined, planned):
        erase(acme.services, "acme", ids[member_id] if member_id == quarantined else member_id, "lee")
    assert traces(acme, "Quarta", "Plana", "Mundi", "plana@", *ids.values()) == []
    assert open_import(acme.services, "acme") is None
    assert history(acme.services, "acme")[0].status == "stale"
    assert verify(acme.services, "acme").ok


def test_somebody_in_conflict_can_be_erased(acme: Acme) -> None:
    load_users(acme.services, "acme", b"Employee Id,First Name,Last Name,Email\nL1,Zoe,Other,new@home.example\n")
    member_id = acme.company.add(first_name="Conrad", work_email="new@home.example")
    assert acme.preview().counts["conflicts"] == 1
    erase(acme.services, "acme", member_id, "lee")
    assert traces(acme, "Conrad", member_id) == []


def test_nobody_known_is_refused_and_nothing_goes(acme_lite: Acme) -> None:
    acme = acme_lite
    acme.extract()
    with pytest.raises(UnknownName, match="leading zeros"):
        erase(acme.services, "acme", "nobody", "lee")
    assert kept_manifest(acme.services, "acme")


@pytest.mark.parametrize("value", [7, 1.5, None, ["a", "b"], {"a": 1}, True, "text"])
def test_metadata_that_a_file_does_not_name_stays(make: MakeAcme, value: Any) -> None:
    acme = make(1)
    services = acme.services
    load_users(services, "acme", b"Employee Id,First Name,Last Name,#Team,#Desk\nL1,Zoe,Other,Red,7\n")
    [key] = [key for key, user in acme.users().items() if user["employee_id"] == "L1"]
    stored = acme.users()[key]["metadata"] | {"Elsewhere": value}
    with services.store.begin() as connection:
        connection.execute(sa.update(metadata.tables["users"]).values(metadata=stored))
    loaded = load_users(services, "acme", b"Employee Id,First Name,Last Name,#Desk,#Floor\nL1,Zoe,Other,,3\n")
    assert loaded.updated == ("L1",)
    kept = acme.users()[key]["metadata"]
    expected = {"Team": "Red", "Floor": "3", "Elsewhere": value}
    assert json.dumps(kept, sort_keys=True) == json.dumps(expected, sort_keys=True)
