"""One step, however it is laid out: meshes, microbatches, remat, gathering, budgets, kernels give the same update."""

import dataclasses
import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from data_pipelines.schema import RowGroup
from gato_jax import sharding
from gato_jax.config import Gather, Gradients, Kernel, MeshConfig, Positions, Remat, StepConfig
from gato_jax.training.step.budgets import overflows
from gato_jax.training.step.spec import full_size, resolved
from gato_jax.training.step.state import abstract_batches, course, init_state
from gato_jax.training.step.step import make_step

GROUP = RowGroup(("a.one", "a.two"), windows=1, window_length=16, patches=4)
ROWS = 16


def spec_of(tiny, *, model=None, group=GROUP, **step):
    from gato_jax.training.step.spec import step_spec

    experiment = tiny.tiny_experiment()
    base = {"positions": Positions.ROTARY, "stochastic_depth": 0.0, "scan_layers": True, "head_size": 16}
    spec = step_spec(experiment)
    return dataclasses.replace(
        spec,
        model=tiny.tiny_model(**{**base, **(model or {})}),
        loss=dataclasses.replace(spec.loss, observation_jitter=0),
        groups={"rows": group},
        rows={"rows": ROWS},
        loss_weights={"rows": 1.0},
        step=StepConfig(**step),
    )


def batch_of(tiny, group=GROUP):
    """Interval of width 1: no place is drawn, so that randomness does not tell layouts apart."""
    rows = tiny.rows(group, ROWS, 0)
    rows["patch_interval"][..., 1::2] = rows["patch_interval"][..., 0::2] + 1
    rows["patch_slot"][1::2, 2:] = group.length  # half of the patches
    rows["loss_mask"][:, : group.length // 2] = 0
    return rows


def two_steps(tiny, spec, mesh=None):
    """Parameters after two updates, and the metrics of the second."""
    mesh = mesh or sharding.make_mesh(MeshConfig(), devices=jax.devices()[:1])
    with jax.set_mesh(mesh):
        state, step = init_state(spec, mesh), make_step(spec, mesh)
        places = jax.tree.map(lambda leaf: leaf.sharding, abstract_batches(spec, mesh))
        rows = batch_of(tiny, spec.groups["rows"])
        batches = {"rows": {name: jax.device_put(rows[name], place) for name, place in places["rows"].items()}}
        for _ in range(2):
            state, metrics = step(state, batches, course(mesh, steps=10))
    return jax.device_get((state["parameters"], metrics))


def assert_same(actual, expected, rtol=1e-4, atol=2e-5):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=atol), actual, expected)


@pytest.fixture(scope="module")
def expected(tiny):
    return two_steps(tiny, spec_of(tiny))


@pytest.mark.parametrize(
    "step",
    [
        {"microbatches": 4, "remat": Remat.FULL},
        {"remat": Remat.NAMES, "attention": Kernel.BLOCKS},
        {"remat": Remat.ATTENTION, "gather": Gather.STEP},
        {"target_budget": 0.5, "patch_budget": 0.75},
    ],
    ids=lambda step: "-".join(step),
)
def test_ways_of_execution_are_equal(step, tiny, expected):
    assert_same(two_steps(tiny, spec_of(tiny, **step)), expected)


def test_bfloat16_options_stay_near(tiny, expected):
    steps = two_steps(tiny, spec_of(tiny, bf16_probabilities=True, bf16_logits=True))
    assert steps[1]["loss"] == pytest.approx(expected[1]["loss"], rel=5e-3)
    assert steps[1]["loss"] != expected[1]["loss"]


def test_dropout_is_drawn_in_training_only(tiny, expected):
    first = two_steps(tiny, spec_of(tiny, model={"dropout": 0.3}))
    assert np.isfinite(first[1]["loss"])
    assert abs(first[1]["loss"] - expected[1]["loss"]) > 1e-3
    assert_same(two_steps(tiny, spec_of(tiny, model={"dropout": 0.3})), first)


MESHES = {
    "fsdp": ({"data": 2, "fsdp": 4}, {}),
    "zero_1": ({"data": 2, "fsdp": 4}, {"gather": Gather.STEP, "remat": Remat.NAMES}),
    "whole_gradients": ({"data": 2, "fsdp": 4}, {"gradients": Gradients.REDUCE, "remat": Remat.NAMES}),
    "tensor": ({"fsdp": 4, "tensor": 2}, {"remat": Remat.FULL}),
    "sequence_parallel": ({"fsdp": 2, "tensor": 2}, {"sequence_parallel": True}),
    "replica": ({"replica": 2, "fsdp": 2}, {"microbatches": 2, "gather": Gather.STEP}),
}


def compare_meshes():
    """Runs in a process of its own, on eight forced host devices."""
    import tiny

    spec = spec_of(tiny)
    plain = two_steps(tiny, spec)
    for name, (axes, step) in MESHES.items():
        mesh = sharding.make_mesh(MeshConfig(**axes))
        assert_same(two_steps(tiny, spec_of(tiny, **step), mesh), plain)
        print(name, flush=True)


def test_sharded_equals_unsharded(tiny):
    environment = {**os.environ, "XLA_FLAGS": os.environ["XLA_FLAGS"] + " --xla_force_host_platform_device_count=8"}
    here = os.path.dirname(__file__)
    paths = [here, os.path.dirname(here)]
    code = f"import sys; sys.path[:0] = {paths!r}; import test_step; test_step.compare_meshes()"
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr[-3000:]
    assert run.stdout.split() == list(MESHES)


def test_budgets(tiny):
    """Overflow is per device and microbatch; budgets want enough rows; the full-size spec has none."""
    mesh = sharding.make_mesh(MeshConfig(), devices=jax.devices()[:1])
    rows = batch_of(tiny)
    targets = int(rows["loss_mask"][:, 1:].sum())
    places = rows["tokens"].size
    fits = spec_of(tiny, target_budget=targets / places, patch_budget=0.75)
    assert not overflows(fits, mesh, {"rows": rows})
    assert overflows(spec_of(tiny, target_budget=(targets - 1) / places), mesh, {"rows": rows})
    assert overflows(spec_of(tiny, patch_budget=0.5), mesh, {"rows": rows})
    assert not overflows(full_size(spec_of(tiny, patch_budget=0.5)), mesh, {"rows": rows})
    with pytest.raises(ValueError, match=r"need 8 rows per device and microbatch, found \{'rows': 4\}"):
        resolved(spec_of(tiny, target_budget=0.5, microbatches=4), mesh)
    with pytest.raises(ValueError, match=r"16 rows per step are not divisible by 1 devices x 3 microbatches"):
        resolved(spec_of(tiny, microbatches=3), mesh)
    with pytest.raises(ValueError, match=r"step\.target_budget must be in \(0, 1\], found 0"):
        StepConfig(target_budget=0.0)


def test_overflow_runs_the_full_size_step(tiny):
    """Nothing is dropped: the metrics of an overflowing batch equal those without budgets, and say so."""
    from gato_jax.training.step.compiled import CompiledStep
    from gato_jax.training.step.spec import step_spec

    experiment = tiny.tiny_experiment()
    mesh = sharding.make_mesh(MeshConfig(), devices=jax.devices()[:1])
    batches = next(tiny.SyntheticStream(experiment))
    metrics_of, lines = {}, []
    for budget in (1.0, 0.25):
        step = dataclasses.replace(experiment.step, patch_budget=budget)
        changed = dataclasses.replace(experiment, step=step)
        with jax.set_mesh(mesh):
            advance = CompiledStep(changed, mesh, lines.append)
            _, metrics = advance(init_state(step_spec(changed), mesh), batches, course(mesh, steps=10))
            metrics_of[budget] = jax.device_get(metrics)
    assert any(line.startswith("attention: reference (cpu") for line in lines)
    assert "budget_overflow" not in metrics_of[1.0]
    assert metrics_of[0.25]["budget_overflow"] == 1
    np.testing.assert_array_equal(metrics_of[0.25]["loss"], metrics_of[1.0]["loss"])
