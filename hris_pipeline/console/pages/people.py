"""What the data is for: milestones, who reports to whom, headcounts; the user file, to look at and to take along; and
erasing a person."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import pyarrow as pa
from starlette.responses import Response

from hris_pipeline.console.visit import Page, Visit
from hris_pipeline.errors import UnknownName
from hris_pipeline.operations.users import erase as erase_person
from hris_pipeline.operations.users import milestones, read_active_users, reporting, user_file_frame
from hris_pipeline.store.integrations import current_settings
from hris_pipeline.transform.columns import to_records
from hris_pipeline.transform.user_file import USER_FILES

__all__ = ["PAGES"]

MOST_NODES = 1000
MOST_BARS = 12
ROWS = 50
MILESTONES: Mapping[str, tuple[str, str]] = {
    "service_anniversary": ("year of service", "years of service"),
    "onboarding": ("day on board", "days on board"),
    "birthday": ("birthday", "birthday"),
}


@dataclass
class Node:
    """Somebody in the tree of reporting lines; ``size`` counts everybody below."""

    employee_id: str
    name: str
    reports: list["Node"] = field(default_factory=list)
    size: int = 0


def show(visit: Visit) -> Response:
    """Milestones, the tree, the plots."""
    with visit.services.store.read() as connection:
        settings = current_settings(connection, visit.name).settings
        users = read_active_users(connection, visit.name, settings)
    names = _names_by_user(users)
    upcoming = to_records(milestones(visit.services, visit.name))
    _, counts = reporting(visit.services, visit.name)
    roots, left_out = _build_tree(users, names)
    return visit.page(
        "people.html",
        place="people",
        total=len(users),
        milestones=[(line, names.get(line["user_id"], "")) for line in upcoming],
        milestone_words=MILESTONES,
        roots=roots,
        left_out=left_out,
        plots=_bars_by_dimension(to_records(counts)),
    )


def _names_by_user(users: pd.DataFrame) -> dict[str, str]:
    parts = users[["user_id", "first_name", "last_name"]].astype(object).where(lambda frame: frame.notna(), "")
    return {user_id: f"{first} {last}".strip() for user_id, first, last in parts.itertuples(index=False)}


def _build_tree(users: pd.DataFrame, names: Mapping[str, str]) -> tuple[list[Node], int]:
    """The people at the top with everybody below, as many as a page can hold; and how many it cannot. Of a cycle one
    stands at the top."""
    lines = users[["user_id", "employee_id", "supervisor_id"]].astype(object)
    people = list(lines.where(lines.notna(), None).itertuples(index=False, name=None))
    reports: dict[str | None, list[str]] = {}
    present = {employee_id for _, employee_id, _ in people}
    for _, employee_id, supervisor_id in people:
        top = supervisor_id not in present or supervisor_id == employee_id
        reports.setdefault(None if top else supervisor_id, []).append(employee_id)
    nodes: dict[str, Node] = {}
    named = {employee_id: names[user_id] for user_id, employee_id, _ in people}
    roots = [_grow_tree(root, reports, named, nodes) for root in reports.get(None, []) if len(nodes) < MOST_NODES]
    roots += [_grow_tree(key, reports, named, nodes) for key in named if key not in nodes and len(nodes) < MOST_NODES]
    return sorted(roots, key=lambda node: -node.size), len(people) - len(nodes)


def _grow_tree(
    root: str, reports: Mapping[str | None, list[str]], named: Mapping[str, str], nodes: dict[str, Node]
) -> Node:
    """Builds the tree below somebody, level by level and without recursion (chains may be long), from people who are
    not in it yet."""
    nodes[root] = Node(root, named[root])
    order = [nodes[root]]
    for node in order:
        for key in reports.get(node.employee_id, ()):
            if key not in nodes and len(nodes) < MOST_NODES:
                nodes[key] = Node(key, named[key])
                node.reports.append(nodes[key])
                order.append(nodes[key])
    for node in reversed(order):
        node.size = sum(report.size + 1 for report in node.reports)
    return nodes[root]


def _bars_by_dimension(counts: list[dict[str, Any]]) -> dict[str, list[tuple[str, int]]]:
    """The largest of each dimension, the others together."""
    plots: dict[str, list[tuple[str, int]]] = {}
    for line in counts:
        plots.setdefault(line["dimension"], []).append((line["value"] or "not stated", int(line["active_count"])))
    for dimension, bars in plots.items():
        if len(bars) > MOST_BARS:
            others = bars[MOST_BARS - 1 :]
            plots[dimension] = [*bars[: MOST_BARS - 1], (f"{len(others)} others", sum(count for _, count in others))]
    return plots


def user_file(visit: Visit) -> Response:
    """The user file, a page at a time."""
    frame = user_file_frame(visit.services, visit.name)
    page, pages = visit.page_of(len(frame), ROWS)
    part = frame.iloc[(page - 1) * ROWS : page * ROWS]
    return visit.page(
        "user_file.html",
        place="",
        columns=list(frame.columns),
        rows=part.astype(object).where(part.notna(), "").to_numpy().tolist(),
        total=len(frame),
        page=page,
        pages=pages,
    )


MEDIA_TYPES: Mapping[str, str] = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
}


def download(visit: Visit) -> Response:
    """The user file, the milestones, the reporting lines or the headcounts, to take along."""
    dataset, _, ending = visit.route["file"].rpartition(".")
    if dataset not in _FRAMES or f".{ending}" not in USER_FILES:
        raise UnknownName(f"There is no such file: there are {', '.join(_FRAMES)}, as {' or '.join(USER_FILES)}.")
    frame = _FRAMES[dataset](visit)
    name = f"{visit.name}-{dataset}.{ending}"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(USER_FILES[f".{ending}"](frame), media_type=MEDIA_TYPES[ending], headers=headers)


def _reporting_lines(visit: Visit) -> pd.DataFrame:
    lines, _ = reporting(visit.services, visit.name)
    return _as_text(lines)


def _read_headcounts(visit: Visit) -> pd.DataFrame:
    _, counts = reporting(visit.services, visit.name)
    return _as_text(counts)


def _as_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Lists joined, everything else as it reads."""
    columns = {
        name: [", ".join(value) if isinstance(value, list) else "" if value is None else str(value) for value in values]
        for name, values in pa.Table.from_pandas(frame, preserve_index=False).to_pydict().items()
    }
    return pd.DataFrame(columns, dtype="string[pyarrow]")


_FRAMES: Mapping[str, Callable[[Visit], pd.DataFrame]] = {
    "user-file": lambda visit: user_file_frame(visit.services, visit.name),
    "milestones": lambda visit: _as_text(milestones(visit.services, visit.name)),
    "reporting-lines": _reporting_lines,
    "headcounts": _read_headcounts,
}


def erase(visit: Visit) -> Response:
    """Erases a person for good, the id typed twice; who it was stands in no message."""
    known_as = visit.text("erase_id")
    if not known_as or visit.text("erase_again") != known_as:
        field_name = "erase_again" if known_as else "erase_id"
        visit.problems[field_name] = "Type the same id twice: erasing cannot be taken back."
        return show(visit)
    from hris_pipeline.cli.jobs import frames_remover  # noqa: PLC0415 - others need no Dagster

    try:
        with visit.deciding("erase"):
            erase_person(
                visit.services,
                visit.name,
                known_as,
                visit.actor,
                remove_frames=frames_remover(visit.services.environment),
            )
    except UnknownName as error:
        visit.problems["erase_id"] = str(error)
        return show(visit)
    words = "The person is erased. As long as the source lists them, the next import holds them again."
    return visit.go(f"/i/{visit.name}/people", words)


PAGES = (
    Page("/i/{name}/people", "see_people", show),
    Page("/i/{name}/people/erase", "erase", erase, "POST"),
    Page("/i/{name}/user-file", "see_people", user_file),
    Page("/i/{name}/files/{file}", "see_people", download),
)
