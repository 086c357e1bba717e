"""The settings of an integration: every one with its meaning and its default, made from the one table of settings;
nothing is stored before a page has shown what differs and what an import would then do."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from starlette.responses import Response

from hris_pipeline.console.visit import Page, Visit
from hris_pipeline.contract import COUNTS
from hris_pipeline.errors import HrisError, SettingsInvalid, UnknownName, UsageError
from hris_pipeline.operations.connection import delete_integration, disconnect
from hris_pipeline.operations.planning import what_if
from hris_pipeline.operations.settings import change_settings, read_settings
from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.loading import differences, dump_settings, set_values
from hris_pipeline.settings.schema import setting_rows
from hris_pipeline.settings.text import plural
from hris_pipeline.settings.validating import to_yaml
from hris_pipeline.store.integrations import Integration, get_integration, settings_history

__all__ = ["PAGES", "Control", "changes_between", "check", "controls"]

GENERAL = ("display_name", "frequency", "at", "weekday", "day_of_month", "time_zone", "start_automatic_imports")
ELSEWHERE = frozenset({"mapping", "metadata"})
"""What has a page of its own."""

EXAMPLES: Mapping[str, str] = {
    "do_not_import": "- {name: Interns, all: [{field: job_title, operator: equals, value: Intern}]}",
    "do_not_archive": "0016, 0020",
    "exclude_fields": "phone_number, JobTitle",
    "notify": "json://hooks.example.com/path",
}
"""How a list is written. Ids, names and addresses stand one a line, all but addresses also with commas between."""

LISTED = frozenset({"do_not_archive", "exclude_fields", "notify"})
"""Lists whose entries are plain words; they are taken as YAML as well."""

SECRET = frozenset({"notify"})
"""Values that hold secrets: never shown, replaced as a whole."""


@dataclass(frozen=True)
class Control:
    """One setting as a form asks for it. ``kind`` is choice, text, lines or yaml; the last two are lists, with
    an example."""

    key: str
    kind: str
    value: str
    meaning: str
    default: str
    values: str
    options: tuple[tuple[str, str], ...] = ()
    example: str = ""

    @property
    def title(self) -> str:
        """Its name in words."""
        return self.key.replace("_", " ").replace(".", ": ")


def controls(settings: Settings) -> list[Control]:
    """Every setting, a guard's limits each for itself, in the order of the table of settings."""
    rows = {row.name: row for row in setting_rows()}
    document = settings.document()
    choices = []
    for key, model_field in _leaf_fields(Settings):
        setting = key.partition(".")[0]
        if setting in ELSEWHERE:
            continue
        row, value = rows[key], _value_at_key(document, key)
        options = _choice_options(model_field.annotation)
        kind = "choice" if options else _list_kind(key) if isinstance(value, list | dict) else "text"
        words = "" if setting in SECRET else _join_entries(value) if key in LISTED else _render_value(value)
        example = EXAMPLES.get(key, "")
        choices.append(Control(key, kind, words, row.meaning, row.default, row.values, options, example))
    return choices


def _leaf_fields(model: type[BaseModel], prefix: str = "") -> list[tuple[str, Any]]:
    leaves: list[tuple[str, Any]] = []
    for name, model_field in model.model_fields.items():
        annotation = model_field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            leaves += _leaf_fields(annotation, f"{prefix}{name}.")
        else:
            leaves.append((f"{prefix}{name}", model_field))
    return leaves


def _value_at_key(document: Mapping[str, Any], key: str) -> Any:
    value: Any = document
    for part in key.split("."):
        value = value[part]
    return value


def _choice_options(annotation: Any) -> tuple[tuple[str, str], ...]:
    if annotation is bool:
        return (("on", "on"), ("off", "off"))
    if get_origin(annotation) is not None and all(isinstance(value, str) for value in get_args(annotation)):
        return tuple((value, value.replace("_", " ")) for value in get_args(annotation))
    return ()


def _render_value(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list | dict):
        return to_yaml(value).strip() if value else ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _list_kind(key: str) -> str:
    return "lines" if key in LISTED else "yaml"


def _join_entries(entries: Sequence[str]) -> str:
    """A list written one entry a line; as YAML where these lines would not be read back as the same list."""
    text = "\n".join(entries)
    return text if _split_entries(text, commas=True) == list(entries) else to_yaml(list(entries)).strip()


def _split_entries(text: str, *, commas: bool) -> list[str] | None:
    """The entries of a list that is written one a line, or with commas between; None when it is written as YAML."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if any(line[0] in "[{" or line == "-" or line.startswith("- ") for line in lines):
        return None
    parts = [part.strip() for line in lines for part in (_SEPARATED.findall(line) if commas else [line])]
    return [entry for part in parts if (entry := _strip_quotes(part))]


_SEPARATED = re.compile(r"""\s*("[^"]*"|'[^']*'|[^,]+)\s*(?:,|$)""")
"""What stands between commas; a comma between quotes parts nothing."""


def _strip_quotes(entry: str) -> str:
    """Without the quotes that YAML would want around it."""
    is_quoted = len(entry) > 1 and entry[0] == entry[-1] and entry[0] in "'\""
    return entry[1:-1].strip() if is_quoted else entry


def _sent_value(key: str, text: str) -> str:
    """What a field of the form says, as a setting's value is written."""
    if key in SECRET and text == "nobody":
        return "[]"
    entries = _split_entries(text, commas=key not in SECRET) if key in LISTED and text else None
    if entries is None:
        return text
    return json.dumps([{"to": entry} for entry in entries] if key in SECRET else entries, ensure_ascii=False)


def show(visit: Visit) -> Response:
    """The form."""
    return _settings_form(visit, read_settings(visit.services, visit.name).settings, {})


def _settings_form(visit: Visit, settings: Settings, entries: Mapping[str, str]) -> Response:
    fields, integration = controls(settings), _read_integration(visit)
    return visit.page(
        "settings.html",
        place="settings",
        general=[control for control in fields if control.key in GENERAL],
        advanced=[control for control in fields if control.key not in GENERAL],
        entries=entries,
        version=read_settings(visit.services, visit.name),
        notified=len(settings.notify),
        connection=integration.connection,
        automatic=integration.automatic,
    )


def _read_integration(visit: Visit) -> Integration:
    with visit.services.store.read() as connection:
        return get_integration(connection, visit.name)


def review_changes(visit: Visit) -> Response:
    """What the sent form changes, before it is stored."""
    current = read_settings(visit.services, visit.name).settings
    sent = {control.key: visit.text(control.key) for control in controls(current) if control.key in visit.form}
    if visit.text("again"):
        return _settings_form(visit, current, sent)
    unchanged = {control.key: control.value for control in controls(current)}
    assignments = [
        f"{key}={_sent_value(key, value)}"
        for key, value in sent.items()
        if " ".join(value.split()) != " ".join(unchanged[key].split())
    ]
    try:
        new = set_values(current, assignments)
    except SettingsInvalid as error:
        for problem in error.problems:
            field = _field_of(problem.where, sent)
            visit.problems[field] = _problem_words(field, problem.message)
        return _settings_form(visit, current, sent)
    return check(visit, current, new, back="settings", store="settings/store")


def _problem_words(field: str, message: str) -> str:
    """A problem with the name of its setting, and for a list with how it is written."""
    title = Control(field, "", "", "", "", "").title.capitalize()
    example = f" For example: {EXAMPLES[field]}" if field in EXAMPLES else ""
    end = "" if message.endswith("?") else "."
    return f"{title}: {message.removesuffix('.')}{end}{example}" if field else message


def _field_of(path: str, sent: Mapping[str, str]) -> str:
    """The field of the form that a problem is about: the longest key that its place begins with."""
    place = path.replace("[", ".")
    matching = [key for key in sent if place == key or place.startswith(f"{key}.")]
    return max(matching, key=len, default="")


def check(visit: Visit, current: Settings, new: Settings, *, back: str, store: str) -> Response:
    """The page before storing: what differs, and what an import of the latest extract would do."""
    changes = changes_between(current, new)
    if not changes:
        return visit.go(f"/i/{visit.name}/{back}", "Nothing differs: the settings stay as they are.")
    comparison, why_not = None, ""
    try:
        comparison = what_if(visit.services, visit.name, changes=changes)
    except UnknownName:
        why_not = "Nothing was read from the source yet, so nobody can say what an import would then do."
    except HrisError as error:
        why_not = str(error)
    return visit.page(
        "check_settings.html",
        place=back,
        differences=differences(current, new),
        changes=changes,
        comparison=comparison,
        why_not=why_not,
        counts=COUNTS,
        version=read_settings(visit.services, visit.name).version,
        back=back,
        store=store,
        sent=[(key, value) for key, value in visit.form.multi_items() if key not in ("csrf", "again")],
    )


def changes_between(current: Settings, new: Settings) -> list[str]:
    """The settings that differ, as ``key=value``."""
    before, after = current.document(), new.document()
    return [f"{key}={_assigned_text(after[key])}" for key in after if before[key] != after[key]]


def _assigned_text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def store_changes(visit: Visit) -> Response:
    """Stores what the page before showed."""
    return _store(visit, "change_settings", back="settings", allowed=None)


def store_mapping(visit: Visit) -> Response:
    """``store_changes``, for the mapping."""
    return _store(visit, "change_mapping", back="mapping", allowed=("mapping", "metadata", "exclude_fields"))


def _store(visit: Visit, action: str, *, back: str, allowed: Sequence[str] | None) -> Response:
    in_force = read_settings(visit.services, visit.name)
    if visit.text("version") != str(in_force.version):
        raise UsageError(
            f"Somebody stored other settings of {visit.name} meanwhile: look at them and change them again."
        )
    changes = visit.texts("change")
    if allowed is not None and any(change.partition("=")[0] not in allowed for change in changes):
        raise UsageError("This page changes the mapping alone.")
    new = set_values(in_force.settings, changes)
    with visit.deciding(action):
        change = change_settings(visit.services, visit.name, new, visit.actor)
    warned = "".join(f" Mind: {warning}." for warning in change.warnings)
    if change.renamed:
        warned = f" The stored value of {plural(change.renamed, 'user')} moved to the new name.{warned}"
    return visit.go(
        f"/i/{visit.name}/{back}", f"Stored as version {change.version}.{warned} The next import follows it."
    )


def versions(visit: Visit) -> Response:
    """Every version with what it changed."""
    with visit.services.store.read() as connection:
        history = settings_history(connection, visit.name)
    before = [*(version.settings for version in history[1:]), Settings()]
    compared = [(version, differences(old, version.settings)) for version, old in zip(history, before, strict=True)]
    return visit.page("versions.html", place="settings", versions=compared)


def export(visit: Visit) -> Response:
    """The settings as YAML, for version control; notification addresses stay here."""
    settings = read_settings(visit.services, visit.name).settings.model_copy(update={"notify": ()})
    headers = {"content-disposition": f'attachment; filename="{visit.name}-settings.yaml"'}
    return Response(dump_settings(settings), media_type="application/yaml", headers=headers)


def end_connection(visit: Visit) -> Response:
    """Revokes the token at the source and forgets it, once that was confirmed."""
    if visit.text("sure") != "yes":
        visit.problems["sure"] = "Confirm that imports are to stop reading the source."
        return show(visit)
    with visit.deciding("disconnect"):
        revoked = disconnect(visit.services, visit.name)
    words = (
        "Disconnected." if revoked else "Disconnected here. The source did not confirm: remove the access there, too."
    )
    return visit.go(f"/i/{visit.name}", words)


def delete(visit: Visit) -> Response:
    """Ends the integration, its name typed."""
    if visit.text("confirm") != visit.name:
        visit.problems["confirm"] = f"Type {visit.name} to delete it."
        return show(visit)
    from hris_pipeline.cli.jobs import forget_partition, frames_remover  # noqa: PLC0415 - others need no Dagster

    environment = visit.services.environment
    with visit.deciding("delete"):
        users = delete_integration(visit.services, visit.name, visit.name, remove_frames=frames_remover(environment))
        forget_partition(environment, visit.name)
    return visit.go("/", f"{visit.name} is deleted. Its {plural(users, 'user')} stay, as local ones.")


PAGES = (
    Page("/i/{name}/settings", "see", show),
    Page("/i/{name}/settings", "change_settings", review_changes, "POST"),
    Page("/i/{name}/settings/store", "change_settings", store_changes, "POST"),
    Page("/i/{name}/mapping/store", "change_mapping", store_mapping, "POST"),
    Page("/i/{name}/settings/versions", "see", versions),
    Page("/i/{name}/settings/export", "change_settings", export),
    Page("/i/{name}/settings/disconnect", "connect", end_connection, "POST"),
    Page("/i/{name}/settings/delete", "delete", delete, "POST"),
)
