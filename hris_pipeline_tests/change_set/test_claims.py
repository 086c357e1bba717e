"""Unique values: whoever has one keeps it, swaps work, and the order of people never matters."""

from itertools import permutations

import pandas as pd
import pytest

from hris_pipeline.change_set.desired_state import rejected_claims
from hris_pipeline.transform.columns import text_series

CASES: dict[str, tuple[dict[str, tuple[str | None, str | None]], list[str], set[str]]] = {
    # person: (claimed, held); values others keep; who fails
    "everybody keeps theirs": ({"a": ("1", "1"), "b": ("2", "2")}, [], set()),
    "a free value": ({"a": ("3", "1")}, ["2"], set()),
    "a value that somebody outside keeps": ({"a": ("2", "1")}, ["2"], {"a"}),
    "a value that somebody inside keeps": ({"a": ("2", "1"), "b": ("2", "2")}, [], {"a"}),
    "a swap": ({"a": ("2", "1"), "b": ("1", "2")}, [], set()),
    "a ring": ({"a": ("2", "1"), "b": ("3", "2"), "c": ("1", "3")}, [], set()),
    "a chain into a free value": ({"a": ("2", "1"), "b": ("3", "2")}, [], set()),
    "a chain into a kept value": ({"a": ("2", "1"), "b": ("3", "2")}, ["3"], {"a", "b"}),
    "two newcomers": ({"b": ("1", None), "a": ("1", None)}, [], {"b"}),
    "a newcomer against a holder": ({"a": ("1", None), "b": ("1", "1")}, [], {"a"}),
    "nobody wants anything": ({"a": (None, "1"), "b": (None, None)}, ["1"], set()),
    "a value given up": ({"a": (None, "1"), "b": ("1", None)}, [], set()),
    "a swap that a third wants into": ({"a": ("2", "1"), "b": ("1", "2"), "c": ("1", None)}, [], {"c"}),
    "winner who loses again": ({"a": ("2", None), "b": ("3", "2"), "c": ("2", None)}, ["3"], {"a", "b", "c"}),
}


@pytest.mark.parametrize(("claims", "others", "failing"), CASES.values(), ids=CASES)
def test_who_goes_without(
    claims: dict[str, tuple[str | None, str | None]], others: list[str], failing: set[str]
) -> None:
    for order in permutations(claims):
        frame = pd.DataFrame(
            {
                "claimed": text_series([claims[key][0] for key in order]),
                "held": text_series([claims[key][1] for key in order]),
                "order": text_series(order),
            }
        )
        failed = rejected_claims(frame, text_series(others))
        assert set(frame["order"][failed]) == failing
