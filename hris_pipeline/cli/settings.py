"""The settings of an integration: seen, changed one by one, applied and exported as YAML; and the mapping among them:
which source field feeds which user field or metadata.

What is looked at before it is stored loads frames, the rest does not.
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import RenderableType

from hris_pipeline.cli.common import (
    IntegrationArgument,
    Reveal,
    actor,
    deciding,
    open_services,
    read_text,
    write_private,
)
from hris_pipeline.cli.printing import CommandResult, cell, moment, progress, table
from hris_pipeline.errors import UnknownName, UsageError
from hris_pipeline.settings import mapping as edits
from hris_pipeline.settings.document import MetadataType, Settings
from hris_pipeline.settings.loading import (
    Difference,
    differences,
    dump_settings,
    load_settings,
    rewrite_settings,
    set_values,
)
from hris_pipeline.settings.schema import settings_schema
from hris_pipeline.settings.text import plural

if TYPE_CHECKING:
    from hris_pipeline.operations.members import SourceField
    from hris_pipeline.operations.services import Services

__all__ = [
    "add",
    "apply",
    "change_type",
    "delete",
    "export",
    "history",
    "rename",
    "schema",
    "set_",
    "set_mapping",
    "show",
    "show_mapping",
    "store_settings",
]


def show(
    name: IntegrationArgument,
    defaults: Annotated[bool, typer.Option("--all", help="Also the settings that are at their default.")] = False,
) -> CommandResult:
    """As YAML, without what is at its default. Of notification addresses only the scheme is shown, because the rest is
    a secret; `hris settings export` writes them out.
    """
    with open_services() as services:
        version, settings, digest = _in_force(services, name)
    public = _without_secrets(settings)
    payload = {"integration": name, "version": version, "digest": digest, "settings": public.document()}
    yaml = dump_settings(public, defaults=defaults)
    note = "" if defaults else "; all else is at its default: --all shows it"
    return CommandResult(payload, [cell(f"# {name}, version {version}{note}", "dim"), *_yaml_lines(yaml)])


def set_(
    name: IntegrationArgument,
    assignments: Annotated[
        list[str], typer.Argument(metavar="KEY=VALUE...", help="Dotted keys; an empty value puts the default back.")
    ],
) -> CommandResult:
    """All of them, or none: `hris settings set acme archive_employees=off guards.archive_limit.percent=20`. Text is
    taken as written, anything else is YAML.
    """
    with open_services() as services:
        _, settings, _ = _in_force(services, name)
        return store_settings(services, name, settings, set_values(settings, assignments))


def apply(
    name: IntegrationArgument,
    file: Annotated[str, typer.Argument(help="A YAML document; - is standard input.", show_default=False)],
) -> CommandResult:
    """Everything the document does not say goes back to its default. A document with problems changes nothing; all of
    them are listed, with their lines.
    """
    settings_asked = load_settings(read_text(file))
    from hris_pipeline.store.integrations import settings_to_replace  # noqa: PLC0415

    with open_services() as services:
        with services.store.read() as connection:
            settings = settings_to_replace(connection, name) or Settings()
        return store_settings(services, name, settings, settings_asked)


def export(
    name: IntegrationArgument,
    output: Annotated[str | None, typer.Option("--output", "-o", help="A file, readable by you alone.")] = None,
    defaults: Annotated[bool, typer.Option("--all", help="Also the settings that are at their default.")] = False,
) -> CommandResult:
    """What `hris settings apply` reads back; notification addresses are written out whole. Where FILE holds settings
    already, its comments stay.
    """
    with open_services() as services:
        version, settings, digest = _in_force(services, name)
    payload = {"integration": name, "version": version, "digest": digest, "settings": settings.document()}
    if output is None:
        return CommandResult(payload, list(_yaml_lines(dump_settings(settings, defaults=defaults))))
    text = rewrite_settings(_present_text(output), settings, defaults=defaults)
    target = write_private(output, text.encode())
    return CommandResult({**payload, "file": str(target)}, [cell(f"Version {version} is in {target}.")])


def history(name: IntegrationArgument) -> CommandResult:
    """The newest version first, each with what it changed."""
    from hris_pipeline.store.integrations import settings_history  # noqa: PLC0415

    with open_services() as services:
        with services.store.read() as connection:
            versions = settings_history(connection, name)
        zone = services.time_zone(name)
    before = [*(version.settings for version in versions[1:]), Settings()]
    changed = [differences(old, version.settings) for version, old in zip(versions, before, strict=True)]
    payload = [
        {
            "version": version.version,
            "created_at": version.created_at,
            "actor": version.actor,
            "digest": version.digest,
            "changes": _difference_documents(lines),
        }
        for version, lines in zip(versions, changed, strict=True)
    ]
    renderables: list[RenderableType] = []
    for version, lines in zip(versions, changed, strict=True):
        renderables += [
            cell(f"version {version.version}, {moment(version.created_at, zone)}, {version.actor}", "bold"),
            *_render_differences(lines),
            "",
        ]
    return CommandResult({"integration": name, "versions": payload}, renderables)


def schema() -> CommandResult:
    """For completion and checks while editing: put it into a file and name that file in your editor."""
    document = settings_schema()
    return CommandResult(
        document, [cell(line) for line in json.dumps(document, indent=2, ensure_ascii=False).splitlines()]
    )


def store_settings(services: "Services", name: str, old: Settings, new: Settings) -> CommandResult:
    """Stores the settings, and says what that changed and what looks odd about it."""
    from hris_pipeline.operations.settings import change_settings  # noqa: PLC0415 - only changes are checked

    with deciding(services, name, "change_settings"):
        change = change_settings(services, name, new, actor())
    changed = differences(old, new)
    payload = {
        "integration": name,
        "version": change.version,
        "digest": new.digest(),
        "changes": _difference_documents(changed),
        "warnings": [str(warning) for warning in change.warnings],
    }
    if change.renamed:
        payload["users_renamed"] = change.renamed
    line = f"{name} is at version {change.version}." if changed else f"{name} stays at version {change.version}."
    warnings = [cell(f"Warning: {warning}", "yellow") for warning in change.warnings]
    moved = f"The stored value of {plural(change.renamed, 'user')} moved to the new name."
    renamed = [cell(moved)] if change.renamed else []
    return CommandResult(payload, [cell(line, "bold"), *_render_differences(changed), *renamed, *warnings])


def _in_force(services: "Services", name: str) -> tuple[int, Settings, str]:
    from hris_pipeline.store.integrations import current_settings  # noqa: PLC0415

    with services.store.read() as connection:
        version = current_settings(connection, name)
    return version.version, version.settings, version.digest


def _present_text(path: str) -> str:
    """What the file holds now; empty where it is none yet, or no text."""
    target = Path(path).expanduser()
    try:
        return read_text(str(target)) if target.is_file() else ""
    except UsageError:
        return ""


def _without_secrets(settings: Settings) -> Settings:
    entries = [entry.model_copy(update={"to": f"{entry.to.partition('://')[0]}://…"}) for entry in settings.notify]
    return settings.model_copy(update={"notify": tuple(entries)})


def _yaml_lines(yaml: str) -> Iterable[RenderableType]:
    return [cell(line) for line in yaml.splitlines()]


def _difference_documents(changed: Iterable[Difference]) -> list[dict[str, Any]]:
    return [difference._asdict() for difference in changed]


def _render_differences(changed: Iterable[Difference]) -> list[RenderableType]:
    lines = [(difference.key, difference.old or "–", "→", difference.new or "–") for difference in changed]
    return [table(("setting", "before", "", "now"), lines)] if lines else []


Target = Annotated[str, typer.Argument(help="A user field, or the display name of metadata.", show_default=False)]

Source = Annotated[str, typer.Argument(help="An employee column, or custom:Label.", show_default=False)]

Display = Annotated[str, typer.Argument(metavar="DISPLAY_NAME", help="The metadata's name.", show_default=False)]

LONGEST_SAMPLE = 12

Type = Annotated[str, typer.Option("--type", metavar="default|associated|hidden", help="What kind of metadata.")]


def show_mapping(name: IntegrationArgument, reveal: Reveal = False) -> CommandResult:
    """From the latest extract, custom fields included: how many people have each field, the first value that anybody
    has (masked unless `--reveal` is given), and the user fields and metadata (`#Name`) it feeds.
    """
    from hris_pipeline.operations.members import read_mapping  # noqa: PLC0415 - reads frames
    from hris_pipeline.operations.review_rows import mask  # noqa: PLC0415

    with open_services() as services:
        fields = read_mapping(services, name)
    rows = [{**vars(field), "sample": field.sample if reveal else mask(field.sample)} for field in fields]
    lines = [
        (
            field.source,
            _further_title(field),
            field.filled,
            row["sample"] if reveal else _shorten_sample(row["sample"]),
            ", ".join(field.feeds),
        )
        for field, row in zip(fields, rows, strict=True)
    ]
    grid = table(("source", "title", ">filled", "sample", "feeds"), lines)
    return CommandResult({"integration": name, "fields": rows}, [grid])


def _further_title(field: "SourceField") -> str:
    """The source's title, where it says more than its name."""
    folded_source = field.source.rpartition(":")[2].replace("_", "").replace(" ", "").casefold()
    return "" if field.title.replace(" ", "").casefold() == folded_source else field.title


def _shorten_sample(sample: str | None) -> str:
    """So much of a masked sample that a narrow terminal has room for."""
    text = sample or ""
    return text if len(text) <= LONGEST_SAMPLE else f"{text[: LONGEST_SAMPLE - 1]}…"


def set_mapping(name: IntegrationArgument, target: Target, source: Source) -> CommandResult:
    """For example `hris mapping set acme employee_id hris_id`, or `hris mapping set acme Buddy "custom:Buddy"`."""
    return _store_edit(name, lambda settings: edits.set_source(settings, target, source))


def add(name: IntegrationArgument, display_name: Display, source: Source, type_: Type = "default") -> CommandResult:
    """default: shown everywhere; associated: the EmployeeId of a further supervisor; hidden: stored, never shown."""
    return _store_edit(
        name, lambda settings: edits.add_metadata(settings, display_name, source, _parse_metadata_type(type_))
    )


def rename(
    name: IntegrationArgument,
    display_name: Display,
    new_name: Annotated[str, typer.Argument(help="What it is called from now on.", show_default=False)],
) -> CommandResult:
    """Values that are stored under the old name move to the new one at once; an import has nothing to write for that.
    `--json` tells them apart: `users_renamed`, whose stored value moved, and `users_touched`, whom an import writes
    otherwise than without the change.
    """
    return _store_edit(name, lambda settings: edits.rename_metadata(settings, display_name, new_name))


def change_type(
    name: IntegrationArgument,
    display_name: Display,
    type_: Annotated[str, typer.Argument(metavar="default|associated|hidden", show_default=False)],
) -> CommandResult:
    """default: shown everywhere; associated: the EmployeeId of a further supervisor; hidden: stored, never shown."""
    return _store_edit(
        name, lambda settings: edits.change_metadata_type(settings, display_name, _parse_metadata_type(type_))
    )


def delete(name: IntegrationArgument, display_name: Display) -> CommandResult:
    """Imports no longer write it; what is stored stays."""
    return _store_edit(name, lambda settings: edits.delete_metadata(settings, display_name))


def _parse_metadata_type(text: str) -> MetadataType:
    kinds: dict[str, MetadataType] = {"default": "default", "associated": "associated", "hidden": "hidden"}
    if text not in kinds:
        raise UsageError(f"There is no type {text[:40]!r} of metadata: use {', '.join(kinds)}.")
    return kinds[text]


def _store_edit(name: str, edit: Callable[[Settings], Settings]) -> CommandResult:
    from hris_pipeline.store.integrations import current_settings  # noqa: PLC0415 - the store takes long to load

    with open_services() as services:
        with services.store.read() as connection:
            old = current_settings(connection, name).settings
        new = edit(old)
        touched = _count_touched_users(services, name, new) if new != old else 0
        result = store_settings(services, name, old, new)
    line = (
        "The next preview shows what it changes."
        if touched is None
        else f"An import now would write {plural(touched, 'user')} otherwise than without this change."
    )
    next_line = f"Nothing is applied yet: hris preview {name}"
    payload = {"users_renamed": 0, **result.payload, "users_touched": touched}
    return CommandResult(payload, [*result.renderables, cell(line), cell(next_line, "bold")])


def _count_touched_users(services: "Services", name: str, new: Settings) -> int | None:
    """How many users an import of the latest extract would write otherwise under the new settings than under those in
    force; None when only reading again can say."""
    from hris_pipeline.operations.planning import what_if  # noqa: PLC0415 - reads frames

    try:
        with progress("Comparing"):
            return what_if(services, name, settings=new).touched
    except (UnknownName, UsageError):
        return None
