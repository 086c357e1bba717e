"""What planning depends on beside the mapped users: ``PlanContext`` (the integration, the day, the verdict on the
extract, what people decided) and ``Directory``, the users as they are, read lazily because most imports need few
columns of them.

Also the canonical forms: a user's state as JSON, written column by column at a tenth of the cost of encoding row by
row; the fingerprint of what the source says of one person; and the digest of a plan. ``operations.planning`` and the
store read all this; the stages decide by it.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from hashlib import blake2b, sha256
from typing import Any, Protocol

import msgspec
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hris_pipeline.settings.document import Settings
from hris_pipeline.settings.fields import USER_STATE
from hris_pipeline.settings.mapping import effective_mapping, effective_metadata
from hris_pipeline.transform.columns import as_text, employee_column, from_arrow, map_chunks, text_series, to_arrow

__all__ = [
    "SLIM_COLUMNS",
    "Directory",
    "PlanContext",
    "QuarantinedMember",
    "Resolution",
    "decode_metadata",
    "digest_of_hashes",
    "encode_metadata",
    "json_literals",
    "json_objects",
    "json_strings",
    "merge_metadata",
    "metadata_column",
    "plan_digest",
    "row_hashes",
    "source_hash",
    "state_json",
    "undo_settings_digest",
]

SLIM_COLUMNS: tuple[str, ...] = (
    "user_id",
    "integration_id",
    "hris_id",
    "employee_id",
    "email",
    "email_key",
    "email_edited_by_user",
    "hire_date",
    "status",
    "archived_by",
    "protected",
    "version",
    "synced_version",
    "source_hash",
    "former_source",
    "former_hris_id",
)


class Directory(Protocol):
    """All users of one directory, in any order; every frame has Arrow dtypes."""

    def snapshot(self) -> pd.DataFrame:
        """One row a user, with ``SLIM_COLUMNS``."""
        ...

    def names(self) -> pd.DataFrame:
        """One row a user: ``user_id``, ``first_name``, ``last_name``, ``birth_date``."""
        ...

    def users(self, user_ids: pd.Series) -> pd.DataFrame:
        """Every column of the given users; ``metadata`` is JSON text."""
        ...

    def former_links(self, hris_ids: pd.Series) -> pd.DataFrame:
        """``hris_id`` and ``user_id`` of users whom the integration, or else another of the directory, had linked to
        one of the hris_ids, and has not any more."""
        ...

    def filled(self, fields: Collection[str], also: pd.Series) -> Mapping[str, int]:
        """How many users have each field (a metadata field is named ``#Name``), of those a plan touches: the
        integration's active users, and the users whose user_id is in ``also``."""
        ...


@dataclass(frozen=True)
class Resolution:
    """What a person decided of a conflict, remembered: ``link``, ``create`` or ``ignore``; ``restore`` when a link may
    bring back a user whom a person archived."""

    hris_id: str
    user_id: str
    decision: str
    restore: bool = False


@dataclass(frozen=True)
class QuarantinedMember:
    """A member with a bad row: the ids that are certain, and each failed check as ``field: check``."""

    hris_id: str | None
    employee_id: str | None = None
    checks: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """How the member is named to people."""
        return self.employee_id or self.hris_id or "?"


LISTED_IN_FULL = frozenset({"justworks"})
"""Sources whose list alone tells who is active: the details of a member add custom fields, and nothing else."""


@dataclass(frozen=True)
class PlanContext:
    """Everything a plan depends on beside the mapped users, the directory and the settings.

    ``source`` is the kind of source; ``first_import`` says that none was applied yet in this life of the integration.
    ``missing`` are hris_ids confirmed gone; ``holes`` those of whom nothing certain is known, who are in no mapped row;
    ``hole_identities`` says who they are as far as the list tells it (``IDENTITY_COLUMNS``), who ``works``, and who
    has ``left`` for certain (``with_hole_identities``).
    ``quarantined`` are members with bad rows, ``previously_quarantined`` the hris_ids that were quarantined at the last
    applied import. ``recently_archived`` are user_ids archived in the days that ``slow_bleed`` looks at, outside
    approved imports and undos. ``kept_users`` are user_ids that ``do_not_archive`` follows, ``waiting_elsewhere`` those
    in an open conflict of another integration of the directory, or seemingly listed there, where they may work.
    ``undecided`` are the members and users (hris_id, user_id) of this integration's own conflicts that were open, or
    decided by a link and not imported yet, before this plan; ``relisted`` those whose row could not be used, and the
    users of other integrations who seemed to be they (hris_id empty where it could not be read). ``unread`` says, by
    employee column, of how many members who send it nothing could be read: ``count``, ``of`` and ``keys``.
    """

    integration_id: str
    today: date
    complete: bool
    source: str = "justworks"
    first_import: bool = False
    missing: frozenset[str] = frozenset()
    holes: frozenset[str] = frozenset()
    hole_identities: pd.DataFrame | None = field(default=None, compare=False, repr=False)
    quarantined: tuple[QuarantinedMember, ...] = ()
    previously_quarantined: frozenset[str] = frozenset()
    resolutions: tuple[Resolution, ...] = ()
    recently_archived: frozenset[str] = frozenset()
    kept_users: frozenset[str] = frozenset()
    waiting_elsewhere: frozenset[str] = frozenset()
    undecided: frozenset[tuple[str, str]] = frozenset()
    relisted: frozenset[tuple[str, str]] = frozenset()
    unread: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def unread_in_use(self, settings: Settings) -> dict[str, list[str]]:
        """The unread columns that the mapping, metadata or a rule in force reads, each with the targets it feeds."""
        fed = [*effective_mapping(settings).items()]
        fed += [(entry.name.column, entry.source) for entry in effective_metadata(settings)]
        ruled = {condition.field for rule in settings.do_not_import for condition in rule.conditions}
        in_use = {employee_column(source) for source in (*ruled, *(source for _, source in fed))}
        return {
            column: [target for target, source in fed if employee_column(source) == column]
            for column in sorted(self.unread)
            if column in in_use
        }

    def with_hole_identities(self, identities: pd.DataFrame) -> "PlanContext":
        """With what the list tells of the holes; where its word counts, those who have left are gone, and no holes."""
        left = self.holes.intersection(identities.loc[identities["left"], "hris_id"])
        left = left if self.source in LISTED_IN_FULL else frozenset()
        return replace(self, hole_identities=identities, holes=self.holes - left, missing=self.missing | left)

    @cached_property
    def quarantined_hris_ids(self) -> frozenset[str]:
        """The hris_ids of quarantined members, as far as they have one."""
        return frozenset(member.hris_id for member in self.quarantined if member.hris_id)

    @cached_property
    def working_holes(self) -> frozenset[str]:
        """The holes of whom the list does not tell that they have left."""
        if self.hole_identities is None:
            return self.holes
        return self.holes.difference(self.hole_identities.loc[self.hole_identities["left"], "hris_id"])

    @cached_property
    def untold_holes(self) -> frozenset[str]:
        """The holes of whom the list does not tell who they are."""
        if self.hole_identities is None:
            return self.holes
        listed = self.hole_identities
        named = listed["first_name"].notna() & listed["last_name"].notna() | listed["email"].notna() | ~listed["works"]
        return self.holes.difference(listed.loc[named | listed["employee_id"].notna(), "hris_id"])


_FLAGS = frozenset({"email_edited_by_user"})

_encode = msgspec.json.Encoder(order="sorted", enc_hook=lambda number: msgspec.Raw(number.spelled.encode())).encode


def state_json(users: pd.DataFrame) -> pd.Series:
    """One canonical JSON object a row with the keys of ``USER_STATE``; ``metadata`` comes in as canonical JSON text."""
    return map_chunks(_encode_states, users)


def _encode_states(users: pd.DataFrame) -> Any:
    values = {name: _encode_column(name, users[name]) for name in USER_STATE}
    return json_objects(values, len(users), nulls=True)


def _encode_column(name: str, values: pd.Series) -> Any:
    if name == "metadata":
        return to_arrow(values)
    return json_literals(to_arrow(values)) if name in _FLAGS else json_strings(to_arrow(as_text(values)))


def encode_metadata(values: Mapping[str, pd.Series], index: pd.Index) -> pd.Series:
    """``merge_metadata`` of people who have none yet."""
    members = {name: json_strings(to_arrow(column)) for name, column in values.items()}
    return from_arrow(json_objects(members, len(index), nulls=False), index)


def decode_metadata(stored: pd.Series) -> list[dict[str, Any]]:
    """The stored metadata of each user, decoded. Another application may have written anything: values of any kind are
    kept as they are; what is no object holds none."""
    decoder = msgspec.json.Decoder(dict[str, Any], float_hook=_Number)
    return [_decode_object(decoder, line) for line in to_arrow(stored).to_pylist()]


def _decode_object(decoder: msgspec.json.Decoder[dict[str, Any]], line: str | None) -> dict[str, Any]:
    try:
        return decoder.decode(line) if line else {}
    except (msgspec.DecodeError, RecursionError):  # no JSON at all, as only SQLite lets it be
        return {}


@dataclass(frozen=True)
class _Number:
    """A number with a fraction or an exponent as it was spelled, so that it is written again digit by digit."""

    spelled: str


def metadata_column(metadata: list[dict[str, Any]], name: str, index: pd.Index) -> pd.Series:
    """The value that each user has under one name, comparable with the text that an import would write: text is itself,
    any other value is its JSON after a mark that no text from a source holds; null and absent are null."""
    return text_series((_make_comparable(entries.get(name)) for entries in metadata), index)


def merge_metadata(metadata: list[dict[str, Any]], values: Mapping[str, pd.Series], index: pd.Index) -> pd.Series:
    """One canonical JSON object a row: the metadata, overlaid with the values by display name; a null removes.

    A value equal to ``metadata_column``'s, null included, leaves what is stored just as it is."""
    columns = [to_arrow(series).to_pylist() for series in values.values()]
    lines = []
    for position, entries in enumerate(metadata):
        merged = dict(entries)
        for name, column in zip(values, columns, strict=True):
            if column[position] == _make_comparable(entries.get(name)):
                continue
            merged[name] = column[position]
            if column[position] is None:
                del merged[name]
        lines.append(_encode(merged).decode())
    return text_series(lines, index)


_MARK = "\x00"


def _make_comparable(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else _MARK + _encode(value).decode()


_ESCAPED = r'["\\\x00-\x1f]'
"""What JSON cannot hold as it is."""


def json_strings(values: Any) -> Any:
    """Each text as a JSON string; null stays null."""
    escaped = pc.fill_null(pc.match_substring_regex(values, _ESCAPED), False)
    quoted = pc.binary_join_element_wise('"', values, '"', "")
    rare = [msgspec.json.encode(value).decode() for value in values.filter(escaped).to_pylist()]
    return pc.replace_with_mask(quoted, escaped, pa.array(rare, pa.string())) if rare else quoted


def json_literals(flags: Any) -> Any:
    """Each flag as ``true`` or ``false``; null stays null."""
    return flags.cast(pa.string())


def json_objects(values: Mapping[str, Any], length: int, *, nulls: bool) -> Any:
    """One object a row of columns that are JSON already, keys in order; a null is ``null``, or left out."""
    pieces: list[Any] = []
    for name in sorted(values):
        key = f",{msgspec.json.encode(name).decode()}:"
        if nulls:
            pieces += [key, pc.fill_null(values[name], "null")]
        else:
            pieces.append(pc.fill_null(pc.binary_join_element_wise(key, values[name], ""), ""))
    if not pieces:
        return pa.repeat(pa.scalar("{}"), length)
    members = pc.utf8_slice_codeunits(pc.binary_join_element_wise(*pieces, ""), 1)  # each member brings its comma
    return pc.binary_join_element_wise("{", members, "}", "")


_ABSENT = "\x1e"

_SEPARATOR = "\x1f"


def source_hash(rows: pd.DataFrame, names: Collection[str]) -> pd.Series:
    """A fingerprint of the named columns of each row, in order of their names; the names themselves count too.

    Neither normalised text nor JSON holds control characters, so the separators cannot be imitated."""
    ordered = sorted(names)
    salted = blake2b(_SEPARATOR.join(ordered).encode(), digest_size=16)

    def fingerprints(some: pd.DataFrame) -> Any:
        parts = [pc.fill_null(to_arrow(as_text(some[name])), _ABSENT) for name in ordered]
        joined = pc.binary_join_element_wise(*parts, _SEPARATOR).to_pylist() if parts else [""] * len(some)
        return pa.array(_hash_line(salted.copy(), line) for line in joined)

    return map_chunks(fingerprints, rows)


def _hash_line(hashed: blake2b, line: str) -> str:
    hashed.update(line.encode())
    return hashed.hexdigest()


def row_hashes(rows: pd.DataFrame) -> pd.Series:
    """The fingerprint of each row of a change set, as far as its digest covers it."""
    return source_hash(rows, ("action", "changed", "before", "after", "base_version"))


def plan_digest(rows: pd.DataFrame, *, settings_digest: str, complete: bool, tripped: Iterable[str]) -> str:
    """What a person reviews, in 64 hexadecimal digits: the canonical rows with their base versions, the settings that
    matter, and which guards hold it; no user ids, no times, no extract, no order of rows."""
    lines = to_arrow(row_hashes(rows)).to_pylist()
    return digest_of_hashes(lines, settings_digest=settings_digest, complete=complete, tripped=tripped)


def digest_of_hashes(hashes: Iterable[str], *, settings_digest: str, complete: bool, tripped: Iterable[str]) -> str:
    """The digest of a plan whose ``row_hashes`` these are, in any order."""
    message = msgspec.json.encode([settings_digest, complete, sorted(tripped), sorted(hashes)])
    return sha256(message).hexdigest()


def undo_settings_digest(import_id: str) -> str:
    """What stands in the digest of an undo where that of settings stands otherwise: no settings matter to it."""
    return f"undo of {import_id}"
