"""The rate and the time that is left, as a person watches them."""

import pytest

from gato_jax.config import MeshConfig
from gato_jax.sharding import make_mesh
from gato_jax.training.logging import throughput
from gato_jax.training.logging.throughput import Speed, peak_flops, steps_within, tokens_per_step
from gato_jax.training.step.spec import step_spec


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves."""
    now = [100.0]
    monkeypatch.setattr(throughput.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture(scope="module")
def spec(tiny):
    return step_spec(tiny.tiny_experiment())


def test_the_first_step_is_not_in_the_rate(spec, clock):
    """It waits 60 s for the pipelines; every other step takes a quarter of a second."""
    speed = Speed(spec, step=0, steps=200)
    clock[0] += 60
    speed.first_step_done(1)
    for done in range(10, 200, 10):
        clock[0] += 0.25 * (9 if done == 10 else 10)
        measured = speed.measure(done)
        assert measured["tokens_per_second"] == pytest.approx(tokens_per_step(spec) / 0.25)
        assert measured["eta_seconds"] == pytest.approx((200 - done) * 0.25)


def test_a_record_of_every_step(spec, clock):
    """The first step, which compiles and waits, says nothing of the others."""
    speed = Speed(spec, step=7, steps=10)
    clock[0] += 30
    speed.first_step_done(8)
    first = speed.measure(8)
    assert "eta_seconds" not in first
    assert first["tokens_per_second"] == pytest.approx(tokens_per_step(spec) / 30)
    clock[0] += 2
    assert speed.measure(9)["eta_seconds"] == pytest.approx(2)


def test_the_time_left_follows_a_change_of_speed(spec, clock):
    speed = Speed(spec, step=0, steps=10_000)
    speed.first_step_done(1)
    for done in range(10, 2000, 10):
        clock[0] += 10 * (1.0 if done <= 1000 else 3.0)
        measured = speed.measure(done)
    assert measured["eta_seconds"] == pytest.approx((10_000 - done) * 3.0)


def test_a_long_budget_is_a_number_of_steps():
    assert steps_within(1e300, each=0.01) == 2**31 - 1
    assert steps_within(1.0, each=1.0) == throughput.TIMED_STEPS


def test_no_peak_is_missed_on_a_cpu():
    said = []
    assert peak_flops(None, make_mesh(MeshConfig()), said.append) is None
    assert peak_flops(1.0, make_mesh(MeshConfig()), said.append) == 1e12
    assert said == []
