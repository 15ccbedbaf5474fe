"""Sweep directories with made-up losses, for the tests of what is made from results."""

import importlib.util
import pathlib
import sys

import pytest


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
    from gato_jax.studies import analysis

    out = made.sweep(tmp_path_factory.mktemp("made") / "sweep")
    return out, analysis.fit(out, samples=6)
