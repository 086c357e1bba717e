"""A company as the source describes it: what members refer to by id in the tests of the wires."""

from hris_pipeline.sources.protocol import Company, Office

__all__ = ["COMPANY"]

COMPANY = Company(
    "c",
    "Acme",
    (
        Office("o1", "Austin", "TX", "US"),
        Office("o2", "New York", "NY", "US", line1="1 Sample Avenue", postal_code="10013"),
        Office("o3", unread=True),
        Office("o4"),
    ),
    {"d1": "Engines"},
)
