"""Studies over rows that need no data, and sweep directories with made-up losses."""

import dataclasses
import importlib.util
import pathlib
import sys

import pytest

from data_pipelines.atomic_files import write_bytes
from gato_jax.studies import designs
from gato_jax.studies.plan import run_directory, write_plan
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
        runs = write_plan(study, out)
        for run in runs:
            experiment = study.experiment(run)
            plain = dataclasses.replace(experiment, train=dataclasses.replace(experiment.train, evaluate_every=0))
            write_bytes(run_directory(out, run) / "experiment.json", plain.to_json().encode())
        return runs

    return write


@pytest.fixture(scope="session")
def made():
    """The module `made.py` beside this file."""
    spec = importlib.util.spec_from_file_location("made", pathlib.Path(__file__).with_name("made.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules["made"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def fitted_sweep(made, tmp_path_factory):
    """A made-up sweep and its fit. Copy it before you change it."""
    from gato_jax.studies.laws import analysis

    out = made.sweep(tmp_path_factory.mktemp("made") / "sweep")
    return out, analysis.fit(out, samples=6)
