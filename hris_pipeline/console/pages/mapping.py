"""The mapping: which source field feeds which user field or metadata, with how many people have it and the first value
that anybody has; nothing is stored before a page has shown how many users it touches."""

from collections.abc import Callable, Mapping
from functools import partial

from starlette.responses import Response

from hris_pipeline.console.pages.settings import check
from hris_pipeline.console.visit import Page, Visit
from hris_pipeline.errors import FrameInvalid, HrisError, SettingsInvalid, UnknownName
from hris_pipeline.operations.members import SourceField, read_mapping
from hris_pipeline.operations.review_rows import mask
from hris_pipeline.operations.settings import read_settings
from hris_pipeline.settings import mapping as edits
from hris_pipeline.settings.document import MetadataType, Settings
from hris_pipeline.settings.fields import EMPLOYEE_FIELDS_BY_NAME, USER_FIELDS
from hris_pipeline.settings.values import SOURCE_COLUMNS

__all__ = ["PAGES"]

TYPES: Mapping[MetadataType, str] = {
    "default": "default (shown)",
    "associated": "associated (a supervisor)",
    "hidden": "hidden (never shown)",
}
LONGEST_SAMPLE = 28

Edit = Callable[[Settings], Settings]


def show(visit: Visit) -> Response:
    """The mapping in force."""
    return _mapping_form(visit)


def _mapping_form(visit: Visit) -> Response:
    settings = read_settings(visit.services, visit.name).settings
    fields, why_not = _source_fields(visit)
    by_source = {field.source: field for field in fields}
    samples = {source: _sample_words(field, reveal=visit.may("see_people")) for source, field in by_source.items()}
    return visit.page(
        "mapping.html",
        place="mapping",
        targets=[(field, edits.effective_mapping(settings).get(field.name)) for field in USER_FIELDS],
        metadata=settings.metadata,
        excluded=settings.exclude_fields,
        source_fields=by_source,
        options=_source_options(by_source, samples, settings),
        samples=samples,
        types=list(TYPES.items()),
        why_not=why_not,
        editable=visit.may("change_mapping"),
    )


def _source_fields(visit: Visit) -> tuple[tuple[SourceField, ...], str]:
    try:
        return read_mapping(visit.services, visit.name), ""
    except UnknownName:
        return (), "Nothing was read from the source yet: fill rates and samples come with the first import."
    except FrameInvalid as error:
        return (), str(error)


def _source_options(
    by_source: Mapping[str, SourceField], samples: Mapping[str, str], settings: Settings
) -> list[tuple[str, str]]:
    """What can feed a field: what the extract has, each with its fill rate and first value, and what the catalogue has
    that it never met."""
    titles = {name: EMPLOYEE_FIELDS_BY_NAME[name].title for name in SOURCE_COLUMNS}
    titles |= {source: field.title for source, field in by_source.items()}
    named = {*settings.mapping.values(), *(entry.source for entry in settings.metadata)}
    titles |= {source: source for source in sorted(named) if source not in titles}
    hidden = _hidden_sources(settings)

    def option_words(source: str, title: str) -> str:
        if source not in by_source:
            return title
        sample = "hidden" if source in hidden else samples[source]
        return f"{title} ({by_source[source].filled}): {sample}"

    return [(source, option_words(source, title)) for source, title in titles.items()]


def _hidden_sources(settings: Settings) -> frozenset[str]:
    """What feeds hidden metadata and nothing that is visible."""
    visible = {*edits.effective_mapping(settings).values()}
    visible |= {entry.source for entry in settings.metadata if entry.type != "hidden"}
    return frozenset(entry.source for entry in settings.metadata if entry.type == "hidden") - visible


def _sample_words(field: SourceField, *, reveal: bool) -> str:
    sample = field.sample if reveal else mask(field.sample)
    if sample is None:
        return "nobody has it"
    return sample if len(sample) <= LONGEST_SAMPLE else f"{sample[:LONGEST_SAMPLE]}…"


def review_changes(visit: Visit) -> Response:
    """What the sent form changes, before it is stored."""
    if visit.text("again"):
        return _mapping_form(visit)
    current = read_settings(visit.services, visit.name).settings
    new = current
    for place, edit in _collect_edits(visit, current):
        try:
            new = edit(new)
        except SettingsInvalid as error:
            visit.problems[place] = "; ".join(problem.message for problem in error.problems)
        except HrisError as error:
            visit.problems[place] = str(error)
    if visit.problems:
        return _mapping_form(visit)
    return check(visit, current, new, back="mapping", store="mapping/store")


def _collect_edits(visit: Visit, settings: Settings) -> list[tuple[str, Edit]]:
    """Each field of the form that differs, and the edit that it means."""
    sources = edits.effective_mapping(settings)
    form_edits: list[tuple[str, Edit]] = []
    for target, source in sources.items():
        new_source = visit.text(f"map-{target}")
        if new_source and new_source != source:
            form_edits.append((f"map-{target}", partial(edits.set_source, target=target, source=new_source)))
    for number, entry in enumerate(settings.metadata):
        if visit.text(f"was-{number}") != entry.name:
            continue
        form_edits += _metadata_edits(visit, number, str(entry.name), entry.source, entry.type)
    if visit.text("name-new"):
        name, source, kind = visit.text("name-new"), visit.text("source-new"), _metadata_type(visit.text("type-new"))
        form_edits.append(("name-new", lambda old: edits.add_metadata(old, name, source, kind)))
    return form_edits


def _metadata_edits(visit: Visit, number: int, name: str, source: str, kind: MetadataType) -> list[tuple[str, Edit]]:
    if visit.text(f"delete-{number}") == "yes":
        return [(f"delete-{number}", lambda old: edits.delete_metadata(old, name))]
    form_edits: list[tuple[str, Edit]] = []
    new_source, new_kind = visit.text(f"source-{number}"), _metadata_type(visit.text(f"type-{number}"), kind)
    new_name = visit.text(f"name-{number}")
    if new_source and new_source != source:
        form_edits.append((f"source-{number}", lambda old: edits.set_source(old, name, new_source)))
    if new_kind != kind:
        form_edits.append((f"type-{number}", lambda old: edits.change_metadata_type(old, name, new_kind)))
    if new_name and new_name != name:
        form_edits.append((f"name-{number}", lambda old: edits.rename_metadata(old, name, new_name)))
    return form_edits


def _metadata_type(text: str, otherwise: MetadataType = "default") -> MetadataType:
    return next((kind for kind in TYPES if kind == text), otherwise)


PAGES = (
    Page("/i/{name}/mapping", "see", show),
    Page("/i/{name}/mapping", "change_mapping", review_changes, "POST"),
)
