"""Members as columns of raw text, whatever the wire: the columns' names, a member counted once, and the choices among
a person's addresses and numbers that both wires share."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import msgspec

from hris_pipeline.settings.fields import EMPLOYEE_COLUMNS
from hris_pipeline.sources.decoding import text

__all__ = [
    "RAW_COLUMNS",
    "ColumnBuilder",
    "chosen_phone",
    "custom_fields_text",
    "pick_emails",
]

RAW_COLUMNS: tuple[str, ...] = tuple(
    name for name in EMPLOYEE_COLUMNS if name not in ("supervisor_justworks_id", "is_manager")
)
"""The employee columns that a source gives; the other two are derived from all rows together."""

_WIDTH = len(RAW_COLUMNS)

MOBILE = ("mobile", "cell")
WORK = ("work",)
PERSONAL = ("personal", "home")

Typed = tuple[str | None, str | None]
"""The type a source gives an address or a number, and the address or number itself."""


class ColumnBuilder:
    """Rows in the order of ``RAW_COLUMNS``, gathered as columns; of rows with one hris_id the newest stays."""

    def __init__(self) -> None:
        self._cells: list[object] = []  # row after row: rows kept as such would keep the garbage collector busy
        self._updated: list[str] = []
        self._position: dict[str, int] = {}

    def add(self, row: Sequence[object], updated_at: str | None) -> None:
        """One member; ``updated_at`` is ISO text. Without an hris_id a row stands for itself."""
        hris_id, updated = row[0], updated_at or ""
        if isinstance(hris_id, str) and hris_id:
            position = self._position.setdefault(hris_id, len(self._updated))
            if position < len(self._updated):
                self._replace(position, row, updated)
                return
        self._updated.append(updated)
        self._cells.extend(row)

    def done(self) -> dict[str, list[object]]:
        """The columns by name."""
        return {name: self._cells[place::_WIDTH] for place, name in enumerate(RAW_COLUMNS)}

    def _replace(self, position: int, row: Sequence[object], updated: str) -> None:
        if _instant(updated) < _instant(self._updated[position]):
            return
        self._updated[position] = updated
        self._cells[position * _WIDTH : (position + 1) * _WIDTH] = row


def pick_emails(emails: Iterable[Typed]) -> tuple[str | None, str | None]:
    """Email (work, else personal, else the first) and secondary email (personal, only beside a work one)."""
    work = personal = first = None
    for kind, address in emails:
        if not address:
            continue
        first = first or address
        if (word := (kind or "").lower()) in WORK:
            work = work or address
        elif word in PERSONAL:
            personal = personal or address
    return (work, personal) if work else (personal or first, None)


def chosen_phone(phones: Iterable[Typed]) -> str | None:
    """Mobile, else work, else the first."""
    mobile = work = first = None
    for kind, number in phones:
        if not number:
            continue
        first = first or number
        if (word := (kind or "").lower()) in MOBILE:
            mobile = mobile or number
        elif word in WORK:
            work = work or number
    return mobile or work or first


def custom_fields_text(values: Iterable[tuple[str | None, object]]) -> str | None:
    """JSON of field id to text, or to a list of texts when there are several; None when nobody filled in any."""
    filled: dict[str, str | list[str]] = {}
    for field, value in values:
        texts = [shown for one in (value if isinstance(value, list) else [value]) if (shown := text(one))]
        if field and texts:
            filled[field] = texts[0] if len(texts) == 1 else texts
    return msgspec.json.encode(filled).decode() if filled else None


def _instant(stamp: str) -> datetime:
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
