"""The store: making or upgrading its tables, and checking it against its own history."""

from hris_pipeline.cli.common import IntegrationArgument, open_services
from hris_pipeline.cli.printing import CommandResult, cell, table
from hris_pipeline.environment import Environment
from hris_pipeline.store.engine import upgrade_store

__all__ = [
    "rotate_key",
    "upgrade",
    "verify",
]


def upgrade() -> CommandResult:
    """Makes the tables, or brings older ones up to date, in one transaction; does nothing when they are. The store is
    what HRIS_STORE_URL names: `sqlite:///path/to/store.db` or `postgresql://user@host/database`.
    """
    environment = Environment.read()
    upgrade_store(environment)
    kind = "sqlite" if environment.embedded else "postgresql"
    return CommandResult({"store": kind, "status": "ready"}, [cell(f"The store ({kind}) is ready.")])


def rotate_key() -> CommandResult:
    """Put the new key first in HRIS_SECRET_KEY, the old ones after it, and run this; afterwards the old ones are not
    needed any more. Where the key is a file in HRIS_HOME, a new one is made. Restart whatever is running.
    """
    from hris_pipeline.cli.dagster_side import frames_resealer  # noqa: PLC0415 - frames are Dagster's to know
    from hris_pipeline.operations.rotation import rotate_key as rotate  # noqa: PLC0415 - reads frames

    with open_services() as services:
        counts = rotate(services, frames_resealer(services.environment))
    lines = [(what, number) for what, number in counts.items() if number]
    return CommandResult({"rotated": counts}, [table(("encrypted or sealed anew", ">"), lines)])


def verify(name: IntegrationArgument) -> CommandResult:
    """Computes every import's digest again from its rows, and compares the users with what the imports left. Exit 1
    when something was written behind the pipeline's back.
    """
    from hris_pipeline.operations.verification import describe  # noqa: PLC0415 - reads frames
    from hris_pipeline.operations.verification import verify as check  # noqa: PLC0415

    with open_services() as services:
        verification = check(services, name)
    payload = {
        "integration": name,
        "ok": verification.ok,
        "imports_checked": verification.imports_checked,
        "altered": verification.altered,
        "erased": verification.erased,
        "divergences": [vars(divergence) for divergence in verification.divergences],
        "first": verification.first,
    }
    if verification.ok:
        return CommandResult(
            payload, [cell(f"{verification.imports_checked} imports and every user agree with the history.", "green")]
        )
    lines = [("import", import_id, f"{', '.join(parts)} changed") for import_id, parts in verification.altered.items()]
    lines += [("user", divergence.user_id, describe(divergence)) for divergence in verification.divergences]
    return CommandResult(payload, [cell(verification.first, "bold red"), table(("what", "which", "how"), lines)], 1)
