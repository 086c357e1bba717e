"""Conflicts: people held back until somebody decides who they are."""

from dataclasses import replace
from typing import Annotated, Any

import typer

from hris_pipeline.cli.common import IntegrationArgument, Reveal, actor, open_services
from hris_pipeline.cli.printing import CommandResult, cell, moment, table
from hris_pipeline.errors import UsageError
from hris_pipeline.operations.conflicts import Conflict, Decision, open_conflicts, relink_by_employee_id
from hris_pipeline.operations.conflicts import resolve as decide
from hris_pipeline.operations.masking import mask

__all__ = ["conflicts", "resolve"]

PRIVATE = frozenset({"first_name", "last_name", "email", "birth_date"})


def conflicts(
    name: IntegrationArgument,
    reveal: Reveal = False,
    all_: Annotated[bool, typer.Option("--all", help="Also those that are decided or gone.")] = False,
) -> CommandResult:
    """Both records of every conflict side by side: the person as the source has them, and the user they collide with.
    Names, emails and birth dates are masked unless `--reveal` is given.
    """
    with open_services() as services:
        statuses = ("open", "resolved", "gone") if all_ else ("open",)
        listed = [conflict if reveal else _masked(conflict) for conflict in open_conflicts(services, name, statuses)]
    payload = {"integration": name, "conflicts": [vars(conflict) for conflict in listed]}
    renderables: list[Any] = []
    for conflict in listed:
        renderables += [
            cell(
                f"{conflict.conflict_id}  {conflict.kind}, {conflict.status}, since {moment(conflict.first_seen_at)}",
                "bold",
            )
        ]
        keys = [key for key in conflict.user if conflict.user.get(key) or conflict.incoming.get(key)]
        rows = [(key, conflict.incoming.get(key), conflict.user.get(key)) for key in keys]
        renderables += [table(("", "in the source", f"user {conflict.user_id}"), rows), ""]
    if listed:
        renderables += [cell("To decide one: hris resolve CONFLICT_ID --link USER_ID | --create | --ignore", "bold")]
    return CommandResult(payload, renderables or [cell("No conflicts.")])


def _masked(conflict: Conflict) -> Conflict:
    def hidden(record: dict[str, Any]) -> dict[str, Any]:
        return {key: mask(value) if key in PRIVATE and value else value for key, value in record.items()}

    return replace(conflict, incoming=hidden(conflict.incoming), user=hidden(conflict.user))


def resolve(
    conflict_id: Annotated[str | None, typer.Argument(help="As `hris conflicts` lists it.", show_default=False)] = None,
    link: Annotated[str | None, typer.Option(metavar="USER_ID", help="It is that user.")] = None,
    create: Annotated[bool, typer.Option("--create", help="It is somebody new.")] = False,
    ignore: Annotated[bool, typer.Option("--ignore", help="Leave them out from now on.")] = False,
    relink: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Link all EmployeeId conflicts of the integration: the source's ids changed."
        ),
    ] = None,
) -> CommandResult:
    """The decision is remembered; the next preview follows it."""
    decisions: dict[Decision, bool] = {"link": link is not None, "create": create, "ignore": ignore}
    decided_on = [decision for decision, is_given in decisions.items() if is_given]
    if relink is not None:
        return _relinked(relink, conflict_id, decided_on)
    if conflict_id is None or len(decided_on) != 1:
        raise UsageError("Give one conflict and one decision: CONFLICT_ID and --link USER_ID, --create or --ignore.")
    with open_services() as services:
        decided = _masked(decide(services, conflict_id, decided_on[0], actor(), user_id=link))
    line = f"Decided: {decided.resolution}. The next preview follows it: hris preview {decided.integration}"
    return CommandResult(vars(decided), [cell(line, "bold")])


def _relinked(name: str, conflict_id: str | None, decided_on: list[Decision]) -> CommandResult:
    if conflict_id is not None or decided_on:
        raise UsageError("--relink decides all EmployeeId conflicts at once: give nothing beside it.")
    with open_services() as services:
        number = relink_by_employee_id(services, name, actor())
    line = f"{number} conflicts linked by EmployeeId. See what that means before saving: hris preview {name}"
    return CommandResult({"integration": name, "linked": number}, [cell(line, "bold")])
