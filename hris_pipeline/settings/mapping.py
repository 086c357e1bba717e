"""What feeds what: the mapping and metadata in force, and the edits people make to them."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from hris_pipeline.errors import UnknownName, UsageError
from hris_pipeline.settings.document import MetadataField, MetadataType, Settings
from hris_pipeline.settings.fields import USER_FIELD_NAMES, USER_FIELDS, sources_without
from hris_pipeline.settings.text import clean_value, nearest_or_all
from hris_pipeline.settings.validating import settings_from
from hris_pipeline.settings.values import custom_label

__all__ = [
    "CompanyLike",
    "CustomFieldLike",
    "add_metadata",
    "change_metadata_type",
    "column_lineage",
    "custom_labels",
    "delete_metadata",
    "effective_mapping",
    "effective_metadata",
    "metadata_renames",
    "needs_custom_fields",
    "rename_metadata",
    "set_source",
]


class CustomFieldLike(Protocol):
    """The definition of a custom field: the id its values are keyed by, the label people know it by."""

    @property
    def id(self) -> str: ...

    @property
    def label(self) -> str: ...


class CompanyLike(Protocol):
    """A company, as far as mapping needs it."""

    @property
    def custom_fields(self) -> Sequence[CustomFieldLike]: ...


def custom_labels(company: CompanyLike) -> dict[str, str]:
    """The labels of the company's custom fields by their ids, cleaned as text is; a field whose label has nothing to
    see is called by its id."""
    return {field.id: clean_value(field.label, "free") or field.id for field in company.custom_fields}


def effective_mapping(settings: Settings) -> dict[str, str]:
    """User field → source (an employee column or ``custom:Label``), in the catalogue's order.

    Without excluded fields, those that only another kind of source sends, and ``employee_id`` when EmployeeIds are
    generated.
    """
    left_out = {*settings.exclude_fields, *(("employee_id",) if settings.employee_ids == "generated" else ())}
    feeding = {field.name: settings.mapping.get(field.name, field.source) for field in USER_FIELDS}
    return {
        name: source
        for name, source in feeding.items()
        if name not in left_out and settings.source not in sources_without(source)
    }


def effective_metadata(settings: Settings) -> tuple[MetadataField, ...]:
    """The metadata fields that are written: without excluded ones, in the document's order."""
    return tuple(entry for entry in settings.metadata if entry.name not in settings.exclude_fields)


def needs_custom_fields(settings: Settings) -> bool:
    """Whether custom field values must be extracted: the mapping, metadata or a rule in force names a custom field."""
    return any(custom_label(source) is not None for source in _list_used_sources(settings))


def column_lineage(settings: Settings) -> dict[str, tuple[str, ...]]:
    """User field, or ``#Name`` of a metadata field, → the employee columns it is made from.

    A custom field comes from the column ``custom_fields``. Hidden metadata is left out, because lineage is shown.
    """
    sources = effective_mapping(settings)
    sources |= {entry.name.column: entry.source for entry in effective_metadata(settings) if entry.type != "hidden"}
    also = {"hire_date": ("latest_rehire_date",)} if settings.hire_date_priority == "latest" else {}
    return {
        target: tuple(dict.fromkeys((_source_column(source), *also.get(target, ()))))
        for target, source in sources.items()
    }


def metadata_renames(old: Settings, new: Settings) -> dict[str, str]:
    """Old name → new name of metadata fields that kept their source: what stored keys must be migrated to.

    A field is renamed when its name is gone and a new name has the same source; several with one source pair up in
    the document's order.
    """
    new_names = {entry.name for entry in new.metadata}
    old_names = {entry.name for entry in old.metadata}
    added = [entry for entry in new.metadata if entry.name not in old_names]
    renames: dict[str, str] = {}
    for entry in old.metadata:
        if entry.name not in new_names:
            successor = next((candidate for candidate in added if candidate.source == entry.source), None)
            if successor is not None:
                added.remove(successor)
                renames[entry.name] = successor.name
    return renames


def set_source(settings: Settings, target: str, source: str) -> Settings:
    """Feeds ``target``, a core user field or the name of a metadata field, from ``source``.

    Raises:
        UnknownName: there is no such target.
        SettingsInvalid: the source cannot feed it.
    """
    if target in USER_FIELD_NAMES:
        return _change_settings(settings, mapping={**settings.mapping, target: source})
    return _change_settings(settings, metadata=_edit_metadata_entry(settings, target, source=source))


def add_metadata(settings: Settings, name: str, source: str, type: MetadataType = "default") -> Settings:  # noqa: A002
    """Adds a metadata field.

    Raises:
        SettingsInvalid: the name is taken, or the source or type is none.
    """
    added = {"name": name, "source": source, "type": type}
    return _change_settings(settings, metadata=[*_dump_metadata(settings), added])


def rename_metadata(settings: Settings, name: str, new_name: str) -> Settings:
    """Gives a metadata field another display name, also where it is excluded.

    Raises:
        UnknownName: there is no metadata field ``name``.
        SettingsInvalid: ``new_name`` is taken or no name.
    """
    metadata = _edit_metadata_entry(settings, name, name=new_name)
    excluded = [new_name if field == name else field for field in settings.exclude_fields]
    return _change_settings(settings, metadata=metadata, exclude_fields=excluded)


def change_metadata_type(settings: Settings, name: str, type: MetadataType) -> Settings:  # noqa: A002
    """Makes a metadata field default, associated or hidden.

    Raises:
        UnknownName: there is no metadata field ``name``.
        SettingsInvalid: there is no such type.
    """
    return _change_settings(settings, metadata=_edit_metadata_entry(settings, name, type=type))


def delete_metadata(settings: Settings, name: str) -> Settings:
    """Takes a metadata field off the list, also where it is excluded.

    Raises:
        UnknownName: there is no metadata field ``name``.
        UsageError: ``name`` is a core user field.
    """
    if name in USER_FIELD_NAMES:
        raise UsageError(
            f"{name} is a core user field and cannot be deleted: to leave it alone, add it to exclude_fields."
        )
    _find_position(settings, name)
    return _change_settings(
        settings,
        metadata=[entry for entry in _dump_metadata(settings) if entry["name"] != name],
        exclude_fields=[field for field in settings.exclude_fields if field != name],
    )


def _list_used_sources(settings: Settings) -> Iterator[str]:
    yield from effective_mapping(settings).values()
    yield from (entry.source for entry in effective_metadata(settings))
    yield from (condition.field for rule in settings.do_not_import for condition in rule.conditions)


def _source_column(source: str) -> str:
    return "custom_fields" if custom_label(source) is not None else source


def _dump_metadata(settings: Settings) -> list[dict[str, Any]]:
    return [entry.model_dump() for entry in settings.metadata]


def _find_position(settings: Settings, name: str) -> int:
    names: list[str] = [entry.name for entry in settings.metadata]
    if name not in names:
        raise UnknownName(
            f"No metadata field or user field {name!r}.{nearest_or_all(name, (*names, *USER_FIELD_NAMES))}"
        )
    return names.index(name)


def _edit_metadata_entry(settings: Settings, name: str, /, **changes: str) -> list[dict[str, Any]]:
    position = _find_position(settings, name)
    entries = _dump_metadata(settings)
    entries[position] |= changes
    return entries


def _change_settings(settings: Settings, **changes: Any) -> Settings:
    return settings_from({**settings.document(), **changes})
