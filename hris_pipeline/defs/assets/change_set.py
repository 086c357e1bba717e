"""The reviewable change set: planned, guarded and staged in the store."""

from collections.abc import Iterator

import dagster as dg

from hris_pipeline.defs.checks import GUARD_CHECKS, guard_results
from hris_pipeline.defs.failures import finish_due, recording_failures
from hris_pipeline.defs.metadata import extract_metadata, import_metadata
from hris_pipeline.defs.partitions import IMPORT_GROUP, OWNERS, integration_partitions
from hris_pipeline.defs.provenance import Traced, check_provenance
from hris_pipeline.defs.runs import HELD_TAG, IMPORT_USERS, PLANNED_TAG, RunInfo, tag_run
from hris_pipeline.operations.decisions import is_approved
from hris_pipeline.operations.notification import notify_import
from hris_pipeline.operations.planning import plan_import
from hris_pipeline.operations.services import Services
from hris_pipeline.sources.protocol import Manifest
from hris_pipeline.store.imports import Import

__all__ = ["change_set"]

LOCK_WAIT_SECONDS = 60.0
"""How long a person's import waits for another one of the integration; a schedule's does not wait."""


@dg.asset(
    group_name=IMPORT_GROUP,
    partitions_def=integration_partitions,
    kinds={"sql"},
    owners=OWNERS,
    check_specs=GUARD_CHECKS,
    description=(
        "What an import would do, row by row: who is created, updated, archived, restored, and who is left alone and "
        "why. It is staged in the store as the integration's one open import, planned or held: what a person reviews "
        "is what is applied. Each guard is a check; one that trips holds the whole change set until a person approves."
    ),
)
def change_set(
    context: dg.AssetExecutionContext,
    services: dg.ResourceParam[Services],
    justworks_members: Manifest,
    mapped_users: Traced,
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Plans and stages; in the job ``import_users`` a change set that is held and not approved is not applied, which is
    where that run ends red: what is planned, and the user file of it, is there to be looked at."""
    with recording_failures(context, services, justworks_members.extract_id) as run:
        check_provenance("mapped_users", mapped_users, justworks_members)
        summary = _planned(services, justworks_members, mapped_users, run)
        tag_run(context.instance, run.run_id, PLANNED_TAG, summary.import_id)
        yield dg.MaterializeResult(
            metadata={
                **import_metadata(summary, services.environment),
                **extract_metadata(justworks_members, services.now()),
            }
        )
        yield from guard_results(summary)
        notify_import(services, summary)
        is_stopped = summary.status == "held" and run.job == IMPORT_USERS and not is_approved(services, summary)
        if is_stopped or run.job != IMPORT_USERS:
            services.hold.release(run.integration_id)
        if is_stopped:
            finish_due(services, run)
            held_by = ", ".join(guard.name for guard in summary.tripped)
            tag_run(context.instance, run.run_id, HELD_TAG, held_by)


def _planned(services: Services, manifest: Manifest, users: Traced, run: RunInfo) -> Import:
    return plan_import(
        services,
        manifest,
        users.rows,
        settings_digest=users.settings_digest,
        warnings=users.warnings,
        trigger=run.trigger,
        actor=run.actor,
        run_id=run.run_id,
        lock_wait_seconds=0.0 if run.automatic else LOCK_WAIT_SECONDS,
    )
