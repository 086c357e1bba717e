"""Settings against the last extract: what is possible in itself but cannot be meant for this company's people."""

from collections.abc import Collection, Mapping

from hris_pipeline.errors import Problem
from hris_pipeline.settings.document import Settings, named_sources
from hris_pipeline.settings.suggest import suggestion
from hris_pipeline.settings.validating import place
from hris_pipeline.settings.values import custom_label

__all__ = ["check_against_extract"]


def check_against_extract(
    settings: Settings,
    known_custom_labels: Collection[str],
    rule_shares: Mapping[str, float],
    reference_shares: Mapping[str, float],
) -> tuple[list[Problem], list[Problem]]:
    """(errors, warnings): errors must keep the settings from being stored, warnings are shown.

    Args:
        settings: what is about to be stored.
        known_custom_labels: labels of the custom fields that the company defines.
        rule_shares: rule name → share (0 to 1) of the extract's employees who match it; empty without employees.
        reference_shares: name of an associated metadata field → share (0 to 1) of its values that are somebody's
            EmployeeId; left out where it has no values.
    """
    errors = [
        Problem(place(path), f"the company has no custom field {label!r}.{suggestion(label, known_custom_labels)}")
        for path, source in named_sources(settings)
        if (label := custom_label(source)) is not None and label not in known_custom_labels
    ]
    errors += [
        Problem(f"do_not_import[{index}]", f"rule {rule.name!r} matches everybody; nobody would be imported")
        for index, rule in enumerate(settings.do_not_import)
        if rule_shares.get(rule.name, 0) >= 1
    ]
    warnings = [
        Problem(f"metadata[{index}]", f"no value of {entry.source} is anybody's EmployeeId, as type: associated needs")
        for index, entry in enumerate(settings.metadata)
        if entry.type == "associated" and reference_shares.get(entry.name, 1) <= 0
    ]
    return errors, warnings
