"""What decides, besides imports and users, is sealed: whoever writes to the store without the key is refused, named by
`hris verify`, and a person's decision takes the place of what was changed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet

from hris_pipeline.errors import Tampered
from hris_pipeline.operations.automation import pause, resume, skip_reason
from hris_pipeline.operations.decisions import save_import
from hris_pipeline.operations.review_queues import resolve
from hris_pipeline.operations.roles import DecidedBy, deciding
from hris_pipeline.operations.services import SettingsReader, open_services
from hris_pipeline.operations.settings import change_settings, read_settings
from hris_pipeline.operations.upkeep import verify
from hris_pipeline.settings.document import Settings, document_digest
from hris_pipeline.store.tables import (
    conflicts,
    connections,
    decision_logs,
    decisions,
    imports,
    integration_settings,
    integrations,
    kept_users,
)
from hris_pipeline_tests.kit.acme import Acme

Meddle = Callable[[sa.Connection], None]
BY = DecidedBy("Dana", "dana", "os")


def as_another_process(acme: Acme) -> Acme:
    return replace(acme, services=replace(acme.services, settings=SettingsReader()))


def meddled(acme: Acme, *meddling: Meddle) -> Acme:
    with acme.services.store.begin() as connection:
        for meddle in meddling:
            meddle(connection)
    return as_another_process(acme)


@contextmanager
def putting_back(acme: Acme, table: sa.Table) -> Iterator[None]:
    """The table is afterwards as it was before."""
    with acme.services.store.read() as connection:
        rows = [row._asdict() for row in connection.execute(sa.select(table))]
    yield
    keys = [column.name for column in table.primary_key]
    with acme.services.store.begin() as connection:
        for row in connection.execute(sa.select(table)).all():
            if not any(all(row._mapping[key] == kept[key] for key in keys) for kept in rows):
                connection.execute(sa.delete(table).where(*(table.c[key] == row._mapping[key] for key in keys)))
        for kept in rows:
            this = [table.c[key] == kept[key] for key in keys]
            if connection.execute(sa.update(table).where(*this).values(kept)).rowcount == 0:
                connection.execute(sa.insert(table), kept)


def document_and_digest(connection: sa.Connection) -> None:
    """Guards are switched off, and the digest says what the document says."""
    newest = integration_settings.c.version == sa.select(sa.func.max(integration_settings.c.version)).scalar_subquery()
    document = connection.execute(sa.select(integration_settings.c.document).where(newest)).scalar_one()
    document = {**document, "archive_employees": False}
    changed = {"document": document, "digest": document_digest(document)}
    connection.execute(sa.update(integration_settings).where(newest).values(changed))


def newest_version(connection: sa.Connection) -> None:
    newest = sa.select(sa.func.max(integration_settings.c.version)).scalar_subquery()
    connection.execute(sa.delete(integration_settings).where(integration_settings.c.version == newest))


def older_version_as_the_newest(connection: sa.Connection) -> None:
    rows = connection.execute(sa.select(integration_settings).order_by(integration_settings.c.version)).all()
    older = rows[0]._asdict()
    connection.execute(sa.insert(integration_settings), older | {"version": rows[-1].version + 1})


def no_seal(connection: sa.Connection) -> None:
    newest = sa.select(sa.func.max(integration_settings.c.version)).scalar_subquery()
    this = integration_settings.c.version == newest
    connection.execute(sa.update(integration_settings).where(this).values(seal=None))


def test_settings_that_nobody_stored_are_refused_though_their_digest_agrees(acme: Acme) -> None:
    acme.switch("import_days_before_start=1")
    acme.run()
    summary = acme.preview()
    for meddle, version in (
        (no_seal, 2),
        (older_version_as_the_newest, 3),
        (newest_version, 2),
        (document_and_digest, 2),
    ):
        with putting_back(acme, integration_settings):
            meddled(acme, meddle)
            refusal = rf"settings of acme, version {version}, are not what was stored.*HRIS_SECRET_KEY.*`hris settings"
            services = replace(acme.services, settings=SettingsReader())
            with pytest.raises(Tampered, match=refusal):
                read_settings(services, "acme")
            with pytest.raises(Tampered, match=refusal):
                save_import(services, "acme", actor="dana")
            verification = verify(services, "acme")
            assert (verification.ok, verification.settings) == (False, (version,))
            assert verification.altered == {}, f"{summary.import_id} is what it was"
    acme = meddled(acme, document_and_digest)
    with pytest.raises(Tampered, match="version 2, are not what was stored"):
        acme.preview()
    change_settings(acme.services, "acme", Settings(), "dana")
    assert read_settings(acme.services, "acme").settings == Settings()
    assert acme.run().status == "applied"


def test_settings_sealed_with_a_key_that_is_not_there_are_refused_by_name(acme_lite: Acme) -> None:
    other = acme_lite.services.environment.model_copy(update={"secret_keys": (Fernet.generate_key().decode(),)})
    services = open_services(other)
    try:
        with pytest.raises(Tampered, match="HRIS_SECRET_KEY lacks the key"):
            read_settings(services, "acme")
    finally:
        services.close()


def of_integration(**values: Any) -> Meddle:
    return lambda connection: _run(connection, sa.update(integrations).values(values))


def _changing(table: sa.Table, values: Any) -> Meddle:
    return lambda connection: _run(connection, sa.update(table).values(values))


def _run(connection: sa.Connection, statement: sa.Executable) -> None:
    connection.execute(statement)


def test_an_integration_that_is_not_what_was_set_up_plans_nothing(acme_lite: Acme) -> None:
    acme_lite.run()
    changes: tuple[dict[str, Any], ...] = (
        {"directory_id": "other"},
        {"life": 7},
        {"source": "finch"},
        {"terms_accepted_by": "mallory"},
        {"seal": None},
    )
    manifest = acme_lite.extract()
    for values in changes:
        with putting_back(acme_lite, integrations):
            acme = meddled(acme_lite, of_integration(**values))
            with pytest.raises(Tampered, match=r"acme: which directory, source and life it has.*`hris verify acme`"):
                acme.plan(manifest)
            assert "which directory, source and life it has" in verify(acme.services, "acme").decided
    assert acme_lite.plan(manifest).counts["unchanged"]


def test_automatic_imports_that_nobody_started_do_not_run(acme_lite: Acme) -> None:
    services = acme_lite.services
    acme_lite.run()
    resume(services, "acme", "Dana", "go")
    assert skip_reason(services, "acme") is None
    pause(services, "acme", "Dana", "audit")
    changes: tuple[dict[str, Any], ...] = (
        {"automatic_by": "mallory"},
        {"automatic_reason": "x"},
        {"automatic_seal": None},
        {"automatic": "running"},
    )
    for values in changes:
        meddled(acme_lite, of_integration(**values))
        with pytest.raises(Tampered, match=r"whether automatic imports run.*`hris pause acme"):
            skip_reason(services, "acme")
        assert verify(services, "acme").decided == ("whether automatic imports run",)
        pause(services, "acme", "Dana", "once more")
        assert str(skip_reason(services, "acme")).endswith("once more")
        assert verify(services, "acme").ok


def test_whom_do_not_archive_follows_cannot_be_taken_away(acme: Acme) -> None:
    acme.run()
    kept = acme.users()[acme.active()[0]]["employee_id"]
    acme.switch(f"do_not_archive=['{kept}']")
    manifest = acme.extract()
    acme.plan(manifest)
    refusal = r"whom do_not_archive follows.*do_not_archive=\[\]"
    for meddle in (
        of_integration(kept_seal=None),
        lambda connection: _run(connection, sa.update(kept_users).values(user_id="mallory")),
        lambda connection: _run(connection, sa.delete(kept_users)),
    ):
        acme = meddled(acme, meddle)
        with pytest.raises(Tampered, match=refusal):
            acme.plan(manifest)
        with pytest.raises(Tampered, match=refusal):
            acme.switch("import_days_before_start=1")
        assert verify(acme.services, "acme").decided == ("whom do_not_archive follows",)
        acme.switch("do_not_archive=[]")
        acme.switch(f"do_not_archive=['{kept}']")
        acme.plan(manifest)
        assert verify(acme.services, "acme").ok


def test_one_companys_tokens_do_not_serve_another(acme: Acme) -> None:
    """Encrypted they are the same whoever has them: the seal says whose they are."""
    other = acme.sibling("globex", acme.company)
    with acme.services.store.begin() as connection:
        theirs = sa.select(connections).where(connections.c.integration_id == "globex")
        row = connection.execute(theirs).one()._asdict() | {"integration_id": "acme"}
        connection.execute(sa.update(connections).where(connections.c.integration_id == "acme").values(row))
    with pytest.raises(Tampered, match=r"acme: its tokens.*`hris connect acme`"):
        acme.services.tokens("acme").current()
    with pytest.raises(Tampered):
        acme.preview()
    assert verify(acme.services, "acme").decided == ("its tokens",)
    assert other.services.tokens("globex").current().access
    acme.connect()
    assert verify(acme.services, "acme").ok


def test_a_conflict_that_nobody_decided_is_not_followed(acme: Acme) -> None:
    acme.run()
    acme.company.add(work_email=acme.company.person(acme.active()[0]).work_email)
    acme.preview()
    with acme.services.store.read() as connection:
        conflict_id = connection.execute(sa.select(conflicts.c.conflict_id)).scalar_one()
    decided = {"status": "resolved", "resolution": "link", "resolved_by": "Dana", "resolved_at": acme.clock()}
    acme = meddled(acme, lambda connection: _run(connection, sa.update(conflicts).values(decided)))
    with pytest.raises(Tampered, match=rf"decided of conflict {conflict_id}.*`hris resolve {conflict_id}`"):
        acme.preview()
    assert verify(acme.services, "acme").decided == (f"what was decided of conflict {conflict_id}",)
    resolve(acme.services, conflict_id, "ignore", "Dana")
    acme.preview()
    assert verify(acme.services, "acme").ok
    acme = meddled(acme, lambda connection: _run(connection, sa.update(conflicts).values(resolution="create")))
    with pytest.raises(Tampered):
        acme.preview()


def test_the_log_of_decisions_is_sealed(acme_lite: Acme) -> None:
    with deciding(acme_lite.services, "acme", "pause", BY, reason="audit"):
        pause(acme_lite.services, "acme", "Dana", "audit")
    assert verify(acme_lite.services, "acme").ok
    changes = ({"identity": "lee"}, {"outcome": None}, {"decided_at": sa.func.now()}, {"reason": "x"}, {"seal": None})
    for values in changes:
        with putting_back(acme_lite, decisions):
            meddled(acme_lite, _changing(decisions, values))
            assert verify(acme_lite.services, "acme").decided == ("decision 1 of the log",)
    assert verify(acme_lite.services, "acme").ok


def decided(acme: Acme, *reasons: str) -> None:
    for reason in reasons:
        with deciding(acme.services, "acme", "pause", BY, reason=reason):
            pass


def without(*numbers: int) -> Meddle:
    return lambda connection: _run(connection, sa.delete(decisions).where(decisions.c.number.in_(numbers)))


def one_again(connection: sa.Connection) -> None:
    line = connection.execute(sa.select(decisions).where(decisions.c.number == 1)).one()._asdict()
    del line["decision_id"]  # the database gives another
    connection.execute(sa.insert(decisions), line)


def test_a_decision_taken_away_from_the_log_is_named(acme: Acme) -> None:
    decided(acme, "one", "two", "three")
    assert verify(acme.services, "acme").ok
    log = "the log of decisions (its end is gone, a line is there twice, or says what it said before)"
    for meddle, named in (
        (without(2), ("decision 2 of the log (gone)",)),
        (without(3), ("decision 3 of the log (gone)",)),
        (without(1, 2, 3), tuple(f"decision {number} of the log (gone)" for number in (1, 2, 3))),
        (one_again, (log,)),
    ):
        with putting_back(acme, decisions):
            meddled(acme, meddle)
            assert verify(acme.services, "acme").decided == named
    for meddle in (_changing(decision_logs, {"lines": 7}), _changing(decision_logs, {"seal": None})):
        with putting_back(acme, decision_logs):
            meddled(acme, meddle)
            assert verify(acme.services, "acme").decided
    assert verify(acme.services, "acme").ok
    meddled(acme, without(2))
    decided(acme, "four")
    assert verify(acme.services, "acme").decided == ("decision 2 of the log (gone)",), "nothing blesses it"


def test_a_decision_put_back_to_what_it_said_before_is_named(acme_lite: Acme) -> None:
    with deciding(acme_lite.services, "acme", "discard", BY), acme_lite.services.store.read() as connection:
        undecided = connection.execute(sa.select(decisions)).one()._asdict()
    meddled(acme_lite, _changing(decisions, undecided))
    (named,) = verify(acme_lite.services, "acme").decided
    assert "says what it said before" in named


@pytest.mark.parametrize("log_goes_too", [False, True])
def test_an_older_log_put_back_whole_is_short_of_what_the_newest_import_is_sealed_with(
    acme_lite: Acme, log_goes_too: bool
) -> None:
    decided(acme_lite, "one")
    with acme_lite.services.store.read() as connection:
        older = connection.execute(sa.select(decision_logs)).one()._asdict()
    decided(acme_lite, "two", "three")
    acme_lite.run()
    change = sa.delete(decision_logs) if log_goes_too else sa.update(decision_logs).values(older)
    acme = meddled(acme_lite, without(2, 3), lambda connection: _run(connection, change))
    named = ("decision 2 of the log (gone)", "decision 3 of the log (gone)")
    assert verify(acme.services, "acme").decided == named
    decided(acme, "four", "five")
    assert verify(acme.services, "acme").decided == named, "what is added takes no number of theirs"
    meddled(acme, lambda connection: _run(connection, sa.update(imports).values(log_lines=1)))
    assert "what was planned" in str(verify(acme.services, "acme").altered)
