"""Members gathered as Arrow columns while they are read, whatever the wire: a member counts once, text that no wire
promised to be text becomes it, and a manager named by the work id becomes who has it. Python values live for a block of
rows; what stays is Arrow. How one member is read belongs to the wires."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pyarrow as pa

from hris_pipeline.settings.fields import EMPLOYEE_COLUMNS, RAW_COLUMNS
from hris_pipeline.sources.decoding import as_text
from hris_pipeline.sources.raw_columns import SPELLS, UNREAD, WorkId, clean_id

__all__ = ["ColumnBuilder", "RawColumns"]

RawColumns = dict[str, "pa.Array"]
"""By raw employee column: text, ``active`` a flag; ``spells``, text; and ``unread``, of each member names of columns
that could not be read. All equally long."""

_BLOCK = 2000
_COLUMNS = (*RAW_COLUMNS, SPELLS)
_PLACES = {name: place for place, name in enumerate(RAW_COLUMNS)}
_HRIS_ID, _SUPERVISOR, _ACTIVE = _PLACES["hris_id"], _PLACES["supervisor_hris_id"], _PLACES["active"]
_SUPERVISOR_COLUMNS = ("supervisor_hris_id", "supervisor_justworks_id")


class ColumnBuilder:
    """Rows in the order of ``RAW_COLUMNS``, then ``spells``, and what is unread, gathered as columns; of rows with one
    hris_id the newest stays, where the first stood; among equally new ones an active one, or else the last. It
    ``is_whole`` as long as every member came with its row."""

    def __init__(self) -> None:
        self._block: list[list[object]] = []
        self._columns: tuple[list[pa.Array], ...] = tuple([] for _ in _COLUMNS)
        self.is_whole = True
        self._rows = 0
        self._row_at: list[int] = []
        self._newness: list[tuple[str, bool]] = []
        self._position: dict[str, int] = {}
        self._unread: dict[int, Sequence[str]] = {}
        self._work_ids: dict[int, str] = {}

    def append(self, row: list[object] | None, unread: Sequence[str], updated_at: str | None) -> None:
        """One member; ``updated_at`` is ISO text. Without an hris_id a row stands for itself; without a row nothing is
        gathered any more."""
        if row is None:
            self.is_whole = False
            return
        for name in unread:
            if name in _PLACES:
                row[_PLACES[name]] = None
        number, newness, place = self._rows, (updated_at or "", row[_ACTIVE] is True), len(self._row_at)
        hris_id = clean_id(row[_HRIS_ID])
        position = self._position.setdefault(hris_id, place) if hris_id else place
        if position == place:
            self._row_at.append(number)
            self._newness.append(newness)
        elif _order(newness) >= _order(self._newness[position]):
            self._row_at[position], self._newness[position] = number, newness
        else:
            return
        if unread:
            self._unread[number] = [name for name in unread if name in EMPLOYEE_COLUMNS]
        if type(row[_SUPERVISOR]) is WorkId:
            self._work_ids[number] = str(row[_SUPERVISOR])
        self._rows += 1
        self._block.append(row)
        if len(self._block) == _BLOCK:
            self._flush()

    def finish(self) -> RawColumns:
        """The columns by name, ``spells`` and ``unread``."""
        self._flush()
        columns = {name: _joined(name, self._columns[place]) for place, name in enumerate(_COLUMNS)}
        if self._rows != len(self._row_at):
            rows = pa.array(self._row_at, pa.int64())
            columns = {name: column.take(rows) for name, column in columns.items()}
        unread: list[Sequence[str]] = [self._unread.get(number, ()) for number in self._row_at]
        if self._work_ids:
            work_ids = {place: self._work_ids.get(number) for place, number in enumerate(self._row_at)}
            columns["supervisor_hris_id"] = _with_managers(columns, work_ids, unread)
        return columns | {UNREAD: pa.array(unread, pa.list_(pa.string()))}

    def _flush(self) -> None:
        for name, gathered, values in zip(_COLUMNS, self._columns, zip(*self._block, strict=True), strict=False):
            gathered.append(_arrow(name, values))
        self._block = []


def _arrow(name: str, values: Sequence[object]) -> pa.Array:
    """A block of one column; what is no text becomes text, and what UTF-8 cannot hold a question mark."""
    if name == "active":
        return pa.array(values, pa.bool_())
    try:
        return pa.array(values, pa.string())
    except (pa.ArrowException, UnicodeEncodeError, TypeError):
        texts = map(as_text, values)
        return pa.array([text and text.encode("utf-8", "replace").decode() for text in texts], pa.string())


def _joined(name: str, blocks: list[pa.Array]) -> pa.Array:
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


def _order(newness: tuple[str, bool]) -> tuple[datetime, bool]:
    updated_at, active = newness
    return _instant(updated_at), active


def _instant(stamp: str) -> datetime:
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
