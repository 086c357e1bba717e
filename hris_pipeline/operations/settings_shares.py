"""What the people of an extract say of some settings. It stands apart from ``settings`` because it works on frames,
which most changes of settings do not need."""

from hris_pipeline.errors import Problem
from hris_pipeline.operations.mapping import who_was_asked
from hris_pipeline.operations.services import Services
from hris_pipeline.operations.settings import Shares
from hris_pipeline.operations.transformation import read_employees
from hris_pipeline.settings.document import Rule, Settings
from hris_pipeline.settings.mapping import effective_mapping, effective_metadata
from hris_pipeline.settings.rules import match_rule, matches_everybody
from hris_pipeline.settings.values import custom_label
from hris_pipeline.sources.protocol import Manifest
from hris_pipeline.transform.columns import as_text, is_in
from hris_pipeline.transform.source_columns import SourceColumns

__all__ = ["read_shares"]


def read_shares(services: Services, manifest: Manifest, settings: Settings) -> Shares:
    """The shares among the people of an extract.

    Raises:
        FrameInvalid: the extract as a whole cannot be used.
    """
    employees = read_employees(services, manifest, settings).employees
    columns = SourceColumns(employees, manifest.company)
    asked = SourceColumns(who_was_asked(employees, manifest), manifest.company)
    warnings: tuple[Problem, ...] = ()
    if not manifest.with_custom_fields and len(manifest.sampled):
        warnings = tuple(
            Problem(f"do_not_import[{index}]", f"rule {rule.name!r} matches all {manifest.asked} people asked so far")
            for index, rule in enumerate(settings.do_not_import)
            if _asks_custom_fields(rule) and matches_everybody(rule, asked)
        )
    return Shares(_rule_shares(settings, manifest, columns), _reference_shares(settings, columns, asked), warnings)


def _rule_shares(settings: Settings, manifest: Manifest, columns: SourceColumns) -> dict[str, float]:
    """Of each rule that can be tried, the share of people who match it."""
    return {
        rule.name: float(match_rule(rule, columns).mean())
        for rule in settings.do_not_import
        if manifest.with_custom_fields or not _asks_custom_fields(rule)
    }


def _reference_shares(settings: Settings, columns: SourceColumns, asked: SourceColumns) -> dict[str, float]:
    """Of each associated metadata field that has values, among those asked, the share of them that name somebody."""
    named_by = {"hris_id", "justworks_id", effective_mapping(settings).get("employee_id", "justworks_id")}
    known = {name for source in named_by for name in as_text(columns(source)).dropna()}
    given = {
        entry.name: as_text((columns if custom_label(entry.source) is None else asked)(entry.source)).dropna()
        for entry in effective_metadata(settings)
        if entry.type == "associated"
    }
    return {name: float(is_in(values, known).mean()) for name, values in given.items() if len(values)}


def _asks_custom_fields(rule: Rule) -> bool:
    """Whether the rule needs custom field values: of everybody they are only read when something in force names one."""
    return any(custom_label(condition.field) is not None for condition in rule.conditions)
