"""What travels between assets: a table of people that knows which extract and which settings it came from."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from hris_pipeline.errors import FrameInvalid
from hris_pipeline.sources.protocol import Manifest

__all__ = [
    "Traced",
    "check_provenance",
]


@dataclass(frozen=True)
class Traced:
    """``rows`` with what they came from: the extract, the digest of the settings in force (both empty when neither
    matters), and the warnings of the step that made them: hris_ids by code. ``also``: further frames of the same people
    that the next step needs, by name."""

    rows: pd.DataFrame = field(repr=False)
    extract_id: str = ""
    settings_digest: str = ""
    warnings: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    also: Mapping[str, pd.DataFrame] = field(default_factory=dict, repr=False)


def check_provenance(asset: str, frame: Traced, manifest: Manifest, settings_digest: str | None = None) -> None:
    """Refuses a frame of another extract, or of other settings than those given.

    Raises:
        FrameInvalid: naming the asset to materialize again.
    """
    remedy = f"materialize {asset} for {manifest.integration_id} again."
    if frame.extract_id != manifest.extract_id:
        raise FrameInvalid(
            f"{asset} of {manifest.integration_id} is of extract {frame.extract_id}, "
            f"justworks_members is extract {manifest.extract_id}: {remedy}"
        )
    if settings_digest is not None and frame.settings_digest != settings_digest:
        raise FrameInvalid(f"The settings of {manifest.integration_id} changed since its {asset} were made: {remedy}")
