"""The whole story on a made-up company."""

from rich.console import RenderableType

from hris_pipeline.cli.breakdown import breakdown
from hris_pipeline.cli.common import opened
from hris_pipeline.cli.demo_company import EMPLOYEES, add_company, connect_company, sandbox_running
from hris_pipeline.cli.jobs import run_import, run_preview, run_save
from hris_pipeline.cli.printing import Answer, table, tell, text
from hris_pipeline.operations.summary import ImportSummary, read_rows

__all__ = ["demo"]


def demo() -> Answer:
    """A sandbox serves a company of 500 over HTTP; the pipeline connects to it, previews and saves a first import, a
    week passes in the company, and a second import follows. Everything is kept in the store and in Dagster, to
    be looked at afterwards. Run again, it sets up another company beside the first.
    """
    with sandbox_running() as sandbox, opened(create=True) as services:
        name = add_company(services)
        tell(text(f"1. {name} is set up; a sandbox with {EMPLOYEES} employees answers at {sandbox.url}."))
        company = connect_company(services, sandbox, name)
        tell(text(f"2. Connected to {company} through its log-in form."))
        planned = run_preview(services, name)
        tell(text(f"3. Previewed: {planned.counts['created']} would be created, nobody is yet."))
        first = run_save(services, name, planned.import_id)
        tell(text(f"4. Saved: exactly that change set is applied ({first.counts['created']} users)."))
        events = sandbox.week_passes()
        tell(text(f"5. A week passes in the company: {len(events)} things happen."))
        later = run_import(services, name)
        rows = read_rows(services, later.import_id)
        tell(text(f"6. Imported again: {later.changes} users change."), "")
    told = {"integration": name, "first": first.document(), "later": later.document()}
    shown = [
        text("The first import", "bold underline"),
        *breakdown(first),
        "",
        text("A week later", "bold underline"),
        *breakdown(later, rows),
        "",
        *_next(name, first, later),
    ]
    return Answer(told, shown)


def _next(name: str, first: ImportSummary, later: ImportSummary) -> list[RenderableType]:
    lines = (
        (f"hris history {name}", "what was done, by whom, when"),
        (f"hris show {first.import_id} --rows", "every single change"),
        (f"hris conflicts {name}", "people who need a decision"),
        (f"hris undo {later.import_id}", f"plan to take the week back; then hris save {name}"),
        (f"hris user-file {name} -o users.csv", "the users as a spreadsheet"),
        ("hris ui", "the same in Dagster: assets, lineage, checks, runs"),
        ("hris setup NAME", "your own company"),
    )
    return [text("What to try now (hris is .venv/bin/hris)", "bold"), table(("", ""), lines)]
