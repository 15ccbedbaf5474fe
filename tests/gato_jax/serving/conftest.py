"""One agent of the shared tiny run, and observations of its tasks."""

import json

import numpy as np
import pytest

import gato_jax
from data_pipelines.spec import Kind, TaskSpec

TASK = "metaworld.drawer_close"


@pytest.fixture(scope="session")
def agent(tiny_run, recorded_data):
    return gato_jax.Agent.load(tiny_run, data=recorded_data)


@pytest.fixture(scope="session")
def spec(recorded_data):
    text = (recorded_data / TASK / "spec.json").read_text()
    assert json.loads(text)["name"] == TASK
    return TaskSpec.from_json(text)


@pytest.fixture(scope="session")
def observe(spec):
    """Observations that depend on a number alone."""

    def one(number: int) -> dict:
        draws = np.random.default_rng(number)
        items = [item for item in spec.observation if item.kind is Kind.CONTINUOUS]
        assert len(items) == len(spec.observation)
        return {item.key: draws.normal(size=item.shape).astype(item.dtype) for item in items}

    return one
