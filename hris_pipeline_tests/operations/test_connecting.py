"""Connecting, keeping the connection alive, ending it; deleting, erasing, and what goes after the retention."""

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from hris_pipeline.errors import ConnectionInvalid, SourceError, SourceRefused, UnknownName, UsageError
from hris_pipeline.operations.connection import (
    RENEW_BEFORE,
    RETENTION,
    connect,
    connections_due,
    consent_url,
    delete_integration,
    disconnect,
    is_own_state,
    new_state,
    purge_old,
    refresh_connection,
    refusal_words,
    refused_permissions,
)
from hris_pipeline.operations.extraction import extract_members, kept_manifest
from hris_pipeline.operations.members import read_mapping
from hris_pipeline.operations.overview import history, read_import
from hris_pipeline.operations.review_queues import open_conflicts
from hris_pipeline.operations.services import Services
from hris_pipeline.operations.settings import set_up
from hris_pipeline.operations.upkeep import verify
from hris_pipeline.operations.users import erase, load_users, protect
from hris_pipeline.sandbox import Company, Sandbox
from hris_pipeline.sandbox.world import finch_token
from hris_pipeline.settings.document import Settings
from hris_pipeline.store.integrations import get_integration
from hris_pipeline.store.tables import connections, import_rows, quarantine
from hris_pipeline_tests.kit.acme import CALLBACK, Acme
from hris_pipeline_tests.kit.clock import MONDAY


def state(acme: Acme) -> str:
    with acme.services.store.read() as connection:
        return get_integration(connection, acme.name).connection


def test_connecting_names_the_company_and_a_code_works_once(acme_lite: Acme) -> None:
    acme = acme_lite
    assert acme.sandbox.authorize_url in consent_url(acme.services, "acme", redirect_uri=CALLBACK, state="s")
    code = acme.code()
    assert connect(acme.services, "acme", f" {code}\n", redirect_uri=CALLBACK).display_name == "Acme"
    with pytest.raises(SourceError):
        connect(acme.services, "acme", code, redirect_uri=CALLBACK)
    with pytest.raises(UsageError):
        connect(acme.services, "acme", "  ", redirect_uri=CALLBACK)
    assert state(acme) == "connected", "what was connected stays so"


def test_what_was_not_granted_is_said_with_the_remedy_and_beside_the_field(acme_lite: Acme) -> None:
    acme = acme_lite
    assert refused_permissions(acme.services, "acme") == ()
    connect(acme.services, "acme", acme.sandbox.authorize(username="acme", consent_dob=False), redirect_uri=CALLBACK)
    [permission] = refused_permissions(acme.services, "acme")
    words = refusal_words("acme", permission)
    assert words.startswith("Not granted: member.dob:read (birth dates).")
    assert "`hris connect acme`" in words
    acme.extract()
    filled = {field.source: field.filled for field in read_mapping(acme.services, "acme")}
    assert filled["birth_date"] == "0%, not granted"
    assert filled["last_name"] == "100%"
    disconnect(acme.services, "acme")
    assert refused_permissions(acme.services, "acme") == ()


def test_tokens_are_stored_encrypted(acme: Acme) -> None:
    tokens = acme.services.tokens("acme").current()
    with acme.services.store.read() as connection:
        stored = connection.execute(sa.select(connections)).one()
    assert tokens.access not in repr(stored)
    assert tokens.refresh not in repr(stored)


def test_a_connection_is_renewed_long_before_it_ends(acme: Acme) -> None:
    services = acme.services
    assert connections_due(services, acme.clock()) == ()
    acme.clock.advance(days=10, minutes=1)
    assert connections_due(services, acme.clock()) == ("acme",)
    refresh_connection(services, "acme")
    assert connections_due(services, acme.clock()) == ()
    assert connections_due(services, acme.clock() + timedelta(days=31) - RENEW_BEFORE) == ("acme",)


def test_a_dead_connection_is_recorded_and_can_be_made_again(acme_lite: Acme) -> None:
    acme = acme_lite
    acme.clock.advance(days=31)
    with pytest.raises(ConnectionInvalid):
        refresh_connection(acme.services, "acme")
    assert state(acme) == "expired"
    assert connections_due(acme.services, acme.clock()) == ()
    with pytest.raises(ConnectionInvalid):
        acme.extract()
    acme.connect()
    assert state(acme) == "connected"
    assert acme.preview().changes == 0


def test_disconnecting_revokes_and_forgets(acme_lite: Acme) -> None:
    acme = acme_lite
    assert disconnect(acme.services, "acme")
    assert state(acme) == "disconnected"
    with pytest.raises(ConnectionInvalid):
        acme.extract()
    assert disconnect(acme.services, "acme"), "twice is once"


def test_disconnecting_forgets_even_when_the_source_does_not_answer(acme_lite: Acme) -> None:
    acme = acme_lite
    acme.sandbox.fault("server_error", path="/v1/oauth")
    disconnect(acme.services, "acme")
    assert state(acme) == "disconnected"


def test_deleting_an_integration_keeps_its_users_as_local_ones(acme: Acme) -> None:
    services, before = acme.services, acme.users()
    acme.company.edit(acme.active()[0], job_title="Astronaut")
    open_one = acme.preview()
    imported = history(services, "acme")[-1]
    removed: list[str] = []
    with pytest.raises(UsageError):
        delete_integration(services, "acme", "acne")
    assert delete_integration(services, "acme", "acme", remove_frames=removed.append) == 12
    assert removed == ["acme"]
    after = acme.users()
    assert {row["user_id"] for row in after.values()} == {row["user_id"] for row in before.values()}
    assert all(row["integration_id"] is None and row["hris_id"] is None for row in after.values())
    assert read_import(services, open_one.import_id).status == "discarded"
    assert read_import(services, imported.import_id) == imported
    with pytest.raises(UnknownName):
        acme.extract()
    with services.store.read() as connection:
        assert connection.execute(sa.select(connections)).all() == []
    set_up(services, "acme", actor="dana")
    acme.connect()
    linked = acme.run()
    assert (linked.counts["created"], linked.counts["updated"]) == (0, 12)


def test_protecting_keeps_a_user_and_their_email(acme_lite: Acme) -> None:
    acme = acme_lite
    [member_id] = acme.active()[:1]
    user = acme.users()[member_id]
    protect(acme.services, "acme", user["employee_id"], protected=True)
    acme.company.edit(member_id, work_email="new@acme.example")
    assert acme.run().counts["protected"] == 1
    assert acme.users()[member_id]["email"] == user["email"]
    acme.lose([member_id])
    assert acme.run().counts["archived"] == 0
    protect(acme.services, "acme", user["employee_id"], protected=False)
    assert acme.run().counts["archived"] == 1


def test_a_user_file_is_loaded_whole_or_not_at_all(acme_lite: Acme) -> None:
    acme = acme_lite
    acme.sibling("globex", Company(2, 9, today=MONDAY.date(), display_name="Globex"))
    twice = "Employee Id,First Name,Last Name,Email\nL1,A,B,x@home.example\nL2,C,D,X@home.example\n"
    with pytest.raises(UsageError):
        load_users(acme.services, "acme", twice.encode())
    loaded = load_users(acme.services, "acme", twice.replace("X@", "y@").encode())
    assert loaded.created == ("L1", "L2")
    assert load_users(acme.services, "acme", twice.replace("X@", "y@").encode()).unchanged == ("L1", "L2")


def test_erasing_leaves_ids_and_nothing_else_and_nobody_makes_the_person_anew(acme: Acme) -> None:
    services = acme.services
    [member_id] = acme.active()[:1]
    user = acme.users()[member_id]
    removed: list[str] = []
    erase(services, "acme", user["employee_id"], "lee", remove_frames=removed.append)
    assert removed == ["acme"]
    with pytest.raises(UnknownName):
        kept_manifest(services, "acme")
    with services.store.read() as connection:
        rows = connection.execute(sa.select(import_rows).where(import_rows.c.user_id == user["user_id"])).all()
    for secret in (user["last_name"], user["email"], user["phone_number"], user["birth_date"].isoformat()):
        assert secret not in repr(rows) + repr(acme.users()[member_id])
    verification = verify(services, "acme")
    assert verification.ok
    assert len(verification.erased) == 1
    done = acme.run()
    assert done.counts["protected"] == 1
    assert acme.users()[member_id]["last_name"] is None


def test_the_past_goes_after_the_retention_and_what_was_decided_stays(acme: Acme) -> None:
    services = acme.services
    acme.company.add(last_name=None)
    acme.company.edit(acme.active()[0], job_title="Astronaut")
    discarded = acme.preview()
    acme.company.edit(acme.active()[0], job_title="Baker")
    acme.run()
    assert purge_old(services) == 0
    acme.clock.advance(days=RETENTION.days, hours=1)
    assert purge_old(services) == 4
    with services.store.read() as connection:
        assert connection.execute(sa.select(quarantine)).all() == []
        of_import = import_rows.c.import_id == discarded.import_id
        assert connection.execute(sa.select(import_rows).where(of_import)).all() == []
    assert read_import(services, discarded.import_id).status == "discarded"
    assert verify(services, "acme").ok
    assert open_conflicts(services, "acme") == ()


def test_a_state_is_ours_for_one_integration_and_one_hour(acme_lite: Acme) -> None:
    services = acme_lite.services
    state = new_state(services, "acme")
    assert state != new_state(services, "acme")
    assert is_own_state(services, "acme", state)
    assert not is_own_state(services, "globex", state)
    issued, nonce, seal = state.split(".")
    forged = ("", "setup", state + "0", f"{int(issued) + 1}.{nonce}.{seal}", f"{issued}.x.{seal}", f"{issued}.{nonce}.")
    assert not any(is_own_state(services, "acme", other) for other in forged)
    acme_lite.clock.advance(hours=1, minutes=1)
    assert not is_own_state(services, "acme", state)


def test_a_code_of_another_consent_link_serves_nobody(acme_lite: Acme) -> None:
    services, sandbox = acme_lite.services, acme_lite.sandbox
    link = consent_url(services, "acme", redirect_uri=CALLBACK, state=new_state(services, "acme"))
    foreign = re.sub(r"code_challenge=[^&]+", "code_challenge=" + "x" * 43, link)
    with pytest.raises(SourceRefused, match="does not accept this code"):
        connect(services, "acme", sandbox.consent(foreign, username="acme")[1], redirect_uri=CALLBACK)
    assert connect(services, "acme", sandbox.consent(link, username="acme")[1], redirect_uri=CALLBACK).display_name


@pytest.fixture
def finch_services(lite_services: Services, sandbox: Sandbox) -> Services:
    """An integration ``acme`` of the aggregator, connected."""
    sandbox.add_company("acme", Company(3, 1, today=MONDAY.date()))
    set_up(lite_services, "acme", settings=Settings(source="finch"), actor="dana", accept=True)
    connect(lite_services, "acme", finch_token("acme"), redirect_uri="")
    return lite_services


def connection_of(services: Services) -> str:
    with services.store.read() as connection:
        return get_integration(connection, "acme").connection


def test_a_token_of_the_aggregator_is_tried_before_it_takes_the_place_of_another(finch_services: Services) -> None:
    with pytest.raises(SourceRefused, match="does not accept this access token for acme, and nothing was changed"):
        connect(finch_services, "acme", "a-wrong-token", redirect_uri="")
    assert finch_services.tokens("acme").current().access == finch_token("acme")
    assert connection_of(finch_services) == "connected"


def test_an_employer_who_must_connect_again_is_recorded(finch_services: Services, sandbox: Sandbox) -> None:
    extract_members(finch_services, "acme")
    sandbox.fault("revoked_token", username="acme")
    with pytest.raises(ConnectionInvalid, match=r"reauthenticate_user.*hris connect acme"):
        extract_members(finch_services, "acme")
    assert connection_of(finch_services) == "expired"
