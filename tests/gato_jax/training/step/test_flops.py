"""The hand count of FLOPs against what XLA is given, over all that changes it; and against the paper's rule of thumb.

The unoptimised program of one CPU device holds every product as a `dot` or a `convolution`, and needs no compilation.
"""

import dataclasses

import jax
import pytest

from gato_jax import sharding
from gato_jax.config import Gather, Kernel, MeshConfig, Positions, Remat, StepConfig, load_experiment
from gato_jax.planning.compiling import with_stand_in_tasks
from gato_jax.planning.hlo import hlo
from gato_jax.planning.hlo.network import Network
from gato_jax.planning.hlo.schedule import walk
from gato_jax.planning.slices import find_slice
from gato_jax.training.step.flops import hand_count
from gato_jax.training.step.spec import resolved, step_spec
from gato_jax.training.step.state import abstract_batches, abstract_course, abstract_state
from gato_jax.training.step.step import make_step

MESH = {"replica": 1, "data": 1, "fsdp": 1, "tensor": 1}


def counted(experiment):
    """(FLOPs of the compiled program, FLOPs by hand) on one CPU device."""
    mesh = sharding.make_mesh(MeshConfig(), devices=jax.devices()[:1])
    spec, _ = resolved(step_spec(experiment), mesh)
    with jax.set_mesh(mesh):
        arguments = abstract_state(spec, mesh), abstract_batches(spec, mesh), abstract_course(mesh)
        lowered = make_step(spec, mesh).lower(*arguments)
        text = lowered.compile().as_text()
    totals = walk(hlo.parse(text), mesh=MESH, network=Network.in_order(find_slice("cpu:1")))
    assert not totals.endless
    return totals.flops, hand_count(spec, MESH).executed


@pytest.mark.parametrize(
    ("step", "change"),
    [
        ({"remat": Remat.FULL}, {"patches": 4}),
        ({"remat": Remat.NAMES}, {"positions": Positions.TRANSFORMER_XL, "windows": 2}),
        ({"remat": Remat.NAMES, "attention": Kernel.BLOCKS, "gather": Gather.STEP}, {"layers": 3}),
        ({"remat": Remat.NONE}, {"targets": 16, "scan_layers": False}),
        ({"remat": Remat.ATTENTION, "microbatches": 2, "target_budget": 0.5}, {"rows": 16}),
    ],
)
def test_hand_count_is_what_the_program_executes(steps, step, change):
    change = {"rows": 8, "layers": 2, **change}
    executed, expected = counted(steps.experiment(fsdp=1, step=StepConfig(**step), dtype="float32", **change))
    assert executed == pytest.approx(expected, rel=0.005)


def test_scanned_and_unrolled_layers_execute_the_same(steps):
    plain = {"fsdp": 1, "rows": 8, "dtype": "float32", "layers": 2, "step": StepConfig(remat=Remat.NONE)}
    (scanned, by_hand), (unrolled, _) = (counted(steps.experiment(scan_layers=scan, **plain)) for scan in (True, False))
    assert scanned == pytest.approx(unrolled, rel=1e-4)
    assert scanned == pytest.approx(by_hand, rel=0.005)


def test_needed_flops_follow_six_times_parameters_times_tokens():
    """At 1.18B with tied embeddings: 6 x (blocks + head) x tokens, and some attention and pictures on top."""
    experiment = with_stand_in_tasks(load_experiment("gato_1b"))
    experiment = dataclasses.replace(
        experiment, model=dataclasses.replace(experiment.model, positions=Positions.ROTARY)
    )
    model, tokens = experiment.model, 512 * 1024
    blocks = model.layers * (4 * model.width**2 + 3 * model.width * model.gate_width)
    rule = 6 * (blocks + 33_025 * model.width) * tokens
    count = hand_count(step_spec(experiment), MESH)
    assert 1.0 < count.needed / rule < 1.12
    without = sum(count.parts[name].needed for name in ("projections", "feed-forward", "head"))
    assert without == pytest.approx(rule, rel=1e-6)
