"""What the settings are, for editors, the command line and the reference page; all made from the model."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from hris_pipeline.settings.document import GuardLimits, MetadataField, Notify, Settings
from hris_pipeline.settings.fields import EMPLOYEE_FIELDS, USER_FIELDS
from hris_pipeline.settings.values import COMPARISON, OPERATORS, Condition, Rule

__all__ = ["SettingRow", "setting_rows", "settings_page", "settings_schema"]

_JSON_SCHEMA = "https://json-schema.org/draft/2020-12/schema"


class SettingRow(NamedTuple):
    """One setting as people read it: its dotted name, what it takes, its default (blank: needed), its meaning."""

    name: str
    values: str
    default: str
    meaning: str


def settings_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the settings document, for completion and checks in editors."""
    schema = Settings.model_json_schema(schema_generator=_Schema)
    return {"$schema": _JSON_SCHEMA, **schema, "title": "Settings of one integration"}


def setting_rows(part: type[BaseModel] = Settings) -> tuple[SettingRow, ...]:
    """Every setting of a part of the document (the whole by default) in order; a part inside it with its own keys."""
    return tuple(_walk_fields(part, ""))


def settings_page() -> str:
    """The reference page in Markdown."""
    rows = setting_rows()
    guards = {f"guards.{row.name}" for row in setting_rows(GuardLimits)}
    columns = ("Key", "Values", "Default", "Meaning")
    sections = (
        _HEAD,
        _render_table(columns, [row for row in rows if row.name not in guards]),
        _GUARDS,
        _render_table(columns, [row for row in rows if row.name in guards]),
        "## Metadata\n\nOne entry of `metadata`.",
        _render_table(columns, setting_rows(MetadataField)),
        "## Rules\n\nOne entry of `do_not_import`; the first rule that matches gives the reason.",
        _render_table(columns, setting_rows(Rule)),
        "### Conditions\n\nOne entry of `all` or `any`.",
        _render_table(columns, setting_rows(Condition)),
        "### Operators\n\nThe value each one takes, by kind of field; a blank cell: it cannot be asked.",
        _render_table(
            ("Operator", *_KINDS), [(name, *(by.get(kind, "") for kind in _KINDS)) for name, by in _OPERATORS]
        ),
        "\n".join(f"- {line}" for line in COMPARISON),
        "## Notifications\n\nOne entry of `notify`.",
        _render_table(columns, setting_rows(Notify)),
        "## User fields\n\nWhat `mapping` can feed, and from what it is fed otherwise.",
        _render_table(
            ("Key", "Title", "Kind", "Default source"), [(f.name, f.title, f.kind, f.source) for f in USER_FIELDS]
        ),
        "## Employee columns\n\nWhat `mapping`, `metadata` and rules can read, besides `custom:Label`.",
        _render_table(("Key", "Title", "Kind", "Meaning"), list(_column_cells())),
    )
    return "\n\n".join(sections) + "\n"


_KINDS = ("text", "date", "flag", "custom")
_OPERATORS: tuple[tuple[str, Mapping[Any, str]], ...] = tuple(OPERATORS.items())

_HEAD = """\
# Settings

Every setting of an integration, in one YAML document. An empty document is valid; unknown keys are refused. Lists
replace their default as a whole. `on` and `off` are the words for `true` and `false`. Ids and times of day are text:
put them in quotes. This page is made from the code.

A stored version is known by the digest of its document: what was changed in the store, and not through `hris` or the
console, is refused wherever settings are read, and `hris settings apply` replaces it. Rules and custom fields are tried
on what was read when the company was connected (`hris mapping show`), and on each extract.

With `hris settings set NAME key=value`, keys are dotted (`guards.archive_limit.percent=20`), a text is taken as
written, anything else is YAML, and an empty value puts the default back."""

_GUARDS = """\
## Guards

A percentage counts only from `min_people` on. The guard `incomplete_extract` has no limit: an incomplete extract always
holds its change set. 100 as a percentage never trips where a share must be above it."""


class _Schema(GenerateJsonSchema):
    """Without the titles that only repeat names."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False


def _walk_fields(part: type[BaseModel], prefix: str) -> Iterator[SettingRow]:
    properties = part.model_json_schema(schema_generator=_Schema)["properties"]
    for name, field in part.model_fields.items():
        inner = field.annotation
        meaning = field.description or ""
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield SettingRow(f"{prefix}{name}", "keys below", "", meaning)
            yield from _walk_fields(inner, f"{prefix}{name}.")
        else:
            default = "" if field.is_required() else _describe_default(properties[name].get("default"))
            yield SettingRow(f"{prefix}{name}", _describe_values(properties[name]), default, meaning)


def _describe_values(schema: Mapping[str, Any]) -> str:
    named = schema.get("title") or schema.get("$ref", "").rpartition("/")[2]
    if named:
        return str(named)
    if "enum" in schema:
        return ", ".join(schema["enum"])
    if "anyOf" in schema:
        return _describe_values(schema["anyOf"][0]) if len(schema["anyOf"]) == 2 else "see operators"
    if schema["type"] == "array":
        return f"list of {_describe_values(schema['items'])}"
    if schema["type"] == "object":
        return "user field: source"
    return f"{schema['minimum']} to {schema['maximum']}" if "maximum" in schema else f"{schema['minimum']} or more"


def _describe_default(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return ", ".join(item["name"] if isinstance(item, dict) else item for item in value) or "none"
    return f"{value:g}" if isinstance(value, int | float) else str(value or "none")


def _column_cells() -> Iterator[Sequence[str]]:
    for field in EMPLOYEE_FIELDS:
        if field.kind != "custom":
            without = "".join(f" Not available with source: {source}." for source in field.missing_in)
            yield field.name, field.title, field.kind, f"{field.description}{without}"


def _render_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *((f"`{name}`", *cells) for name, *cells in rows)]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)
