"""Random valid settings documents, as plain values."""

from typing import Any

from hypothesis import strategies as st

from hris_pipeline.settings.fields import USER_FIELDS
from hris_pipeline.settings.values import OPERATORS, SOURCE_COLUMNS, source_kind

__all__ = ["conditions", "documents", "labels"]

labels = (
    st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=12)
    .map(str.strip)
    .filter(lambda text: text != "")
)
_sources = st.sampled_from([name for name in SOURCE_COLUMNS if name != "class_code"]) | labels.map("custom:{}".format)
_texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8).filter(
    lambda text: text.strip() != ""
)
_dates = st.dates().map(lambda day: day.isoformat())
_numbers = st.integers(-(10**6), 10**6) | st.floats(-1e6, 1e6).map(lambda number: round(number, 3))
_values: dict[str, st.SearchStrategy[Any]] = {
    "nothing": st.none(),
    "text": _texts,
    "texts": st.lists(_texts, min_size=1, max_size=3),
    "date": _dates,
    "dates": st.lists(_dates, min_size=1, max_size=3),
    "flag": st.booleans(),
    "number": _numbers,
    "number or date": _numbers | _dates,
}


@st.composite
def conditions(draw: st.DrawFn, sources: st.SearchStrategy[str] = _sources) -> dict[str, Any]:
    """A condition that is possible for its field."""
    source = draw(sources)
    kind = source_kind(source)
    operator = draw(st.sampled_from([name for name, kinds in OPERATORS.items() if kind in kinds]))
    return {"field": source, "operator": operator, "value": draw(_values[OPERATORS[operator][kind]])}


_rules = st.builds(
    lambda name, group, asked, archive: {"name": name, group: asked, "archive_existing": archive},
    labels,
    st.sampled_from(["all", "any"]),
    st.lists(conditions(), min_size=1, max_size=3),
    st.booleans(),
)
_headers = {"".join(field.header.split()).casefold() for field in USER_FIELDS if field.header}
_metadata = st.fixed_dictionaries(
    {
        "name": labels.filter(lambda name: "".join(name.split()).casefold() not in _headers),
        "source": _sources,
        "type": st.sampled_from(["default", "associated", "hidden"]),
    }
)
_percent = st.floats(0, 100)
_people = st.integers(1, 10**6)


def _by_name(entries: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(entries, max_size=4, unique_by=lambda entry: entry["name"].casefold())


documents: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "display_name": labels,
        "directory": st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True),
        "archive_employees": st.booleans(),
        "hire_date_priority": st.sampled_from(["original", "latest"]),
        "do_not_import": _by_name(_rules),
        "do_not_archive": st.lists(labels | st.from_regex(r"0{0,3}[0-9]{1,4}", fullmatch=True), max_size=4),
        "exclude_fields": st.lists(
            st.sampled_from([f.name for f in USER_FIELDS if f.name != "employee_id"]), max_size=3
        ),
        "import_days_before_start": st.integers(0, 90),
        "frequency": st.sampled_from(["daily", "weekly", "monthly"]),
        "at": st.builds("{:02}:{:02}".format, st.integers(0, 23), st.sampled_from([0, 15, 30, 45])),
        "time_zone": st.sampled_from(["UTC", "Asia/Tokyo", "Etc/GMT+11", "America/Argentina/Buenos_Aires"]),
        "mapping": st.dictionaries(
            st.sampled_from([field.name for field in USER_FIELDS]), labels.map("custom:{}".format), max_size=3
        ),
        "metadata": _by_name(_metadata),
        "guards": st.fixed_dictionaries(
            {},
            optional={
                "archive_limit": st.fixed_dictionaries({"percent": _percent, "people": _people}),
                "field_wipe": st.fixed_dictionaries({"min_people": _people}),
            },
        ),
        "notify": st.lists(
            st.fixed_dictionaries(
                {"to": st.sampled_from(["slack://a/b", "mailto://u:p@h"])}, optional={"on": st.just(["held"])}
            ),
            max_size=2,
        ),
    },
)
"""Documents of ``source: justworks`` that are valid."""
