"""The table of roles in docs/security.md, read as people read it."""

from dataclasses import dataclass
from pathlib import Path

from hris_pipeline.environment import ROLES, Role

__all__ = ["DocumentedAction", "documented_actions"]

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
FACES = ("console", "job in Dagster", "`hris`")


@dataclass(frozen=True)
class DocumentedAction:
    """One line: the action, who may, and what of it each face has."""

    action: str
    roles: tuple[Role, ...]
    pages: tuple[str, ...]
    jobs: tuple[str, ...]
    commands: tuple[str, ...]


def documented_actions() -> tuple[DocumentedAction, ...]:
    """Every line of the table."""
    lines = [_cells(line) for line in PAGE.read_text().splitlines() if line.startswith("|")]
    start = lines.index(["action", *ROLES, *FACES])
    rows = []
    for line in lines[start + 2 :]:
        if len(line) != len(lines[start]):
            break
        roles = tuple(role for role, cell in zip(ROLES, line[1:], strict=False) if cell == "yes")
        rows.append(DocumentedAction(_names(line[0])[0], roles, *map(_names, line[1 + len(ROLES) :])))
    return tuple(rows)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _names(cell: str) -> tuple[str, ...]:
    return tuple(name.strip("` ") for name in cell.split(",") if name.strip())
