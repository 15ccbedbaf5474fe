"""Time of one training step of the quickstart's shape, as JSON.

    JAX_PLATFORMS=cpu python -m benchmarks.quickstart_step [--steps 20] [--only babyai]

Rows are synthetic. "share_of_peak" compares the step's matmul FLOPs with a 2048 x 2048 float32 matmul measured beside
it, so it says how far the step is from the machine's best, however busy the machine is.
"""

import argparse
import json
import time

import jax
import jax.numpy as jnp
import numpy as np

from data_pipelines.schema import RowGroup
from data_pipelines.vocabulary import TokenType, Vocabulary
from gato_jax.config import LossConfig, MeshConfig, OptimizerConfig
from gato_jax.model import presets
from gato_jax.platform import keep_freed_memory
from gato_jax.sharding import make_mesh
from gato_jax.training.step.spec import StepSpec, group_fields
from gato_jax.training.step.state import abstract_batches, abstract_state, course, init_state
from gato_jax.training.step.step import make_step

GROUPS = {
    "dm_control": (24, RowGroup(("a",), windows=8, window_length=9, targets=2)),
    "metaworld": (16, RowGroup(("b",), windows=4, window_length=44, targets=4)),
    "babyai": (16, RowGroup(("c",), windows=3, window_length=62, targets=1)),
    "vqa": (8, RowGroup(("d",), windows=1, window_length=48, patches=16, targets=24)),
    "text": (8, RowGroup(("e",), windows=1, window_length=64, targets=63)),
}


def synthetic_rows(group: RowGroup, rows: int, task: int, vocabulary: Vocabulary) -> dict[str, np.ndarray]:
    """Random rows with every budget filled: the last places of a window are its targets."""
    generator = np.random.default_rng(task)
    batch = group.zeros(rows)
    batch["tokens"][...] = generator.integers(0, vocabulary.size, batch["tokens"].shape)
    batch["targets"][...] = batch["tokens"]
    place = np.tile(np.arange(group.window_length), group.windows)
    is_target = place >= group.window_length - group.target_budget
    batch["loss_mask"][...] = is_target
    batch["token_type"][...] = np.where(is_target, TokenType.ACTION, TokenType.OBSERVATION)
    batch["observation_position"][...] = np.where(is_target, 0, place + 1)
    batch["segment_ids"][...] = np.repeat(np.arange(group.windows) + 1, group.window_length)
    batch["positions"][...] = place
    batch["patches"][...] = generator.integers(0, 256, batch["patches"].shape)
    batch["patch_slot"][...] = np.arange(group.patches)
    batch["token_type"][:, : group.patches] = TokenType.PATCH
    batch["patch_interval"][...] = (0, 32, 32, 64)
    batch["task_id"][...] = task
    return batch


def matmul_flops(spec: StepSpec) -> float:
    """Multiply-adds of the network's matmuls, times 2, times 3 for forward and backward; convolutions left out."""
    model = spec.model
    width, inner = model.width, model.heads * model.head_size
    feed_forward = 3 * width * model.gate_width
    total = 0.0
    for name, group in spec.groups.items():
        windows = spec.rows[name] * group.windows
        places, targets = windows * group.window_length, windows * group.target_budget
        full = places * (4 * width * inner + feed_forward + 2 * group.window_length * inner)
        last = places * 2 * width * inner + targets * (
            2 * width * inner + feed_forward + 2 * group.window_length * inner
        )
        total += (model.layers - 1) * full + last + targets * width * spec.vocabulary.padded_size
    return 6 * total


def peak_gflops() -> float:
    x = jnp.ones((2048, 2048), jnp.float32)
    multiply = jax.jit(lambda a: a @ a)
    multiply(x).block_until_ready()
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        multiply(x).block_until_ready()
        best = min(best, time.perf_counter() - start)
    return 2 * 2048**3 / best / 1e9


def run(*, steps: int = 20, only: str = "", loss: LossConfig | None = None) -> dict:
    """Times `steps` steps and returns the figures printed."""
    vocabulary = Vocabulary(1024)
    chosen = {name: value for name, value in GROUPS.items() if only in ("", name)}
    spec = StepSpec(
        model=presets.gato_small(),
        vocabulary=vocabulary,
        loss=loss or LossConfig(soft_target_sigma=6.0, observation_jitter=2),
        optimizer=OptimizerConfig(learning_rate=1e-3, warmup_steps=60, b2=0.98, clip=1.0),
        groups={name: group for name, (_, group) in chosen.items()},
        rows={name: rows for name, (rows, _) in chosen.items()},
        loss_weights={name: 1 / len(chosen) for name in chosen},
        tasks=len(chosen),
    )
    mesh = make_mesh(MeshConfig())
    run = course(mesh, steps=1000)
    start = time.perf_counter()
    with jax.set_mesh(mesh):
        arguments = abstract_state(spec, mesh), abstract_batches(spec, mesh), run
        compiled = make_step(spec, mesh).lower(*arguments).compile()
    compile_seconds = time.perf_counter() - start
    state = init_state(spec, mesh)
    batches = {}
    for task, (name, group) in enumerate(spec.groups.items()):
        rows = synthetic_rows(group, spec.rows[name], task, vocabulary)
        batches[name] = jax.device_put({field: rows[field] for field in group_fields(group)})
    times = []
    for _ in range(steps + 2):
        begin = time.perf_counter()
        state, metrics = compiled(state, batches, run)
        jax.block_until_ready(metrics)
        times.append(time.perf_counter() - begin)
    median = float(np.median(times[2:]))
    tokens = sum(spec.rows[name] * group.length for name, group in spec.groups.items())
    peak, flops = peak_gflops(), matmul_flops(spec)
    return {
        "milliseconds_per_step": round(1000 * median, 1),
        "milliseconds_best": round(1000 * min(times[2:]), 1),
        "tokens_per_step": tokens,
        "tokens_per_second": round(tokens / median),
        "matmul_gflop_per_step": round(flops / 1e9, 2),
        "matmul_peak_gflops": round(peak, 1),
        "share_of_peak": round(flops / median / 1e9 / peak, 3),
        "compile_seconds": round(compile_seconds, 1),
        "loss": round(float(metrics["loss"]), 4),
        "devices": jax.device_count(),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--only", default="", choices=("", *GROUPS))
    parser.add_argument("--keep-memory", action=argparse.BooleanOptionalAction, default=True)
    arguments = parser.parse_args()
    if arguments.keep_memory:
        keep_freed_memory()
    print(json.dumps(run(steps=arguments.steps, only=arguments.only), indent=2))
