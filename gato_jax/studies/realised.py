"""Whether a run drew the rows that its mixture planned."""

from collections.abc import Mapping
from typing import Any

from scipy.stats import binomtest

from data_pipelines.config import DataConfig

FALSE_ALARMS = 1e-6
"""Probability with which a task of a right stream is called wrong: over a thousand runs of ten tasks, 1 %."""


def check_rows(rows: Mapping[str, int], data: DataConfig) -> dict[str, dict[str, Any]]:
    """Task -> {"rows", "share", "planned", "p", "within"}: an exact binomial test of each task within its row group.

    A group's rows are dealt exactly, and inside a group every row is an independent draw. Holds for fixed weights.
    """
    planned = data.mixture.realised_shares(data.stream.virtual_shards)
    total, found = sum(rows.values()), {}
    for group in data.mixture.groups.values():
        drawn, share = sum(rows[task] for task in group.tasks), sum(planned[task] for task in group.tasks)
        for task in group.tasks:
            inside = min(planned[task] / share, 1.0)
            p = float(binomtest(int(rows[task]), int(drawn), inside).pvalue)
            found[task] = {
                "rows": int(rows[task]),
                "share": rows[task] / total,
                "planned": planned[task],
                "p": p,
                "within": p >= FALSE_ALARMS,
            }
    return found
