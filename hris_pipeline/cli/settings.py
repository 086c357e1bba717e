"""The settings of an integration: seen, changed one by one, applied and exported as YAML."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import RenderableType

from hris_pipeline.cli.common import IntegrationArgument, actor, deciding, open_services, read_text, write_private
from hris_pipeline.cli.printing import CommandResult, cell, moment, table
from hris_pipeline.errors import UsageError
from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.loading import Difference, differences, dump_settings, load_settings, set_values
from hris_pipeline.settings.rewriting import rewrite_settings
from hris_pipeline.settings.schema import settings_schema

if TYPE_CHECKING:
    from hris_pipeline.operations.services import Services

__all__ = ["apply", "export", "history", "schema", "set_", "show", "store_settings"]


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
    return CommandResult(payload, [cell(f"# {name}, version {version}", "dim"), *_lines(yaml)])


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
    with open_services() as services:
        _, settings, _ = _in_force(services, name)
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
        return CommandResult(payload, list(_lines(dump_settings(settings, defaults=defaults))))
    text = rewrite_settings(_standing_text(output), settings, defaults=defaults)
    target = write_private(output, text.encode())
    return CommandResult({**payload, "file": str(target)}, [cell(f"Version {version} is in {target}.")])


def history(name: IntegrationArgument) -> CommandResult:
    """The newest version first, each with what it changed."""
    from hris_pipeline.store.settings_versions import settings_history  # noqa: PLC0415

    with open_services() as services, services.store.read() as connection:
        versions = settings_history(connection, name)
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
            cell(f"version {version.version}, {moment(version.created_at)}, {version.actor}", "bold"),
            *_changes(lines),
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
    line = f"{name} is at version {change.version}." if changed else f"{name} stays at version {change.version}."
    warnings = [cell(f"Warning: {warning}", "yellow") for warning in change.warnings]
    return CommandResult(payload, [cell(line, "bold"), *_changes(changed), *warnings])


def _in_force(services: "Services", name: str) -> tuple[int, Settings, str]:
    from hris_pipeline.store.settings_versions import current_settings  # noqa: PLC0415

    with services.store.read() as connection:
        version = current_settings(connection, name)
    return version.version, version.settings, version.digest


def _standing_text(path: str) -> str:
    """What the file holds now; empty where it is none yet, or no text."""
    target = Path(path).expanduser()
    try:
        return read_text(str(target)) if target.is_file() else ""
    except UsageError:
        return ""


def _without_secrets(settings: Settings) -> Settings:
    entries = [entry.model_copy(update={"to": f"{entry.to.partition('://')[0]}://…"}) for entry in settings.notify]
    return settings.model_copy(update={"notify": tuple(entries)})


def _lines(yaml: str) -> Iterable[RenderableType]:
    return [cell(line) for line in yaml.splitlines()]


def _difference_documents(changed: Iterable[Difference]) -> list[dict[str, Any]]:
    return [difference._asdict() for difference in changed]


def _changes(changed: Iterable[Difference]) -> list[RenderableType]:
    lines = [(difference.key, difference.old or "–", "→", difference.new or "–") for difference in changed]
    return [table(("setting", "before", "", "now"), lines)] if lines else []
