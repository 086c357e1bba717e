"""The settings of an integration: seen, changed one by one, applied and exported as YAML."""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import RenderableType

from hris_pipeline.cli.common import IntegrationArgument, actor, open_services, read_text, write_private
from hris_pipeline.cli.printing import CommandResult, cell, moment, table
from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.loading import Difference, differences, dump_settings, load_settings, set_values
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
    shown = _without_secrets(settings)
    told = {"integration": name, "version": version, "digest": digest, "settings": shown.document()}
    yaml = dump_settings(shown, defaults=defaults)
    return CommandResult(told, [cell(f"# {name}, version {version}", "dim"), *_lines(yaml)])


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
    wanted = load_settings(read_text(file))
    with open_services() as services:
        _, settings, _ = _in_force(services, name)
        return store_settings(services, name, settings, wanted)


def export(
    name: IntegrationArgument,
    output: Annotated[str | None, typer.Option("--output", "-o", help="A file, readable by you alone.")] = None,
    defaults: Annotated[bool, typer.Option("--all", help="Also the settings that are at their default.")] = False,
) -> CommandResult:
    """What `hris settings apply` reads back; notification addresses are written out whole."""
    with open_services() as services:
        version, settings, digest = _in_force(services, name)
    yaml = dump_settings(settings, defaults=defaults)
    told = {"integration": name, "version": version, "digest": digest, "settings": settings.document()}
    if output is None:
        return CommandResult(told, list(_lines(yaml)))
    target = write_private(output, yaml.encode())
    return CommandResult({**told, "file": str(target)}, [cell(f"Version {version} is in {target}.")])


def history(name: IntegrationArgument) -> CommandResult:
    """The newest version first, each with what it changed."""
    from hris_pipeline.store.settings_versions import settings_history  # noqa: PLC0415

    with open_services() as services, services.store.read() as connection:
        versions = settings_history(connection, name)
    before = [*(one.settings for one in versions[1:]), Settings()]
    changed = [differences(old, one.settings) for one, old in zip(versions, before, strict=True)]
    told = [
        {
            "version": one.version,
            "created_at": one.created_at,
            "actor": one.actor,
            "digest": one.digest,
            "changes": _told(lines),
        }
        for one, lines in zip(versions, changed, strict=True)
    ]
    shown: list[RenderableType] = []
    for one, lines in zip(versions, changed, strict=True):
        shown += [cell(f"version {one.version}, {moment(one.created_at)}, {one.actor}", "bold"), *_changes(lines), ""]
    return CommandResult({"integration": name, "versions": told}, shown)


def schema() -> CommandResult:
    """For completion and checks while editing: put it into a file and name that file in your editor."""
    document = settings_schema()
    return CommandResult(
        document, [cell(line) for line in json.dumps(document, indent=2, ensure_ascii=False).splitlines()]
    )


def store_settings(services: "Services", name: str, old: Settings, new: Settings) -> CommandResult:
    """Stores the settings, and says what that changed and what looks odd about it."""
    from hris_pipeline.operations.settings import change_settings  # noqa: PLC0415 - only changes are checked

    change = change_settings(services, name, new, actor())
    changed = differences(old, new)
    told = {
        "integration": name,
        "version": change.version,
        "digest": new.digest(),
        "changes": _told(changed),
        "warnings": [str(warning) for warning in change.warnings],
    }
    line = f"{name} is at version {change.version}." if changed else f"{name} stays at version {change.version}."
    warnings = [cell(f"Warning: {warning}", "yellow") for warning in change.warnings]
    return CommandResult(told, [cell(line, "bold"), *_changes(changed), *warnings])


def _in_force(services: "Services", name: str) -> tuple[int, Settings, str]:
    from hris_pipeline.store.settings_versions import current_settings  # noqa: PLC0415

    with services.store.read() as connection:
        found = current_settings(connection, name)
    return found.version, found.settings, found.digest


def _without_secrets(settings: Settings) -> Settings:
    hidden = [entry.model_copy(update={"to": f"{entry.to.partition('://')[0]}://…"}) for entry in settings.notify]
    return settings.model_copy(update={"notify": tuple(hidden)})


def _lines(yaml: str) -> Iterable[RenderableType]:
    return [cell(line) for line in yaml.splitlines()]


def _told(changed: Iterable[Difference]) -> list[dict[str, Any]]:
    return [one._asdict() for one in changed]


def _changes(changed: Iterable[Difference]) -> list[RenderableType]:
    lines = [(one.key, one.old or "–", "→", one.new or "–") for one in changed]
    return [table(("setting", "before", "", "now"), lines)] if lines else []
