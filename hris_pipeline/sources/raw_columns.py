"""Members as raw columns, whatever the wire: the table that every wire fills in (one getter a field), how an id is
cleaned, the choices among a person's addresses and numbers, and members gathered as Arrow columns while they are
read: a member counts once, text that no wire promised to be text becomes it, and a manager named by the work id
becomes who has it.

Python values live for a block of rows; what stays is Arrow. How one member is read belongs to the wires.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa

from hris_pipeline.settings.fields import EMPLOYEE_COLUMNS, RAW_COLUMNS, require_getters
from hris_pipeline.settings.text import clean_value
from hris_pipeline.sources.decoding import UNREADABLE, UNREADABLE_BYTES, as_text, decode
from hris_pipeline.sources.protocol import Record
from hris_pipeline.sources.records import MOBILE, PERSONAL, WORK, holds_something, spelled, type_word

__all__ = [
    "SPELLS",
    "UNREAD",
    "ColumnBuilder",
    "Contact",
    "RawColumns",
    "WireField",
    "WorkId",
    "blank_columns",
    "chosen_phone",
    "clean_id",
    "kept_members",
    "pick_emails",
    "read_contacts",
    "unread_columns",
    "unreadable_columns",
    "wire_getters",
    "wire_ids",
    "wire_paths",
]

SPELLS = "spells"
"""After the raw columns: the spells of employment that the source tells of beside hire, latest re-hire and termination,
as ISO dates ``start/end start/end``, an end that is not told left out; None where there are no more."""

UNREAD = "unread"
"""Beside the raw columns: of each row the names of employee columns of which something came that could not be read."""

P = TypeVar("P")


@dataclass(frozen=True)
class WireField(Generic[P]):
    """How one wire gives one employee column: the fields of an archived member that it is read from, as dotted paths,
    and the getter; None for a column that is derived from all rows together."""

    paths: tuple[str, ...]
    getter: Callable[[P], object] | None


def wire_getters(source: str, fields: Mapping[str, WireField[P]]) -> tuple[Callable[[P], object], ...]:
    """The getters of a wire in the order of ``RAW_COLUMNS``.

    Raises:
        HrisError: the wire forgot a field of the catalogue, or has one that the catalogue lacks.
    """
    require_getters(source, [name for name, field in fields.items() if field.getter])
    getters = (fields[name].getter if name in fields else None for name in RAW_COLUMNS)
    return tuple(getter or _get_none for getter in getters)


def wire_paths(fields: Mapping[str, WireField[Any]]) -> dict[str, tuple[str, ...]]:
    """By employee column: the fields of an archived member that it is read from."""
    return {name: field.paths for name, field in fields.items()}


def unreadable_columns(row: Sequence[object]) -> list[str]:
    """The raw columns of a row whose text holds what could not be read as text: half a character, no number."""
    return [
        name for name, value in zip(RAW_COLUMNS, row, strict=False) if isinstance(value, str) and UNREADABLE in value
    ]


def blank_columns(row: Sequence[object], columns: Iterable[str]) -> list[str]:
    """Those of the raw columns that have no value in a row."""
    return [name for name in columns if row[RAW_COLUMNS.index(name)] is None]


def _get_none(_: object) -> None:
    return None


class WorkId(str):
    """Names somebody by the work id, where an hris_id belongs."""

    __slots__ = ()


class Contact(NamedTuple):
    """An address or a number: the word of its type, its text where one could be read, and whether there was something
    else that could not."""

    word: str
    text: str | None
    broken: bool


def read_contacts(value: object, places: Mapping[str, tuple[str, ...]]) -> list[Contact]:
    """The contacts in a list, a single object or a single text; ``places`` is the entry of ``SPELLINGS``."""
    return [_read_contact(item, places) for item in (value if isinstance(value, list) else [value]) if item is not None]


def _read_contact(item: object, places: Mapping[str, tuple[str, ...]]) -> Contact:
    if not isinstance(item, dict):
        text = None if isinstance(item, list) else as_text(item)
        return Contact("", text, text is None and holds_something(item))
    word = type_word(spelled(item, places["type"]))
    text = spelled(item, places["value"])
    if text is None:
        return Contact(word, None, any(holds_something(v) for k, v in item.items() if k not in places["type"]))
    return Contact(word, text, broken=False)


def pick_emails(contacts: Iterable[tuple[str, str | None, bool]]) -> tuple[str | None, str | None, tuple[str, ...]]:
    """Email (work, else personal, else the first), secondary email (personal, only beside a work one), and which of the
    two columns are unread: nothing could be read, or not what would have come first."""
    work = personal = first = None
    typed, broken, broken_personal = False, False, False
    for word, address, is_broken in contacts:
        if not address:
            typed = typed or bool(word) or is_broken
            broken = broken or is_broken
            broken_personal = broken_personal or (is_broken and word not in WORK)
            continue
        first = first or address
        if word in WORK:
            work = work or address
        elif word in PERSONAL:
            personal = personal or address
    if first is None:
        return None, None, ("email", "secondary_email") if typed else ()
    if work is None:
        return (None, None, ("email", "secondary_email")) if broken else (personal or first, None, ())
    if personal is None and broken_personal:
        return work, None, ("secondary_email",)
    return work, personal, ()


def chosen_phone(contacts: Iterable[tuple[str, str | None, bool]]) -> tuple[str | None, bool]:
    """Mobile, else work, else the first; and whether it is unread: nothing could be read, or not what would have come
    first."""
    mobile = work = first = None
    typed = broken = False
    for word, number, is_broken in contacts:
        if not number:
            typed = typed or bool(word) or is_broken
            broken = broken or is_broken
            continue
        first = first or number
        if word in MOBILE:
            mobile = mobile or number
        elif word in WORK:
            work = work or number
    if mobile is None and (broken or (first is None and typed)):
        return None, True
    return mobile or work or first, False


def clean_id(value: object) -> str:
    """An id as it is compared and stored (``text.clean_value``); '' for what is none."""
    if type(value) is str and value.isascii() and value.isprintable():
        return value.strip()
    text = clean_value(value if type(value) is str else as_text(value) or "", "id")
    return "" if UNREADABLE in text else text


def wire_ids(ids: Iterable[object]) -> dict[str, tuple[str, ...]]:
    """By hris_id: how the source spells it, of those ids that are stored as another text."""
    spellings: dict[str, tuple[str, ...]] = {}
    for value in ids:
        if type(value) is str and value.isascii() and value.isprintable() and value == value.strip():
            continue
        text = value if type(value) is str else as_text(value) or ""
        hris_id = clean_id(text)
        if hris_id and hris_id != text:
            spellings[hris_id] = (*spellings.get(hris_id, ()), text)
    return spellings


def kept_members(lines: Iterable[bytes]) -> Iterator[tuple[dict[str, Any], bytes]]:
    """What was kept of each archived member, with its line; nothing where the line is no JSON object."""
    for line in lines:
        try:
            member = decode(line)
        except ValueError:
            member = {}
        yield member if isinstance(member, dict) else {}, line


def unread_columns(
    kept: Mapping[str, Any], unread: Mapping[Any, Sequence[str]], row: Sequence[object], line: bytes
) -> Sequence[str]:
    """The unread columns of an archived member: noted when it was received, found again in what was kept (``unread``,
    by key of the wire), or holding bytes that nobody could read."""
    columns: Sequence[str] = kept.get(UNREAD) or ()
    if unread:
        columns = sorted({*columns, *(column for names in unread.values() for column in names)})
    if UNREADABLE_BYTES in line:
        columns = sorted({*columns, *unreadable_columns(row)})
    return columns


RawColumns = dict[str, "pa.Array"]
"""By raw employee column: text, ``active`` a flag; ``spells``, text; and ``unread``, of each member names of columns
that could not be read. All equally long."""

_BLOCK = 2000

_COLUMNS = (*RAW_COLUMNS, SPELLS)

_PLACES = {name: place for place, name in enumerate(RAW_COLUMNS)}

_HRIS_ID, _SUPERVISOR = _PLACES["hris_id"], _PLACES["supervisor_hris_id"]

_SUPERVISOR_COLUMNS = ("supervisor_hris_id", "supervisor_justworks_id")


class ColumnBuilder:
    """Rows in the order of ``RAW_COLUMNS``, then ``spells``, and what is unread, gathered as columns; of rows with one
    hris_id the one that counts on the day stays (``newest_rows``), where the first stood. It ``is_whole`` as long as
    every member came with its row."""

    def __init__(self, on: date = date.max) -> None:
        self._on = on
        self._block: list[list[object]] = []
        self._columns: tuple[list[pa.Array], ...] = tuple([] for _ in _COLUMNS)
        self.is_whole = True
        self._rows = 0
        self._row_at = array("q")
        self._stamps: list[str | None] = []
        self._stamp_blocks: list[pa.Array] = []
        self._repeated: dict[int, int] = {}
        self._position: dict[str, int] = {}
        self._unread: dict[int, Sequence[str]] = {}
        self._work_ids: dict[int, str] = {}

    def extend(self, records: Iterable[Record]) -> None:
        """Members as they were read."""
        for record in records:
            self.append(record.row, record.unread, record.updated_at)

    def append(self, row: list[object] | None, unread: Sequence[str], updated_at: str | None) -> None:
        """One member; ``updated_at`` is text. Without an hris_id a row stands for itself; without a row nothing is
        gathered any more."""
        if row is None:
            self.is_whole = False
            return
        number, place = self._rows, len(self._row_at)
        if unread:
            for name in unread:
                if name in _PLACES:
                    row[_PLACES[name]] = None
            self._unread[number] = [name for name in unread if name in EMPLOYEE_COLUMNS]
        hris_id = clean_id(row[_HRIS_ID])
        position = self._position.setdefault(hris_id, place) if hris_id else place
        if position == place:
            self._row_at.append(number)
        else:
            self._repeated |= {self._row_at[position]: position, number: position}
        self._stamps.append(updated_at)
        if type(row[_SUPERVISOR]) is WorkId:
            self._work_ids[number] = str(row[_SUPERVISOR])
        self._rows += 1
        self._block.append(row)
        if len(self._block) == _BLOCK:
            self._flush()

    def finish(self) -> RawColumns:
        """The columns by name, ``spells`` and ``unread``."""
        self._flush()
        columns = {name: _join_blocks(name, self._columns[place]) for place, name in enumerate(_COLUMNS)}
        if self._repeated:
            self._choose(columns)
            rows = pa.array(np.array(self._row_at))
            columns = {name: column.take(rows) for name, column in columns.items()}
        if self._row_at and not (self._unread or self._work_ids):
            return columns | {UNREAD: pa.repeat(pa.scalar([], pa.list_(pa.string())), len(self._row_at))}
        unread: list[Sequence[str]] = [self._unread.get(number, ()) for number in self._row_at]
        if self._work_ids:
            work_ids = {place: self._work_ids.get(number) for place, number in enumerate(self._row_at)}
            columns["supervisor_hris_id"] = _with_managers(columns, work_ids, unread)
        return columns | {UNREAD: pa.array(unread, pa.list_(pa.string()))}

    def _choose(self, columns: RawColumns) -> None:
        from hris_pipeline.transform.columns import text_series  # noqa: PLC0415 - hardly ever is anybody listed twice
        from hris_pipeline.transform.normalise import newest_rows  # noqa: PLC0415

        numbers = list(self._repeated)
        rivals = {name: column.take(pa.array(numbers, pa.int64())) for name, column in columns.items()}
        rivals[UNREAD] = pa.array([self._unread.get(number, ()) for number in numbers], pa.list_(pa.string()))
        rivals["updated_at"] = _join_blocks("updated_at", self._stamp_blocks).take(pa.array(numbers, pa.int64()))
        places = text_series(map(str, self._repeated.values()))
        for number, counts in zip(numbers, newest_rows(places, rivals, self._on), strict=True):
            if counts:
                self._row_at[self._repeated[number]] = number

    def _flush(self) -> None:
        for name, gathered, values in zip(_COLUMNS, self._columns, zip(*self._block, strict=True), strict=False):
            gathered.append(_build_arrow_block(name, values))
        self._stamp_blocks.append(_build_arrow_block("updated_at", self._stamps))
        self._block, self._stamps = [], []


def _build_arrow_block(name: str, values: Sequence[object]) -> pa.Array:
    """A block of one column; what is no text becomes text, and what UTF-8 cannot hold a question mark."""
    if name == "active":
        return pa.array(values, pa.bool_())
    try:
        return pa.array(values, pa.string())
    except (pa.ArrowException, UnicodeEncodeError, TypeError):
        texts = map(as_text, values)
        return pa.array([text and text.encode("utf-8", "replace").decode() for text in texts], pa.string())


def _join_blocks(name: str, blocks: list[pa.Array]) -> pa.Array:
    return pa.concat_arrays(blocks) if blocks else pa.array([], pa.bool_() if name == "active" else pa.string())


def _with_managers(columns: RawColumns, work_ids: dict[int, str | None], unread: list[Sequence[str]]) -> pa.Array:
    """Managers named by their work id become those who have it; where it is nobody's, or several people's, the manager
    is unread."""
    present: dict[str | None, set[str | None]] = {}
    former: dict[str | None, set[str | None]] = {}
    holders = (columns[name].to_pylist() for name in ("justworks_id", "hris_id", "active"))
    for work_id, hris_id, active in zip(*holders, strict=True):
        (present if active is True else former).setdefault(work_id, set()).add(hris_id)
    holders_of = former | present
    supervisors = columns["supervisor_hris_id"].to_pylist()
    for row, work_id in work_ids.items():
        if work_id is not None:
            ids = holders_of.get(work_id, set())
            supervisors[row] = next(iter(ids)) if len(ids) == 1 else None
            if len(ids) != 1:
                unread[row] = sorted({*unread[row], *_SUPERVISOR_COLUMNS})
    return pa.array(supervisors, pa.string())
