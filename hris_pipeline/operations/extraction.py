"""Reading all members of a company into the archive, and finding what was read before."""

from collections.abc import Callable, Mapping
from contextlib import suppress

from hris_pipeline.errors import ConnectionInvalid, HrisError, UnknownName
from hris_pipeline.operations.notification import notify
from hris_pipeline.operations.services import Services
from hris_pipeline.settings.mapping import needs_custom_fields
from hris_pipeline.sources.protocol import Company, Manifest, Source
from hris_pipeline.store.integrations import get_integration

__all__ = ["extract_members", "kept_manifest", "look_at_fields", "look_manifest"]


def extract_members(
    services: Services,
    integration_id: str,
    *,
    progress: Callable[[int], None] | None = None,
) -> Manifest:
    """Reads every member from the source into the archive; ``progress`` is told how many were read so far. No other
    import of the integration reads, plans or applies meanwhile, nor after, as long as ``services.hold`` has it.

    Raises:
        ImportRunning: another import of the integration is under way.
        SourceError: the source cannot be read at all; an incomplete reading is a manifest that says so.
    """
    with services.hold.within(services.store, integration_id):
        return _extract(services, integration_id, progress)


def _extract(services: Services, integration_id: str, progress: Callable[[int], None] | None) -> Manifest:
    from hris_pipeline.sources.extract import extract  # noqa: PLC0415
    from hris_pipeline.sources.raw_columns import ColumnBuilder  # noqa: PLC0415 - finding what is kept reads nothing
    from hris_pipeline.store.frames import expected_hris_ids  # noqa: PLC0415
    from hris_pipeline.store.review_queues import read_unsettled  # noqa: PLC0415

    with services.store.read() as connection:
        get_integration(connection, integration_id)
        settings = services.settings.read(connection, integration_id).settings
        members = {hris_id for pairs in read_unsettled(connection, integration_id) for hris_id, _ in pairs}
        expected = expected_hris_ids(connection, integration_id) | (members - {""})
        source = services.open_source(connection, integration_id, settings.source)
    columns = ColumnBuilder(services.now().date())
    try:
        manifest = extract(
            source,
            services.archive,
            integration_id=integration_id,
            expected=expected,
            custom_fields=needs_custom_fields(settings),
            now=services.now,
            progress=progress,
            ceilings=services.ceilings,
            columns=columns,
            earlier_wire_ids=lambda: _wire_ids(services, integration_id),
        )
    except ConnectionInvalid as failure:
        notify(services, integration_id, "expiring", str(failure), str(failure))
        raise
    finally:
        source.close()
    services.fresh.keep(manifest, columns)
    return manifest


def _wire_ids(services: Services, integration_id: str) -> Mapping[str, tuple[str, ...]]:
    """How the source spelled the ids in the last extract, as far as one can be read."""
    with suppress(HrisError):
        latest = services.archive.latest(integration_id)
        return latest.wire_ids if latest else {}
    return {}


def look_at_fields(services: Services, integration_id: str, source: Source, company: Company) -> None:
    """Reads the first page of members with the custom values of a sample of them, as soon as a company with custom
    fields is connected: so what they hold can be seen, and a rule on them tried, before there is an import. Once an
    extract is kept, or when the source does not answer, nothing happens: the next extract reads a sample too."""
    if not company.custom_fields or source.name != "justworks":
        return  # the aggregator gives everybody's custom values with each extract
    from hris_pipeline.sources.extract import extract  # noqa: PLC0415

    with suppress(HrisError):
        if services.archive.latest_look(integration_id) is not None:
            return
        extract(
            source,
            services.archive,
            integration_id=integration_id,
            expected=(),
            custom_fields=False,
            now=services.now,
            ceilings=services.ceilings,
            first_page=True,
        )


def look_manifest(services: Services, integration_id: str) -> Manifest:
    """What is known of the source's fields: the latest extract, or, while there is none, what was read when connecting.

    Raises:
        UnknownName: nothing is kept.
    """
    return services.archive.latest_look(integration_id) or kept_manifest(services, integration_id)


def kept_manifest(services: Services, integration_id: str, extract_id: str | None = None) -> Manifest:
    """An extract that is kept, the latest by default.

    Raises:
        UnknownName: nothing of that id is kept.
    """
    if extract_id is not None:
        manifest = services.archive.manifest(integration_id, extract_id)
        if manifest.first_page:
            raise UnknownName(
                f"{extract_id} of {integration_id} is no extract: only the first page was read, when connecting. Take "
                f"one with `hris preview {integration_id}`."
            )
        return manifest
    latest = services.archive.latest(integration_id)
    if latest is None:
        raise UnknownName(f"No extract of {integration_id} is kept: run `hris preview {integration_id}` first.")
    return latest
