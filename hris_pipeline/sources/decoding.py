"""Reading what a source sends without ever failing on it: typed and fast where a record is as it should be, piece by
piece where it is not. A piece of the wrong JSON type becomes its JSON text, so that validation sees it and
quarantines that one row."""

import json
from typing import Generic, TypeVar, cast

import msgspec
from msgspec import inspect

__all__ = [
    "LenientDecoder",
    "loads",
    "text",
]

S = TypeVar("S", bound=msgspec.Struct)


def loads(line: bytes) -> object:
    """Any JSON, also with broken UTF-8, lone surrogates, NaN or huge numbers.

    Raises:
        ValueError: no JSON, or nested too deeply to be a record.
    """
    try:
        return json.loads(line.decode("utf-8", "replace"))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def text(value: object) -> str | None:
    """``value`` as text that UTF-8 can hold: itself, None for null, JSON for anything else."""
    if value is None:
        return None
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return shown.encode("utf-8", "replace").decode()


class LenientDecoder(Generic[S]):
    """Reads lines as ``kind``, a struct of optional fields.

    Where a struct was expected and something else came, its first field takes that as text; where a list was
    expected, it becomes a list of one.
    """

    def __init__(self, kind: type[S]) -> None:
        self._kind = kind
        self._decode = msgspec.json.Decoder(kind).decode
        self._info = inspect.type_info(kind)

    def read(self, line: bytes) -> S:
        """One record; empty when ``line`` is no JSON object at all."""
        try:
            return self._decode(line)
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            pass
        try:
            value = loads(line)
            return cast(S, _coerce(self._info, value)) if isinstance(value, dict) else self._kind()
        except (ValueError, RecursionError):
            return self._kind()


def _coerce(info: inspect.Type, value: object) -> object:  # noqa: PLR0911
    match info:
        case inspect.UnionType():
            return None if value is None else _coerce(_non_null_type(info), value)
        case inspect.StrType():
            return text(value)
        case inspect.BoolType():
            return value if isinstance(value, bool) else None
        case inspect.ListType(item_type=item):
            return [_coerce(item, one) for one in (value if isinstance(value, list) else [value])]
        case inspect.DictType(value_type=item):
            return {text(key): _coerce(item, one) for key, one in value.items()} if isinstance(value, dict) else {}
        case inspect.StructType(cls=kind, fields=fields):
            given = value if isinstance(value, dict) else {fields[0].encode_name: value}
            return kind(**{f.name: _coerce(f.type, given[f.encode_name]) for f in fields if f.encode_name in given})
        case _:
            return value


def _non_null_type(info: inspect.UnionType) -> inspect.Type:
    return next(kind for kind in info.types if not isinstance(kind, inspect.NoneType))
