"""Laws that hold whatever happens: random companies, settings and sequences of imports, edits, faults and undos, over
HTTP into both databases, against the oracle."""

from collections.abc import Callable
from datetime import timedelta
from itertools import count
from typing import Any

from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as configured
from hypothesis import strategies as st

from hris_pipeline.operations.decisions import approve_import
from hris_pipeline.operations.imports import history
from hris_pipeline.operations.undo import plan_undo
from hris_pipeline.operations.verification import verify
from hris_pipeline.sandbox import Company
from hris_pipeline.sandbox.wire import custom_fields, custom_values, profile
from hris_pipeline.settings.document import Settings
from hris_pipeline.store.imports import Import
from hris_pipeline_tests.kit.acme import Acme, MakeAcme
from hris_pipeline_tests.kit.clock import MONDAY
from hris_pipeline_tests.kit.oracle_members import expect_members
from hris_pipeline_tests.operations.test_oracle import by_link, states

NAMES = (f"law-{number}" for number in count())

DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "archive_employees": st.booleans(),
        "override_emails": st.booleans(),
        "override_hire_date": st.booleans(),
        "hire_date_priority": st.sampled_from(["original", "latest"]),
        "add_plus_to_phone_numbers": st.booleans(),
        "import_days_before_start": st.sampled_from([0, 10]),
    },
)


class Alone(Acme):
    """Sees only its own users, though the store keeps those of earlier examples too."""

    def users(self) -> dict[str, dict[str, Any]]:
        return {key: row for key, row in super().users().items() if row["integration_id"] == self.name}


def saved(acme: Acme, planned: Import) -> Import:
    """Applied, if need be approved: guards are another matter."""
    if planned.status == "held":
        approve_import(acme.services, planned.import_id, planned.digest, "lee", "a law holds whatever the guards say")
    return acme.save(planned.import_id)


def an_import(acme: Acme) -> None:
    known = states(acme)
    expected = expect_members(
        acme.company.members(),
        profile(acme.company.id, acme.company.display_name),
        known,
        acme.settings().document(),
        integration=acme.name,
        today=acme.company.today,
        definitions=custom_fields(),
        custom_values={one.id: custom_values(one) for one in acme.company.persons()},
        missing=set(acme.company.gone),
    )
    done = saved(acme, acme.preview())
    assert by_link(states(acme)) == by_link(expected.users)
    assert dict(done.counts) == expected.counts
    assert acme.preview().changes == 0


def a_week(acme: Acme) -> None:
    acme.company.week(acme.company.today + timedelta(days=7))
    acme.clock.advance(days=7)


def a_profile_edit(acme: Acme) -> None:
    for hris_id in acme.active()[:1]:
        key = f"own-{len(history(acme.services, acme.name))}@acme.example"
        acme.edit_user(hris_id, email=key, email_key=key, email_edited_by_user=True)


def an_archive_by_a_person(acme: Acme) -> None:
    for hris_id in acme.active()[1:2]:
        acme.edit_user(hris_id, status="archived", archived_by="lee")


def a_short_list(acme: Acme) -> None:
    """Nobody is archived by a list that was short, approved or not."""
    if not acme.users():
        return
    before = acme.archived()
    acme.fault("short_list", share=0.3)
    planned = acme.preview()
    acme.sandbox.clear_faults()
    if not planned.complete:
        assert planned.counts["archived"] == 0
        saved(acme, planned)
        assert acme.archived() <= before


def an_undo(acme: Acme) -> None:
    """Every user has the state before again; whom the import created is archived."""
    an_import(acme)
    before = states(acme)
    a_week(acme)
    done = saved(acme, acme.preview())
    if not done.changes:
        return
    acme.save(plan_undo(acme.services, done.import_id, actor="lee").import_id)
    after = states(acme)
    assert {key: after[key] for key in before} == before
    assert {after[key]["status"] for key in after.keys() - before.keys()} <= {"archived"}


ACTIONS: tuple[Callable[[Acme], None], ...] = (
    an_import,
    a_week,
    a_profile_edit,
    an_archive_by_a_person,
    a_short_list,
    an_undo,
)


@configured(
    max_examples=6,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.integers(0, 999), DOCUMENTS, st.lists(st.sampled_from(ACTIONS), min_size=3, max_size=6))
def test_whatever_happens_every_import_reaches_its_target_and_history_adds_up(
    make: MakeAcme, seed: int, document: dict[str, Any], actions: list[Callable[[Acme], None]]
) -> None:
    first = make(1)
    first.clock.time = MONDAY
    name = next(NAMES)
    company = Company(45, seed=seed * 1000 + int(name.removeprefix("law-")), today=MONDAY.date())
    first.sibling(name, company, Settings.model_validate(document))
    acme = Alone(first.services, first.sandbox, first.clock, company, name)
    for act in (an_import, *actions, an_import):
        act(acme)
    assert verify(acme.services, acme.name).ok
