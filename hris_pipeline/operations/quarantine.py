"""Whoever an extract left in quarantine: which check of which field failed, and what the source sent."""

from dataclasses import dataclass
from dataclasses import field as attribute

from hris_pipeline.operations.masking import mask_value
from hris_pipeline.operations.services import Services
from hris_pipeline.store.imports import get_import
from hris_pipeline.store.review import quarantine_lines

__all__ = ["QuarantinedPerson", "quarantined_people"]


@dataclass(frozen=True)
class QuarantinedPerson:
    """Somebody whose record failed one check; ``value`` is what the source sent."""

    hris_id: str | None
    employee_id: str | None
    field: str
    check: str
    reason: str
    value: str | None = attribute(repr=False)


def quarantined_people(
    services: Services,
    import_id: str,
    *,
    field: str | None = None,
    check: str | None = None,
    page: int = 1,
    page_size: int | None = None,
    reveal: bool = False,
) -> tuple[QuarantinedPerson, ...]:
    """Whoever an import's extract left in quarantine, by field and check, with what the source sent.

    Raises:
        UnknownName: no import of that id.
    """
    with services.store.read() as connection:
        record = get_import(connection, import_id)
        if record.extract_id is None:
            return ()
        lines = quarantine_lines(
            connection,
            record.integration_id,
            record.extract_id,
            field=field,
            check=check,
            offset=(page - 1) * (page_size or 0),
            limit=page_size,
        )
    return tuple(
        QuarantinedPerson(
            line.hris_id,
            line.employee_id,
            line.field,
            line.check,
            line.reason,
            line.value if reveal else mask_value(line.field, line.value),
        )
        for line in lines
    )
