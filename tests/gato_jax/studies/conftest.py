"""Studies over rows that need no data."""

import dataclasses

import pytest

from gato_jax.files import write_bytes
from gato_jax.studies import designs, sweep
from gato_jax.studies.study import Study

DOMAINS = {"one": ("a.one",), "two": ("a.two",), "three": ("v.three",)}


@pytest.fixture
def study(tiny):
    """Three mixtures of three tasks, two steps each."""
    base = tiny.tiny_experiment(steps=2, checkpoint_every=1)
    train = dataclasses.replace(base.train, evaluate_every=1)
    return Study(
        "tiny", dataclasses.replace(base, train=train), DOMAINS, designs.sobol(tuple(DOMAINS), 3, least=0.1), seeds=(0,)
    )


@pytest.fixture
def plan():
    """Writes a study's plan with runs that do not validate, as synthetic rows have no validation split."""

    def write(study, out):
        runs = sweep.write_plan(study, out)
        for run in runs:
            experiment = study.experiment(run)
            plain = dataclasses.replace(experiment, train=dataclasses.replace(experiment.train, evaluate_every=0))
            write_bytes(sweep.run_directory(out, run) / "experiment.json", plain.to_json().encode())
        return runs

    return write
