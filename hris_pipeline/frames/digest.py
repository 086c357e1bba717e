"""Fingerprints: of what a source says of one person, and of a whole plan."""

from collections.abc import Collection, Iterable
from hashlib import blake2b, sha256

import msgspec
import pandas as pd
import pyarrow.compute as pc

from hris_pipeline.frames.columns import arrow, as_text, text

__all__ = ["plan_digest", "source_hash"]

_ABSENT = "\x1e"
_SEPARATOR = "\x1f"


def source_hash(rows: pd.DataFrame, names: Collection[str]) -> pd.Series:
    """A fingerprint of the named columns of each row, in order of their names; the names themselves count too.

    Neither normalised text nor JSON holds control characters, so the separators cannot be imitated."""
    ordered = sorted(names)
    parts = [pc.fill_null(arrow(as_text(rows[name])), _ABSENT) for name in ordered]
    joined = pc.binary_join_element_wise(*parts, _SEPARATOR).to_pylist() if parts else [""] * len(rows)
    salted = blake2b("\x1f".join(ordered).encode(), digest_size=16)
    lines = []
    for line in joined:
        one = salted.copy()
        one.update(line.encode())
        lines.append(one.hexdigest())
    return text(lines).set_axis(rows.index)


def plan_digest(rows: pd.DataFrame, *, settings_digest: str, complete: bool, tripped: Iterable[str]) -> str:
    """What a person reviews, in 64 hexadecimal digits: the canonical rows with their base versions, the settings that
    matter, and which guards hold it; no user ids, no times, no extract, no order of rows."""
    lines = arrow(source_hash(rows, ("action", "changed", "before", "after", "base_version"))).to_pylist()
    whole = msgspec.json.encode([settings_digest, complete, sorted(tripped), sorted(lines)])
    return sha256(whole).hexdigest()
