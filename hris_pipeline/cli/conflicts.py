"""Conflicts: people held back until somebody decides who they are."""

from dataclasses import replace
from typing import Annotated, Any

import typer

from hris_pipeline.cli.common import IntegrationArgument, Reveal, actor, deciding, open_services, time_zone
from hris_pipeline.cli.printing import CommandResult, cell, moment, table
from hris_pipeline.errors import UsageError
from hris_pipeline.operations.conflicts import Conflict, Decision, open_conflicts, read_conflict, relink_by_employee_id
from hris_pipeline.operations.conflicts import resolve as decide
from hris_pipeline.operations.masking import mask_value

__all__ = ["conflicts", "resolve"]


def conflicts(
    name: IntegrationArgument,
    reveal: Reveal = False,
    all_: Annotated[bool, typer.Option("--all", help="Also those that are decided or gone.")] = False,
) -> CommandResult:
    """Both records of every conflict side by side: the person as the source has them, and the user they collide with.
    Values are masked unless `--reveal` is given.
    """
    with open_services() as services:
        statuses = ("open", "resolved", "gone") if all_ else ("open",)
        listed = [conflict if reveal else _masked(conflict) for conflict in open_conflicts(services, name, statuses)]
        zone = time_zone(services, name)
    payload = {"integration": name, "conflicts": [vars(conflict) for conflict in listed]}
    renderables: list[Any] = []
    for conflict in listed:
        renderables += [
            cell(
                f"{conflict.conflict_id}  {conflict.kind}, {conflict.status}, "
                f"since {moment(conflict.first_seen_at, zone)}",
                "bold",
            ),
            cell(f"in the source hris_id {conflict.hris_id}", "dim"),
            cell(f"user {conflict.user_id}, hris_id {conflict.user.get('hris_id') or 'none'}", "dim"),
        ]
        keys = [
            key for key in conflict.user if key != "hris_id" and (conflict.user.get(key) or conflict.incoming.get(key))
        ]
        rows = [(key, conflict.incoming.get(key), conflict.user.get(key)) for key in keys]
        renderables += [table(("", "in the source", "as a user"), rows)]
        if conflict.status == "open":
            choices = [
                f"--link {conflict.user_id}",
                "--create",
                "--ignore",
            ]
            renderables += [cell(f"hris resolve {conflict.conflict_id} {' | '.join(choices)}", "bold")]
        renderables += [""]
    return CommandResult(payload, renderables or [cell("No conflicts.")])


def _masked(conflict: Conflict) -> Conflict:
    def hidden(record: dict[str, Any]) -> dict[str, Any]:
        return {key: mask_value(key, value) for key, value in record.items()}

    return replace(conflict, incoming=hidden(conflict.incoming), user=hidden(conflict.user))


def resolve(
    subject: Annotated[
        str | None,
        typer.Argument(
            metavar="CONFLICT_ID|NAME", help="A conflict; with --relink an integration.", show_default=False
        ),
    ] = None,
    link: Annotated[str | None, typer.Option(metavar="USER_ID", help="It is that user, as listed.")] = None,
    restore: Annotated[
        bool, typer.Option("--restore", help="With --link: also switch on again a user whom a person archived.")
    ] = False,
    create: Annotated[
        bool, typer.Option("--create", help="It is somebody new; about an EmployeeId only once the other has left.")
    ] = False,
    ignore: Annotated[bool, typer.Option("--ignore", help="Leave them out from now on.")] = False,
    relink: Annotated[
        bool,
        typer.Option("--relink", help="Link all EmployeeId conflicts of the integration: the source's ids changed."),
    ] = False,
) -> CommandResult:
    """The decision is remembered; the next preview follows it. `hris resolve NAME --relink` decides all conflicts about
    EmployeeIds of one integration at once.
    """
    options: dict[Decision, bool] = {"link": link is not None, "create": create, "ignore": ignore}
    decisions = [decision for decision, is_given in options.items() if is_given]
    if relink:
        return _relinked(subject, nothing_else=not decisions and not restore)
    if subject is None or len(decisions) != 1:
        raise UsageError("Give one conflict and one decision: CONFLICT_ID and --link USER_ID, --create or --ignore.")
    if restore and link is None:
        raise UsageError("--restore goes with --link USER_ID: it switches the linked user on again.")
    with open_services() as services:
        name = read_conflict(services, subject).integration
        with deciding(services, name, "resolve", subject):
            decided = _masked(decide(services, subject, decisions[0], actor(), user_id=link, restore=restore))
    line = f"Decided: {decided.resolution}. The next preview follows it: hris preview {decided.integration}"
    return CommandResult(vars(decided), [cell(line, "bold")])


def _relinked(name: str | None, *, nothing_else: bool) -> CommandResult:
    if name is None or not nothing_else:
        raise UsageError("--relink decides all EmployeeId conflicts at once: hris resolve NAME --relink, nothing else.")
    with open_services() as services, deciding(services, name, "relink"):
        number = relink_by_employee_id(services, name, actor())
    linked = f"{number} conflict{'' if number == 1 else 's'} linked by EmployeeId"
    line = f"{linked}. See what that means before saving: hris preview {name}"
    return CommandResult({"integration": name, "linked": number}, [cell(line, "bold")])
