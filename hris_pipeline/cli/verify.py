"""Checking the store against its own history."""

from hris_pipeline.cli.common import Name, opened
from hris_pipeline.cli.printing import Answer, table, text
from hris_pipeline.operations.verifying import verify as check

__all__ = ["verify"]


def verify(name: Name) -> Answer:
    """Computes every import's digest again from its rows, and compares the users with what the imports left. Exit 1
    when something was written behind the pipeline's back.
    """
    with opened() as services:
        found = check(services, name)
    told = {
        "integration": name,
        "ok": found.ok,
        "imports_checked": found.imports_checked,
        "altered": found.altered,
        "erased": found.erased,
        "divergences": [vars(one) for one in found.divergences],
        "first": found.first,
    }
    if found.ok:
        return Answer(told, [text(f"{found.imports_checked} imports and every user agree with the history.", "green")])
    lines = [("import", import_id, "rows changed after it was planned") for import_id in found.altered]
    lines += [
        ("user", one.user_id, f"{', '.join(one.fields) or 'row gone'}, since import {one.import_id}")
        for one in found.divergences
    ]
    return Answer(told, [text(found.first, "bold red"), table(("what", "which", "how"), lines)], 1)
