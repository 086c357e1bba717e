"""Reading all members of a company into the archive, and finding what was read before."""

from collections.abc import Callable

from hris_pipeline.errors import ConnectionInvalid, UnknownName
from hris_pipeline.operations.notification import notify
from hris_pipeline.operations.services import Services
from hris_pipeline.settings.mapping import needs_custom_fields
from hris_pipeline.sources.protocol import Manifest
from hris_pipeline.store.integrations import get_integration

__all__ = ["extract_members", "kept_manifest"]


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

    with services.store.read() as connection:
        get_integration(connection, integration_id)
        settings = services.settings.read(connection, integration_id).settings
        expected = expected_hris_ids(connection, integration_id)
        source = services.open_source(connection, integration_id, settings.source)
    columns = ColumnBuilder()
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
        )
    except ConnectionInvalid as failure:
        notify(services, integration_id, "expiring", str(failure), str(failure))
        raise
    finally:
        source.close()
    services.fresh.keep(manifest, columns)
    return manifest


def kept_manifest(services: Services, integration_id: str, extract_id: str | None = None) -> Manifest:
    """An extract that is kept, the latest by default.

    Raises:
        UnknownName: nothing of that id is kept.
    """
    if extract_id is not None:
        return services.archive.manifest(integration_id, extract_id)
    latest = services.archive.latest(integration_id)
    if latest is None:
        raise UnknownName(f"No extract of {integration_id} is kept: run `hris preview {integration_id}` first.")
    return latest
