"""From a source's bytes to records that may be kept: one line each, denied keys gone."""

from collections.abc import Mapping, Sequence

import msgspec

from hris_pipeline.sources.decoding import loads, text
from hris_pipeline.sources.protocol import Page, Record
from hris_pipeline.sources.redaction import drop_sensitive_keys

__all__ = ["page_of", "text_of"]

_text = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode


def text_of(value: bytes | msgspec.Raw | None) -> str:
    """A JSON scalar as text: '' when it is missing, null or unreadable, JSON when it is no text."""
    if value is None:
        return ""
    try:
        return _text(value)
    except (msgspec.MsgspecError, UnicodeError):
        pass
    try:
        return text(loads(bytes(value))) or ""
    except ValueError:
        return ""


def page_of(members: Sequence[Mapping[str, msgspec.Raw]], holes: Sequence[str] = ()) -> Page:
    """The members as records; a member that cannot be cleaned of denied keys becomes a hole.

    ``members`` hold ``id``, and ``updated_at`` where the source says it, beside whatever else is to be kept.
    """
    lines = drop_sensitive_keys([_encode(member).replace(b"\n", b" ") for member in members])
    records, uncleaned = [], []
    for member, line in zip(members, lines, strict=True):
        hris_id = text_of(member.get("id"))
        if line is not None:
            records.append(Record(hris_id, text_of(member.get("updated_at")), line))
        elif hris_id:
            uncleaned.append(hris_id)
    return Page(tuple(records), (*holes, *uncleaned))
