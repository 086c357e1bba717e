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


def check_provenance(asset: str, frame: Traced, manifest: Manifest) -> None:
    """Refuses a frame of another extract. One of other settings is refused by the plan, which reads those in force.

    Raises:
        FrameInvalid: naming the asset to materialize again.
    """
    if frame.extract_id != manifest.extract_id:
        raise FrameInvalid(
            f"{asset} of {manifest.integration_id} is of extract {frame.extract_id}, justworks_members is extract "
            f"{manifest.extract_id}: materialize {asset} for {manifest.integration_id} again."
        )
