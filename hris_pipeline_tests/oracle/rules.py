"""Sources of the mapping, and rules over them: what a record has there, and whether a rule matches it."""

from datetime import date
from decimal import Decimal, InvalidOperation

from .model import Employee, Value
from .settings import Condition, Rule
from .text import key, read_date


def source_value(employee: Employee, source: str) -> Value:
    """The value of an employee column or `custom:LABEL` (or `custom:ID`)."""
    if source.startswith("custom:"):
        name = source.removeprefix("custom:")
        return employee.custom_fields.get(employee.custom_labels.get(name, name))
    value: Value = getattr(employee, source)
    return value


def is_unread(employee: Employee, source: str) -> bool:
    if source.startswith("custom:"):
        name = source.removeprefix("custom:")
        return f"custom:{employee.custom_labels.get(name, name)}" in employee.unread
    return source in employee.unread


def is_blank(value: object) -> bool:
    return value is None or value in ("", ())


def rule_matches(rule: Rule, employee: Employee) -> bool:
    if rule.all:
        return all(holds(condition, employee) for condition in rule.all)
    return any(holds(condition, employee) for condition in rule.any)


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date):
        return value.isoformat()
    return key(str(value))


def _ordered(left: str, right: object) -> int | None:
    """-1, 0 or 1; None when the two cannot be compared. Dates with dates, numbers with numbers."""
    left_date, right_date = read_date(left), read_date(_plain(right))
    if left_date is not None and right_date is not None:
        return (left_date > right_date) - (left_date < right_date)
    try:
        left_number, right_number = Decimal(left), Decimal(_plain(right))
    except InvalidOperation:
        return None
    if not (left_number.is_finite() and right_number.is_finite()):
        return None
    return (left_number > right_number) - (left_number < right_number)


def holds(condition: Condition, employee: Employee) -> bool:
    value = source_value(employee, condition.field)
    unread = is_unread(employee, condition.field)
    operator = condition.operator
    if operator == "is_empty":
        return is_blank(value) and not unread
    if operator == "is_not_empty":
        return not is_blank(value) or unread
    if unread:
        return False
    texts = [] if is_blank(value) else [_plain(item) for item in (value if isinstance(value, tuple) else (value,))]
    value_of_rule = condition.value
    options = (
        [_plain(item) for item in value_of_rule] if isinstance(value_of_rule, list | tuple) else [_plain(value_of_rule)]
    )
    if operator in ("equals", "in"):
        return any(text in options for text in texts)
    if operator in ("not_equals", "not_in"):
        return all(text not in options for text in texts)
    if operator == "contains":
        return any(_plain(value_of_rule) in text for text in texts)
    if operator == "starts_with":
        return any(text.startswith(_plain(value_of_rule)) for text in texts)
    if operator == "ends_with":
        return any(text.endswith(_plain(value_of_rule)) for text in texts)
    orders = [order for order in (_ordered(text, value_of_rule) for text in texts) if order is not None]
    if operator == "before":
        return any(order < 0 for order in orders)
    if operator == "after":
        return any(order > 0 for order in orders)
    if operator == "at_least":
        return any(order >= 0 for order in orders)
    if operator == "at_most":
        return any(order <= 0 for order in orders)
    raise ValueError(f"unknown operator {operator}")
