"""Keeping a record of imports that failed before there was a change set."""

from hris_pipeline.errors import UnknownName
from hris_pipeline.operations.services import Services
from hris_pipeline.store.registry import current_settings, get_integration
from hris_pipeline.store.staging import Trigger, record_failed

__all__ = ["record_failure"]


def record_failure(
    services: Services,
    integration_id: str,
    message: str,
    *,
    trigger: Trigger,
    actor: str,
    run_id: str | None,
    extract_id: str | None = None,
) -> str | None:
    """Records a failed import and gives its id; None when there is no such integration, which must not hide what
    failed. ``message`` is that of an error of our own, which holds no person's data. An open import stays as it is."""
    with services.store.begin() as connection:
        try:
            integration = get_integration(connection, integration_id)
            settings = current_settings(connection, integration_id)
        except UnknownName:
            return None
        return record_failed(
            connection,
            integration_id=integration_id,
            directory_id=integration.directory_id,
            trigger=trigger,
            actor=actor,
            message=message,
            now=services.now(),
            run_id=run_id,
            extract_id=extract_id,
            settings_version=settings.version,
        )
