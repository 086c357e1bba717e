"""Values that only one user of a directory may hold: who keeps, who gets, who goes without."""

import pandas as pd

from hris_pipeline.frames.columns import is_in, true

__all__ = ["losers"]


def losers(claims: pd.DataFrame, others: pd.Series) -> pd.Series:
    """Which claims on unique values must fail, whatever the order of the rows.

    Whoever has a value keeps it, unless they move to another one themselves; a claim that fails falls back to what
    the claimant has, which can make another claim fail in turn. Among newcomers the smallest ``order`` wins.

    Args:
        claims: ``wanted`` (null: wants none), ``held`` (null: has none; unique) and ``order`` (text, unique), one row
            a person.
        others: Values held by people who claim nothing.

    Returns:
        A boolean Series on the index of ``claims``.
    """
    failed = pd.Series(False, index=claims.index)
    while True:
        final = claims["wanted"].mask(failed, claims["held"])
        contested = final.notna() & (final.duplicated(keep=False) | is_in(final, others))
        if not contested.any():
            return failed
        group = claims[contested].assign(final=final[contested], keeps=true(final == claims["held"])[contested])
        group = group.sort_values(["keeps", "order"], ascending=[False, True])
        losing = ~group["keeps"] & (group["final"].duplicated() | is_in(group["final"], others))
        if not losing.any():
            return failed
        failed.loc[group.index[losing]] = True
