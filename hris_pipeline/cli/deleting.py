"""Ending an integration."""

from typing import Annotated

import typer

from hris_pipeline.cli.common import Name, opened
from hris_pipeline.cli.frames import frames_remover
from hris_pipeline.cli.printing import Answer, text
from hris_pipeline.cli.running import open_instance
from hris_pipeline.defs.partitions import remove_partition
from hris_pipeline.operations.deleting import delete_integration

__all__ = ["delete"]


def delete(name: Name, confirm: Annotated[str, typer.Option(help="The name again.")] = "") -> Answer:
    """Revokes the connection at the source and removes settings, credentials, stored extracts, frames and open plans.
    Users and their import history stay, unlinked and local.
    """
    with opened() as services:
        environment = services.environment
        kept = delete_integration(services, name, confirm, remove_frames=frames_remover(environment))
        if (environment.dagster_home / "dagster.yaml").exists():
            with open_instance(environment) as instance:
                remove_partition(instance, name)
    line = f"{name} is deleted. Its {kept} users stay, as local ones."
    return Answer({"integration": name, "deleted": True, "users_kept": kept}, [text(line)])
