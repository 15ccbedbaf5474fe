"""The study that is swept while it is killed: two mixtures of the tiny experiment, a few steps each."""

import dataclasses
from pathlib import Path

from experiments.chaos import tiny
from gato_jax.studies.designs import Point
from gato_jax.studies.study import Study

SHARES = {"even": 0.5, "text": 0.75}


def study(directory: str | Path) -> Study:
    """Of the recorded tasks in `directory`."""
    base = tiny.experiment()
    train = dataclasses.replace(base.train, steps=100, checkpoint_every=20, evaluate_every=100, evaluate_rows=8)
    base = dataclasses.replace(base, train=train, data=dataclasses.replace(base.data, directory=str(directory)))
    points = tuple(Point(name, {"text": share, "metaworld": 1 - share}) for name, share in SHARES.items())
    domains = {name: group.tasks for name, group in tiny.GROUPS.items()}
    return Study("chaos", base, domains, design=points)
