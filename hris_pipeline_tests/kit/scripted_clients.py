"""The real clients of the sources, as the pipeline opens them, but for one address and without a log-in."""

from hris_pipeline.sources.finch import Finch
from hris_pipeline.sources.http import FixedToken
from hris_pipeline.sources.pacing import UNLIMITED, Ceilings, Retries
from hris_pipeline.sources.partner_api import PartnerApi
from hris_pipeline.sources.protocol import Source

__all__ = ["AT_ONCE", "open_client"]

AT_ONCE = Retries(attempts=1, first=0.0)
"""Every answer counts: nothing is asked again."""


def open_client(
    kind: str,
    address: str,
    *,
    integration_id: str = "acme",
    retries: Retries = AT_ONCE,
    ceilings: Ceilings | None = None,
) -> Source:
    """The client of that kind of source (``justworks``, ``finch``), with no ceiling on its requests; to be closed."""
    if kind == "finch":
        return Finch(
            "credential",
            integration_id=integration_id,
            api_url=address,
            rate_limiter=UNLIMITED,
            retries=retries,
            ceilings=ceilings,
        )
    return PartnerApi(
        address,
        FixedToken("token"),
        integration_id=integration_id,
        rate_limiter=UNLIMITED,
        retries=retries,
        ceilings=ceilings,
    )
