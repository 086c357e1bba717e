"""Laws of planning, over random companies, settings and sequences of imports, against an oracle that shares no code."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from hris_pipeline.change_set.identity import Resolution
from hris_pipeline.change_set.plan import Plan, PlanContext, make_plan
from hris_pipeline.change_set.undo import UNIQUE, AppliedRow, undo_rows
from hris_pipeline.settings.document import Settings
from hris_pipeline_tests.kit import company_strategies as companies
from hris_pipeline_tests.kit import oracle
from hris_pipeline_tests.kit.company_strategies import HRIS_IDS, TODAY, Person, mapped_frame, under
from hris_pipeline_tests.kit.memory_directory import MemoryDirectory

DECISIONS = ["link", "create", "ignore"]


@dataclass
class Extract:
    """One reading of a random company: its people and its verdict."""

    people: list[Person]
    complete: bool
    missing: frozenset[str]
    holes: frozenset[str]
    quarantined: frozenset[str]

    def facts(self, resolutions: tuple[Resolution, ...] = ()) -> PlanContext:
        return PlanContext(
            "acme",
            TODAY,
            self.complete,
            missing=self.missing,
            holes=self.holes,
            quarantined=tuple(self.quarantined),
            quarantined_hris_ids=self.quarantined,
            resolutions=resolutions,
        )


@st.composite
def extracts(draw: st.DrawFn) -> Extract:
    people = draw(companies.people())
    listed = {one["hris_id"] for one in people}
    fates = {hris_id: draw(st.sampled_from(["missing", "hole", "bad", "quiet"])) for hris_id in HRIS_IDS}
    absent = {
        fate: frozenset(key for key, one in fates.items() if one == fate and key not in listed)
        for fate in fates.values()
    }
    return Extract(
        people,
        draw(st.sampled_from([True, True, True, False])),
        missing=absent.get("missing", frozenset()),
        holes=absent.get("hole", frozenset()),
        quarantined=absent.get("bad", frozenset()),
    )


def law(examples: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A test of random settings, users and extracts; the same ones on every run."""
    arguments = (
        st.data(),
        companies.settings(),
        companies.stored_users(),
        st.lists(extracts(), min_size=1, max_size=3),
    )
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
    often = hypothesis_settings(max_examples=examples, deadline=None, derandomize=True, suppress_health_check=slow)
    return lambda test: often(given(*arguments)(test))


def directory_of(users: list[Person]) -> MemoryDirectory:
    return MemoryDirectory(*users)


def planned(extract: Extract, directory: MemoryDirectory, settings: Settings, facts: PlanContext | None = None) -> Plan:
    return make_plan(mapped_frame(under(settings, extract.people)), directory, facts or extract.facts(), settings)


def expected(
    extract: Extract, directory: MemoryDirectory, settings: Settings, resolutions: tuple[Resolution, ...] = ()
) -> oracle.Expected:
    return oracle.expect(
        under(settings, extract.people),
        directory.by_id,
        settings.document(),
        integration="acme",
        today=TODAY,
        complete=extract.complete,
        missing=extract.missing,
        holes=extract.holes,
        quarantined={hris_id: hris_id for hris_id in extract.quarantined},
        resolutions=[(one.hris_id, one.user_id, one.decision) for one in resolutions],
    )


def states(users: dict[str, dict[str, Any]], known: set[str]) -> dict[str, dict[str, Any]]:
    """Users as the oracle writes them, by id; new ones by their link."""
    plain = {}
    for key, user in users.items():
        name = key if key in known else f"new:{user['hris_id']}"
        plain[name] = {field: oracle.plain(user[field]) for field in oracle.STATE}
    return plain


@law(22)
def test_applying_a_change_set_reaches_what_the_oracle_expects_and_the_next_one_is_empty(
    data: st.DataObject, settings: Settings, users: list[Person], extracts: list[Extract]
) -> None:
    directory = directory_of(users)
    resolutions: tuple[Resolution, ...] = ()
    for extract in extracts:
        known = set(directory.by_id)
        plan = planned(extract, directory, settings, extract.facts(resolutions))
        want = expected(extract, directory, settings, resolutions)
        assert {key: plan.counts[key] for key in plan.counts} == want.counts
        pairs = zip(plan.conflicts["hris_id"], plan.conflicts["user_id"], strict=True)
        assert set(pairs) == want.conflicts
        directory.apply(plan.rows)
        assert states(directory.by_id, known) == want.users
        if plan.conflicts.empty:
            again = planned(extract, directory, settings, extract.facts(resolutions))
            assert again.rows.empty
        for hris_id, user_id in sorted(want.conflicts):
            if data.draw(st.booleans()):
                resolutions += (Resolution(hris_id, user_id, data.draw(st.sampled_from(DECISIONS))),)
        for user in directory.by_id.values():
            if data.draw(st.sampled_from([False, False, True])):
                directory.edit(user["user_id"], email=f"{user['user_id']}@own.test", email_edited_by_user=True)


@law(8)
def test_the_order_of_members_and_users_never_matters(
    data: st.DataObject, settings: Settings, users: list[Person], extracts: list[Extract]
) -> None:
    directory = directory_of(users)
    mixed = random.Random(data.draw(st.integers(0, 9)))
    for extract in extracts:
        plan = planned(extract, directory, settings)
        mixed.shuffle(extract.people)
        shuffled = MemoryDirectory()
        shuffled.by_id = dict(mixed.sample(list(directory.by_id.items()), len(directory.by_id)))
        again = planned(extract, shuffled, settings)
        assert (again.digest, again.counts, again.diagnostics) == (plan.digest, plan.counts, plan.diagnostics)
        directory.apply(plan.rows)


@law(8)
def test_undo_gives_every_user_the_state_before_and_archives_who_was_created(
    data: st.DataObject, settings: Settings, users: list[Person], extracts: list[Extract]
) -> None:
    directory = directory_of(users)
    for extract in extracts[:-1]:
        directory.apply(planned(extract, directory, settings).rows)
    before = {key: dict(user) for key, user in directory.by_id.items()}
    plan = planned(extracts[-1], directory, settings)
    directory.apply(plan.rows)
    created = {key: dict(user) for key, user in directory.by_id.items() if key not in before}
    undo = undo_rows(applied(plan.rows), versions(directory), holders(directory))
    directory.apply(undo.rows)
    assert (undo.changed_since, undo.taken) == ((), ())
    known = set(before)
    assert {key: user for key, user in states(directory.by_id, known).items() if key in known} == states(before, known)
    for key, user in created.items():
        now = directory.by_id[key]
        assert (now["status"], now["archived_by"]) == ("archived", "import")
        kept = set(now) - {"status", "archived_by", "version", "synced_version", "source_hash"} - {*UNIQUE, "email"}
        assert {name: now[name] for name in kept} == {name: user[name] for name in kept}


@law(6)
def test_nobody_is_archived_without_a_rule_a_leaving_or_a_confirmed_absence(
    data: st.DataObject, settings: Settings, users: list[Person], extracts: list[Extract]
) -> None:
    directory = directory_of(users)
    for extract in extracts:
        plan = planned(extract, directory, settings)
        left = {
            one["hris_id"]
            for one in extract.people
            if (one["exclusion"] and one["archive_existing"])
            or not one["active"]
            or (one["termination_date"] and one["termination_date"] < TODAY)
        }
        leaving = plan.rows.loc[plan.rows["action"] == "archive", "user_id"]
        assert extract.complete or leaving.empty
        for user_id in leaving:
            user = directory.by_id[user_id]
            assert user["integration_id"] == "acme"
            assert user["hris_id"] in left | extract.missing
            assert user["hris_id"] not in extract.holes | extract.quarantined
            assert not user["protected"]
            assert user["employee_id"] not in settings.do_not_archive
        directory.apply(plan.rows)


def applied(rows: pd.DataFrame) -> list[AppliedRow]:
    """A change set as history keeps it."""
    return [
        AppliedRow(
            row["user_id"],
            None if pd.isna(row["before"]) else json.loads(row["before"]),
            json.loads(row["after"]),
            1 if pd.isna(row["before"]) else row["base_version"] + 1,
        )
        for row in rows.to_dict("records")
    ]


def versions(directory: MemoryDirectory) -> dict[str, int]:
    return {key: user["version"] for key, user in directory.by_id.items()}


def holders(directory: MemoryDirectory) -> dict[tuple[str, str], str]:
    return {(name, user[name]): key for key, user in directory.by_id.items() for name in UNIQUE if user[name]}
