"""Laws of looking, over made-up companies: what a change of settings would do is what it then does; an import that is
kept open tells what a fresh plan would; and an undo gives back what the import changed."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import fields as dataclass_fields
from dataclasses import replace
from typing import Any, TypeVar

from hypothesis import given
from hypothesis import strategies as st

from hris_pipeline.change_set.plan import Plan
from hris_pipeline.contract import OPEN
from hris_pipeline.errors import FrameInvalid, HrisError, SettingsInvalid, SourceError
from hris_pipeline.operations.decisions import plan_undo
from hris_pipeline.operations.extraction import kept_manifest
from hris_pipeline.operations.planning import what_if
from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.mapping import needs_custom_fields
from hris_pipeline.store.imports import Import
from hris_pipeline_tests.kit.judged import Judged, noon
from hris_pipeline_tests.kit.law_profiles import law
from hris_pipeline_tests.kit.staged_rows import read_rows
from hris_pipeline_tests.oracle.model import JsonObject, User, World
from hris_pipeline_tests.oracle.strategies import Story, Week, settings_documents, stories

Stage = Callable[[World], AbstractContextManager[tuple[Judged, World]]]

T = TypeVar("T")

COMPANIES: st.SearchStrategy[Story] = st.one_of(stories("justworks", max_people=8), stories("finch", max_people=8))


@law(5)
@given(story=COMPANIES, document=settings_documents())
def test_what_if_is_the_plan_after_the_change(lite_stage: Stage, story: Story, document: JsonObject) -> None:
    with lite_stage(story.world) as (judged, world):
        week = story.weeks[0]
        if not imported(judged, world, week):
            return
        other = settings_like(judged.acme.settings(), document)
        manifest = kept_manifest(judged.acme.services, judged.acme.name)
        if needs_custom_fields(other) and not manifest.with_custom_fields:
            return  # looking refuses: their values were not read
        expected = tried(lambda: what_if(judged.acme.services, judged.acme.name, settings=other).then)
        planned = tried(lambda: changed(judged, other))
        if isinstance(expected, HrisError) or isinstance(planned, HrisError):
            assert type(planned) is type(expected)
            return
        assert said_of(planned) == said_of(expected)
        assert len(read_rows(judged.acme.services, planned.import_id)) == len(expected.rows)


@law(5)
@given(story=COMPANIES)
def test_an_open_import_tells_what_a_fresh_plan_would(lite_stage: Stage, story: Story) -> None:
    """Nothing is saved: every week's plan takes the place of the last one, or keeps it open and up to date."""
    with lite_stage(story.world) as (judged, world):
        for week in story.weeks:
            planned = previewed(judged, world, week)
            if planned and planned.status in OPEN:
                fresh = what_if(judged.acme.services, judged.acme.name).today
                assert said_of(planned) == said_of(fresh)
                assert planned.digest == fresh.digest
                assert planned.extract_id == kept_manifest(judged.acme.services, judged.acme.name).extract_id


@law(5)
@given(story=COMPANIES)
def test_an_undo_gives_back_what_the_import_changed(lite_stage: Stage, story: Story) -> None:
    with lite_stage(story.world) as (judged, world):
        if not imported(judged, world, story.weeks[0]):
            return
        before = judged.users()
        if len(story.weeks) < 2 or not (planned := previewed(judged, world, story.weeks[1])):
            return
        if planned.status == "held":
            judged.approve(planned)
        saved = judged.acme.save(planned.import_id)
        if not read_rows(judged.acme.services, saved.import_id):
            return
        undo = plan_undo(judged.acme.services, planned.import_id, actor="lee")
        judged.acme.save(undo.import_id)
        user_ids = {user.user_id for user in before}
        after = judged.users()
        assert [plain(user) for user in after if user.user_id in user_ids] == [plain(user) for user in before]
        assert {user.status for user in after if user.user_id not in user_ids} <= {"archived"}


UNIQUE = ("employee_id", "email", "integration_id", "hris_id")
"""What two users may not share: somebody else may have the value before by now."""


@law(4)
@given(story=COMPANIES)
def test_an_undo_after_further_changes_gives_back_what_nobody_changed_since(lite_stage: Stage, story: Story) -> None:
    with lite_stage(story.world) as (judged, world):
        if len(story.weeks) < 3 or not imported(judged, world, story.weeks[0]):
            return
        before = by_id(judged)
        if not (planned := previewed(judged, world, story.weeks[1])):
            return
        if planned.status == "held":
            judged.approve(planned)
        judged.acme.save(planned.import_id)
        after = by_id(judged)
        imported(judged, world, story.weeks[2])
        now = by_id(judged)
        undo = tried(lambda: plan_undo(judged.acme.services, planned.import_id, actor="lee"))
        if isinstance(undo, Import) and undo.status == "planned":
            judged.acme.save(undo.import_id)
        undone = by_id(judged)
        assert undone.keys() == now.keys()
        for user_id in before:
            breaches = undone_otherwise(*(values(users[user_id]) for users in (before, after, now, undone)))
            assert breaches == [], user_id


def by_id(judged: Judged) -> dict[str, User]:
    """The directory, by user_id."""
    return {user.user_id: user for user in judged.users()}


def values(user: User) -> dict[str, object]:
    """A user's fields and metadata, each on its own; without marks that go with a field."""
    marks = ("metadata", "archived_by", "email_edited_by_user", "was_managed_link")
    fields = {item.name: getattr(user, item.name) for item in dataclass_fields(user) if item.name not in marks}
    return fields | {f"#{name}": value for name, value in user.metadata.items()}


def undone_otherwise(
    before: dict[str, object], after: dict[str, object], now: dict[str, object], undone: dict[str, object]
) -> list[str]:
    """The fields that an undo neither gave back nor left as it must."""
    breaches = []
    for name in before.keys() | after.keys() | now.keys() | undone.keys():
        old, new, present, result = (state.get(name) for state in (before, after, now, undone))
        expected = old if old != new and present == new else present
        if result != expected and not (name in UNIQUE and result == present):
            breaches.append(name)
    return breaches


def tried(act: Callable[[], T]) -> T | HrisError:
    """What it gives, or what refuses it."""
    try:
        return act()
    except HrisError as refusal:
        return refusal


def changed(judged: Judged, settings: Settings) -> Import:
    """The next plan once the settings are these."""
    judged.acme.change(settings)
    return judged.acme.preview()


def said_of(plan: Plan | Import) -> tuple[Any, ...]:
    """What a plan says: counts, guards with their figures, and who is named beside it."""
    guards = [(guard.name, guard.observed, guard.tripped, guard.employee_ids) for guard in plan.guards]
    named = {reason: sorted(ids) for reason, ids in plan.diagnostics.items()}
    return dict(plan.counts), guards, named


def previewed(judged: Judged, world: World, week: Week) -> Import | None:
    """The week's plan; None when the source or the extract does not serve, or a rule matches everybody in it."""
    judged.script.reading = week.reading
    judged.acme.clock.time = max(judged.acme.clock.time, noon(week.today))
    try:
        return judged.acme.preview()
    except (FrameInvalid, SettingsInvalid, SourceError):
        return None


def imported(judged: Judged, world: World, week: Week) -> bool:
    """Whether the week's import could be made and saved; a person lets it through."""
    planned = previewed(judged, world, week)
    if planned is None:
        return False
    if planned.status == "held":
        judged.approve(planned)
    judged.acme.save(planned.import_id)
    return True


def settings_like(settings: Settings, document: JsonObject) -> Settings:
    """The document's settings for the same connection."""
    same = {name: getattr(settings, name) for name in ("source", "directory", "time_zone", "employee_ids")}
    return Settings.model_validate({**document, **same})


def plain(user: User) -> User:
    """Without what an undo need not give back: the mark that an import archived somebody."""
    return replace(user, metadata=dict(user.metadata))
