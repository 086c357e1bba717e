"""Fingerprints: of what a source says of one person, and of a whole plan."""

from collections.abc import Collection, Iterable
from hashlib import blake2b, sha256
from typing import Any

import msgspec
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hris_pipeline.transform.columns import as_text, map_chunks, to_arrow

__all__ = ["digest_of_hashes", "plan_digest", "row_hashes", "source_hash", "undo_settings_digest"]

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
        return pa.array(_fingerprint(salted.copy(), line) for line in joined)

    return map_chunks(fingerprints, rows)


def _fingerprint(hashed: blake2b, line: str) -> str:
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
