"""Conflicts: people held back until somebody decides who they are."""

from dataclasses import replace
from typing import Annotated, Any

import typer

from hris_pipeline.cli.common import IntegrationArgument, Reveal, actor, open_services
from hris_pipeline.cli.printing import CommandResult, cell, mask, moment, table
from hris_pipeline.errors import UsageError
from hris_pipeline.operations.conflicts import Conflict, Decision, open_conflicts, relink_by_employee_id
from hris_pipeline.operations.conflicts import resolve as decide

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
        found = [one if reveal else _masked(one) for one in open_conflicts(services, name, statuses)]
    told = {"integration": name, "conflicts": [vars(one) for one in found]}
    shown: list[Any] = []
    for one in found:
        shown += [cell(f"{one.conflict_id}  {one.kind}, {one.status}, since {moment(one.first_seen_at)}", "bold")]
        keys = [key for key in one.user if one.user.get(key) or one.incoming.get(key)]
        rows = [(key, one.incoming.get(key), one.user.get(key)) for key in keys]
        shown += [table(("", "in the source", f"user {one.user_id}"), rows), ""]
    if found:
        shown += [cell("To decide one: hris resolve CONFLICT_ID --link USER_ID | --create | --ignore", "bold")]
    return CommandResult(told, shown or [cell("No conflicts.")])


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
    given: dict[Decision, bool] = {"link": link is not None, "create": create, "ignore": ignore}
    chosen = [decision for decision, wanted in given.items() if wanted]
    if relink is not None:
        return _relinked(relink, conflict_id, chosen)
    if conflict_id is None or len(chosen) != 1:
        raise UsageError("Give one conflict and one decision: CONFLICT_ID and --link USER_ID, --create or --ignore.")
    with open_services() as services:
        decided = _masked(decide(services, conflict_id, chosen[0], actor(), user_id=link))
    line = f"Decided: {decided.resolution}. The next preview follows it: hris preview {decided.integration}"
    return CommandResult(vars(decided), [cell(line, "bold")])


def _relinked(name: str, conflict_id: str | None, chosen: list[Decision]) -> CommandResult:
    if conflict_id is not None or chosen:
        raise UsageError("--relink decides all EmployeeId conflicts at once: give nothing beside it.")
    with open_services() as services:
        number = relink_by_employee_id(services, name, actor())
    line = f"{number} conflicts linked by EmployeeId. See what that means before saving: hris preview {name}"
    return CommandResult({"integration": name, "linked": number}, [cell(line, "bold")])
