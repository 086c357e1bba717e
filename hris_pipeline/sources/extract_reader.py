"""From an archived extract back to people: its raw columns, by the wire it came over, and the member's own fields."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hris_pipeline.errors import SourceRefused
from hris_pipeline.sources import finch_wire, justworks_wire
from hris_pipeline.sources.archive import Archive
from hris_pipeline.sources.column_builder import RawColumns
from hris_pipeline.sources.decoding import decode, encode
from hris_pipeline.sources.protocol import Company, Manifest
from hris_pipeline.sources.raw_columns import clean_id, wire_paths

__all__ = [
    "MEMBER_FIELDS",
    "member_fields",
    "read_columns",
    "read_member",
]

_WIRES: Mapping[str, Callable[[Iterable[bytes], Company], RawColumns]] = {
    "justworks": justworks_wire.arrow_columns,
    "finch": lambda lines, _: finch_wire.arrow_columns(lines),
}

MEMBER_FIELDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "justworks": wire_paths(justworks_wire.FIELDS),
    "finch": wire_paths(finch_wire.FIELDS),
}
"""By source: each employee column and the fields of an archived member that it is read from, as dotted paths; from the
wires' own tables."""


def read_columns(manifest: Manifest, archive: Archive) -> RawColumns:
    """The members of an extract by raw employee column, ``spells`` and ``unread``; a member seen twice counts once.

    Raises:
        SourceRefused: the extract came from a source that this code does not know.
        UnknownName, FrameInvalid: the extract's lines are gone or damaged.
    """
    if manifest.source not in _WIRES:
        raise SourceRefused(
            f"Extract {manifest.extract_id} came from the unknown source {manifest.source}: "
            f"take a new one with `hris preview {manifest.integration_id}`."
        )
    return _WIRES[manifest.source](archive.lines(manifest), manifest.company)


def read_member(manifest: Manifest, archive: Archive, hris_id: str) -> dict[str, Any]:
    """One member of an extract as received, the last one when it came more than once; empty when it is not there."""
    quoted = encode(hris_id)[1:-1]
    members = (decode(line) for line in archive.lines(manifest) if quoted in line)
    matching = [member for member in members if isinstance(member, dict) and clean_id(member.get("id")) == hris_id]
    return matching[-1] if matching else {}


def member_fields(source: str, column: str, member: Mapping[str, Any]) -> dict[str, Any]:
    """Of the member's fields that an employee column is read from, those that are there: dotted path → value."""
    values = {path: _at(member, path) for path in MEMBER_FIELDS[source].get(column, ())}
    return {path: value for path, value in values.items() if value is not None}


def _at(member: Any, path: str) -> Any:
    for key in path.split("."):
        member = member.get(key) if isinstance(member, dict) else None
    return member
