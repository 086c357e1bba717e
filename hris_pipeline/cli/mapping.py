"""The mapping: which source field feeds which user field or metadata."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from hris_pipeline.cli.common import IntegrationArgument, Reveal, open_services
from hris_pipeline.cli.printing import CommandResult, cell, progress, table
from hris_pipeline.cli.settings import store_settings
from hris_pipeline.errors import UnknownName, UsageError
from hris_pipeline.settings import mapping as edits
from hris_pipeline.settings.document import MetadataType, Settings

if TYPE_CHECKING:
    from hris_pipeline.operations.mapping import SourceField
    from hris_pipeline.operations.services import Services

__all__ = ["add", "change_type", "delete", "rename", "set_", "show"]

Target = Annotated[str, typer.Argument(help="A user field, or the display name of metadata.", show_default=False)]
Source = Annotated[str, typer.Argument(help="An employee column, or custom:Label.", show_default=False)]
Display = Annotated[str, typer.Argument(metavar="DISPLAY_NAME", help="The metadata's name.", show_default=False)]
LONGEST_SAMPLE = 12

Type = Annotated[str, typer.Option("--type", metavar="default|associated|hidden", help="What kind of metadata.")]


def show(name: IntegrationArgument, reveal: Reveal = False) -> CommandResult:
    """From the latest extract, custom fields included: how many people have each field, the first value that anybody
    has (masked unless `--reveal` is given), and the user fields and metadata (`#Name`) it feeds.
    """
    from hris_pipeline.operations.mapping import mapping_view  # noqa: PLC0415 - reads frames
    from hris_pipeline.operations.masking import mask  # noqa: PLC0415

    with open_services() as services:
        fields = mapping_view(services, name)
    rows = [{**vars(field), "sample": field.sample if reveal else mask(field.sample)} for field in fields]
    lines = [
        (
            field.source,
            _further_title(field),
            field.filled,
            row["sample"] if reveal else _shortened(row["sample"]),
            ", ".join(field.feeds),
        )
        for field, row in zip(fields, rows, strict=True)
    ]
    grid = table(("source", "title", ">filled", "sample", "feeds"), lines)
    return CommandResult({"integration": name, "fields": rows}, [grid])


def _further_title(field: "SourceField") -> str:
    """The source's title, where it says more than its name."""
    plain = field.source.rpartition(":")[2].replace("_", "").replace(" ", "").casefold()
    return "" if field.title.replace(" ", "").casefold() == plain else field.title


def _shortened(sample: str | None) -> str:
    """So much of a masked sample that a narrow terminal has room for."""
    text = sample or ""
    return text if len(text) <= LONGEST_SAMPLE else f"{text[: LONGEST_SAMPLE - 1]}…"


def set_(name: IntegrationArgument, target: Target, source: Source) -> CommandResult:
    """For example `hris mapping set acme employee_id hris_id`, or `hris mapping set acme Buddy "custom:Buddy"`."""
    return _changed(name, lambda settings: edits.set_source(settings, target, source))


def add(name: IntegrationArgument, display_name: Display, source: Source, type_: Type = "default") -> CommandResult:
    """default: shown everywhere; associated: the EmployeeId of a further supervisor; hidden: stored, never shown."""
    return _changed(name, lambda settings: edits.add_metadata(settings, display_name, source, _kind(type_)))


def rename(
    name: IntegrationArgument,
    display_name: Display,
    new_name: Annotated[str, typer.Argument(help="What it is called from now on.", show_default=False)],
) -> CommandResult:
    """Values that are stored under the old name move to the new one."""
    return _changed(name, lambda settings: edits.rename_metadata(settings, display_name, new_name))


def change_type(
    name: IntegrationArgument,
    display_name: Display,
    type_: Annotated[str, typer.Argument(metavar="default|associated|hidden", show_default=False)],
) -> CommandResult:
    """default: shown everywhere; associated: the EmployeeId of a further supervisor; hidden: stored, never shown."""
    return _changed(name, lambda settings: edits.change_metadata_type(settings, display_name, _kind(type_)))


def delete(name: IntegrationArgument, display_name: Display) -> CommandResult:
    """Imports no longer write it; what is stored stays."""
    return _changed(name, lambda settings: edits.delete_metadata(settings, display_name))


def _kind(text: str) -> MetadataType:
    kinds: dict[str, MetadataType] = {"default": "default", "associated": "associated", "hidden": "hidden"}
    if text not in kinds:
        raise UsageError(f"There is no type {text[:40]!r} of metadata: use {', '.join(kinds)}.")
    return kinds[text]


def _changed(name: str, edit: Callable[[Settings], Settings]) -> CommandResult:
    from hris_pipeline.store.settings_versions import current_settings  # noqa: PLC0415 - the store takes long to load

    with open_services() as services:
        with services.store.read() as connection:
            old = current_settings(connection, name).settings
        new = edit(old)
        touched = _touched(services, name, new) if new != old else 0
        result = store_settings(services, name, old, new)
    line = (
        "The next preview shows what it changes." if touched is None else f"An import now would write {touched} users."
    )
    next_line = f"Nothing is applied yet: hris preview {name}"
    return CommandResult(
        {**result.payload, "users_touched": touched}, [*result.renderables, cell(line), cell(next_line, "bold")]
    )


def _touched(services: "Services", name: str, new: Settings) -> int | None:
    """How many users an import of the latest extract would write; None when only reading again can say."""
    from hris_pipeline.operations.what_if import what_if  # noqa: PLC0415 - reads frames

    try:
        with progress("Comparing"):
            plan = what_if(services, name, settings=new).then
    except (UnknownName, UsageError):
        return None
    return len(plan.rows)
