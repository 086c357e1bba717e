"""What was reviewed is what is applied: any bit changed in between is refused, named, notified, and never blessed."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from upath import UPath

from hris_pipeline.errors import HrisError, Tampered
from hris_pipeline.operations.decisions import approve_import, discard_import, is_approved
from hris_pipeline.operations.overview import history, read_import
from hris_pipeline.operations.roles import DecidedBy, deciding
from hris_pipeline.operations.upkeep import verify
from hris_pipeline.operations.users import load_users, protect
from hris_pipeline.store.imports import Import
from hris_pipeline.store.tables import approvals, import_rows, imports, users
from hris_pipeline_tests.kit.acme import Acme
from hris_pipeline_tests.kit.remembered_homes import remembered

HELD = "guards={archive_limit: {people: 5, people_percent: 0, small_people: 2, small_percent: 1}}"

Meddle = Callable[[sa.Connection, Import], None]


def row(**values: Any) -> Meddle:
    """Changes the one row of the import."""

    def meddle(connection: sa.Connection, summary: Import) -> None:
        connection.execute(sa.update(import_rows).where(import_rows.c.import_id == summary.import_id).values(values))

    return meddle


def state(column: str, **fields: Any) -> Meddle:
    """Changes a state of the one row."""

    def meddle(connection: sa.Connection, summary: Import) -> None:
        of_import = import_rows.c.import_id == summary.import_id
        present = connection.execute(sa.select(import_rows.c[column]).where(of_import)).scalar_one()
        connection.execute(sa.update(import_rows).where(of_import).values({column: present | fields}))

    return meddle


def another_user(connection: sa.Connection, summary: Import) -> None:
    of_import = import_rows.c.import_id == summary.import_id
    present = connection.execute(sa.select(import_rows.c.user_id).where(of_import)).scalar_one()
    other = connection.execute(sa.select(users.c.user_id).where(users.c.user_id != present).limit(1)).scalar_one()
    connection.execute(sa.update(import_rows).where(of_import).values(user_id=other))


def one_more_row(connection: sa.Connection, summary: Import) -> None:
    of_import = import_rows.c.import_id == summary.import_id
    present = connection.execute(sa.select(import_rows).where(of_import)).one()._asdict()
    connection.execute(sa.insert(import_rows), present | {"user_id": "mallory"})


def no_row(connection: sa.Connection, summary: Import) -> None:
    connection.execute(sa.delete(import_rows).where(import_rows.c.import_id == summary.import_id))


def record(**values: Any) -> Meddle:
    """Changes the import itself."""

    def meddle(connection: sa.Connection, summary: Import) -> None:
        connection.execute(sa.update(imports).where(imports.c.import_id == summary.import_id).values(values))

    return meddle


MEDDLING: dict[str, tuple[Meddle, str]] = {
    "a state after": (state("after", last_name="Mallory"), "its rows"),
    "a state before": (state("before", last_name="Mallory"), "its rows"),
    "a base version": (row(base_version=7), "its rows"),
    "the names of changed fields": (row(changed=[]), "its rows"),
    "a source hash": (row(source_hash="0" * 32), "its rows"),
    "an action": (row(action="archive"), "its rows"),
    "whose row it is": (another_user, "its rows"),
    "a row more": (one_more_row, "its rows"),
    "a row less": (no_row, "its rows"),
    "a row called erased": (row(erased=True, source_hash=None), "its rows"),
    "a count": (record(updated=0), "its counts"),
    "the guards": (record(guards=[]), "its guards"),
    "who is not applied": (record(diagnostics={"hole": ["0001"]}), "who is not applied and why"),
    "who started it": (record(actor="lee"), "who started or applied it"),
    "what started it": (record(trigger="schedule"), "who started or applied it"),
    "its hold": (record(status="held"), "its status"),
    "the digest": (record(digest="0" * 64), "what was planned"),
    "the settings": (record(settings_digest=None), "what was planned"),
    "the extract": (record(extract_id=None), "what was planned"),
    "completeness": (record(complete=False), "what was planned"),
    "whose import it is": (record(directory_id="other"), "what was planned"),
    "its age": (record(planned_at=sa.func.now()), "what was planned"),
    "the proof of its rows": (record(rows_hash=None), "what was planned"),
    "its seal": (record(seal=None), "its seal"),
}


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was notified."""
    bodies: list[str] = []
    monkeypatch.setattr(
        "hris_pipeline.operations.decisions.notify",
        lambda _services, _name, event, _state, body: bodies.append(event + body),
    )
    return bodies


def planned(acme: Acme) -> Import:
    acme.company.edit(acme.active()[0], job_title="Astronaut")
    return remembered(acme, "planned", acme.preview)


@pytest.mark.parametrize("what", MEDDLING)
def test_an_import_changed_between_review_and_save_is_refused(acme_lite: Acme, messages: list[str], what: str) -> None:
    refuses(acme_lite, messages, *MEDDLING[what])


@pytest.mark.parametrize("what", ["a state after", "whose row it is", "a count", "the guards", "its age"])
def test_so_it_is_on_both_databases(acme: Acme, messages: list[str], what: str) -> None:
    refuses(acme, messages, *MEDDLING[what])
    again = acme.preview()
    assert acme.save(again.import_id).status == "applied"


def refuses(acme: Acme, messages: list[str], meddle: Meddle, part: str) -> None:
    """The import is refused, named and told; it is never blessed."""
    summary, before = planned(acme), acme.users()
    with acme.services.store.begin() as connection:
        meddle(connection, summary)
    with pytest.raises(Tampered, match=part):
        acme.save(summary.import_id)
    assert acme.users() == before
    assert "failed" in messages[0]
    assert summary.import_id in messages[0]
    refused = read_import(acme.services, summary.import_id)
    assert refused.status == "stale"
    assert part in str(refused.message)
    verification = verify(acme.services, "acme")
    assert summary.import_id in verification.altered


def test_a_plan_never_keeps_an_open_import_that_was_changed(acme_lite: Acme) -> None:
    acme = acme_lite
    summary = planned(acme)
    with acme.services.store.begin() as connection:
        state("after", last_name="Mallory")(connection, summary)
    again = acme.preview()
    assert (again.digest, again.import_id == summary.import_id) == (summary.digest, False)
    assert acme.save(again.import_id).status == "applied"


def _row_of(acme: Acme, summary: Import) -> dict[str, Any]:
    with acme.services.store.read() as connection:
        return connection.execute(sa.select(imports).where(imports.c.import_id == summary.import_id)).one()._asdict()


def _put_back(acme: Acme, row: dict[str, Any]) -> None:
    """What whoever writes to the store can do without the key: no other import is open, and the row is as it was."""
    with acme.services.store.begin() as connection:
        connection.execute(sa.update(imports).where(imports.c.status == "planned").values(status="stale"))
        connection.execute(sa.update(imports).where(imports.c.import_id == row["import_id"]).values(row))


def test_an_import_whose_place_another_took_cannot_be_put_back(acme: Acme, messages: list[str]) -> None:
    first = planned(acme)
    row = _row_of(acme, first)
    acme.company.edit(acme.active()[1], job_title="Diver")
    acme.preview()
    before = acme.users()
    _put_back(acme, row)
    with pytest.raises(Tampered, match="its status"):
        acme.save(first.import_id)
    assert acme.users() == before
    assert messages


def test_an_import_that_was_discarded_cannot_be_put_back(acme: Acme, messages: list[str]) -> None:
    summary = planned(acme)
    row = _row_of(acme, summary)
    by = DecidedBy("Dana", "dana", "os")
    with deciding(acme.services, "acme", "discard", by, summary.import_id):
        discard_import(acme.services, summary.import_id, "Dana", "not now")
    _put_back(acme, row)
    with pytest.raises(Tampered, match="its status"):
        acme.save(summary.import_id)
    assert messages


def test_an_approval_of_another_import_cannot_be_put_in_place(acme: Acme, messages: list[str]) -> None:
    first = _held(acme)
    approve_import(acme.services, first.import_id, first.digest, "Dana", "two left")
    with acme.services.store.read() as connection:
        approval = connection.execute(sa.select(approvals)).one()._asdict()
    acme.lose(acme.active()[2:3])
    second = acme.preview()
    assert second.status == "held"
    with acme.services.store.begin() as connection:
        connection.execute(sa.insert(approvals), approval | {"import_id": second.import_id, "digest": second.digest})
    with pytest.raises(Tampered, match="its approval"):
        acme.save(second.import_id)
    assert acme.archived() == set()


def _held(acme: Acme) -> Import:
    acme.lose(acme.active()[:2])

    def plan() -> Import:
        acme.switch(HELD)
        return acme.preview()

    summary = remembered(acme, "held", plan)
    assert summary.status == "held"
    return summary


@pytest.mark.parametrize(
    "values",
    [{"approved_by": "Lee"}, {"reason": "x"}, {"lapses_at": sa.func.now()}, {"seal": None}, {"seal": "0" * 129}],
    ids=lambda values: next(iter(values)),
)
def test_an_approval_changed_since_it_was_given_is_refused(acme_lite: Acme, messages: list[str], values: Any) -> None:
    acme = acme_lite
    summary = _held(acme)
    approve_import(acme.services, summary.import_id, summary.digest, "Dana", "two left")
    assert is_approved(acme.services, summary)
    with acme.services.store.begin() as connection:
        connection.execute(sa.update(approvals).values(values))
    with pytest.raises(Tampered, match="its approval"):
        acme.save(summary.import_id)
    assert messages
    assert acme.archived() == set()
    assert verify(acme.services, "acme").altered[summary.import_id] == ("its approval",)


def test_an_approval_that_nobody_gave_is_refused(acme: Acme) -> None:
    summary = _held(acme)
    now = acme.services.now()
    values = {"import_id": summary.import_id, "digest": summary.digest, "approved_by": "Dana", "reason": "x"}
    with acme.services.store.begin() as connection:
        moments = {"approved_at": now, "lapses_at": now + timedelta(days=7)}
        connection.execute(sa.insert(approvals), values | moments)
    with pytest.raises(Tampered, match="its approval"):
        acme.save(summary.import_id)


def _extract_files(acme: Acme, summary: Import) -> dict[str, UPath]:
    folder = UPath(acme.services.environment.files_url) / "extracts" / "acme"
    return {path.name.removeprefix(str(summary.extract_id)): path for path in folder.iterdir()}


def test_an_extract_changed_between_review_and_save_is_refused(acme_lite: Acme, messages: list[str]) -> None:
    acme = acme_lite
    summary = planned(acme)
    path = _extract_files(acme, summary)[".jsonl.zst"]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(Tampered, match="Extract"):
        acme.save(summary.import_id)
    assert messages


@pytest.mark.parametrize("key", ["complete", "sha256", "records", "seal"])
def test_a_manifest_changed_between_review_and_save_is_refused(acme_lite: Acme, key: str) -> None:
    acme = acme_lite
    summary = planned(acme)
    path = _extract_files(acme, summary)[".json"]
    manifest = json.loads(path.read_bytes())
    manifest[key] = {bool: not manifest[key], int: 7, str: "0" * 64}[type(manifest[key])]
    path.write_bytes(json.dumps(manifest).encode())
    with pytest.raises(HrisError, match="changed"):
        acme.save(summary.import_id)


def test_verify_names_what_was_done_to_history_and_to_users(acme: Acme) -> None:
    services = acme.services
    acme.company.edit(acme.active()[0], job_title="Astronaut")
    done = acme.run()
    load_users(services, "acme", b"Employee Id,First Name,Last Name\nL1,Zoe,Other\n")
    protect(services, "acme", "L1", protected=True)
    assert verify(services, "acme").ok
    first, second, third = acme.active()[:3]
    changed = acme.users()[first]
    local = next(user for user in acme.users().values() if user["employee_id"] == "L1")
    with services.store.begin() as connection:
        record(created=3)(connection, done)
        record(guards=[])(connection, history(services, "acme")[-1])
        connection.execute(sa.insert(users), local | {"user_id": "mallory", "employee_id": "M1", "seal": None})
    acme.write_behind(second, protected=True)
    acme.write_behind(third, version=changed["version"], synced_version=changed["version"])
    acme.write_behind(first, version=1, synced_version=1)
    with services.store.begin() as connection:
        connection.execute(sa.update(users).where(users.c.employee_id == "L1").values(protected=False))
    verification = verify(services, "acme")
    assert verification.altered[done.import_id] == ("its counts",)
    assert set(verification.altered.values()) == {("its counts",), ("its guards",)}
    whom = {user["user_id"]: key for key, user in acme.users().items()}
    named = sorted((divergence.what, whom[divergence.user_id]) for divergence in verification.divergences)
    assert named == sorted(
        [
            ("inserted", "mallory"),
            ("protected", second),
            ("protected", local["user_id"]),
            ("set back", first),
            ("set back", third),
        ]
    )


def test_what_applied_it_is_sealed_too(acme_lite: Acme) -> None:
    acme = acme_lite
    done = acme.save(planned(acme).import_id)
    with acme.services.store.begin() as connection:
        record(applied_by="lee")(connection, done)
    assert verify(acme.services, "acme").altered == {done.import_id: ("who started or applied it",)}


def test_an_import_that_only_says_that_it_was_applied_is_not_believed(acme: Acme) -> None:
    acme.company.edit(acme.active()[0], job_title="Astronaut")
    planned = acme.preview()
    with acme.services.store.begin() as connection:
        connection.execute(sa.update(imports).where(imports.c.import_id == planned.import_id).values(status="applied"))
    with pytest.raises(Tampered, match="nothing was applied"):
        acme.save(planned.import_id)
