"""Speed of one training step on a CPU at three small sizes, beside a plain PyTorch GPT and our own reference path.

    JAX_PLATFORMS=cpu python -m benchmarks.train_step [--rounds 4] [--steps 3] [--only 512] [--torch-python PYTHON]

Rows are synthetic and packed: each holds four sequences, every place but a sequence's first is a target. The
programs take turns, so that a busy machine is busy for all. "share_of_peak" compares the matmul FLOPs that the model
needs (attention over the visible half of each packed row only) with a 2048 x 2048 float32 matmul measured in between.
PyTorch runs in two processes of its own, one as it comes, one with our settings of glibc; `--torch-python`, by default
this Python; where it has no torch, the reason is printed.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from data_pipelines.schema import RowGroup
from data_pipelines.vocabulary import TokenType, Vocabulary
from gato_jax.config import (
    FeedForward,
    Kernel,
    LossConfig,
    MeshConfig,
    ModelConfig,
    OptimizerConfig,
    Positions,
    StepConfig,
)
from gato_jax.platform import SETTINGS, keep_freed_memory
from gato_jax.sharding import make_mesh
from gato_jax.training.step.spec import StepSpec, group_fields
from gato_jax.training.step.state import course, init_state
from gato_jax.training.step.step import make_step

LENGTH, PACKED, LAYERS = 512, 4, 4
SIZES = {128: 16, 256: 8, 512: 8}
"""Width -> rows of `LENGTH` tokens in a step."""
KEEP_FREED_MEMORY = {name: str(value) for name, (_, value) in SETTINGS.items()}
"""What `gato_jax.platform` asks of glibc, for a second PyTorch process: it makes that faster too."""


def spec_of(width: int, *, kernel: Kernel, scan: bool) -> StepSpec:
    model = ModelConfig(
        width=width,
        layers=LAYERS,
        heads=width // 64,
        head_size=64,
        hidden=2 * width,
        feed_forward=FeedForward.GEGLU,
        positions=Positions.LEARNED,
        max_length=LENGTH,
        stochastic_depth=0.0,
        scan_layers=scan,
    )
    return StepSpec(
        model=model,
        vocabulary=Vocabulary(1024),
        loss=LossConfig(),
        optimizer=OptimizerConfig(),
        groups={"text": RowGroup(("a",), windows=1, window_length=LENGTH)},
        rows={"text": SIZES[width]},
        loss_weights={"text": 1.0},
        tasks=1,
        step=StepConfig(attention=kernel),
    )


def packed_rows(spec: StepSpec) -> dict[str, np.ndarray]:
    """Random tokens, `PACKED` sequences of equal length behind each other in every row."""
    (group,) = spec.groups.values()
    batch = group.zeros(spec.rows["text"])
    place = np.arange(LENGTH)
    batch["tokens"][...] = np.random.default_rng(0).integers(0, spec.vocabulary.size, batch["tokens"].shape)
    batch["targets"][...] = batch["tokens"]
    batch["loss_mask"][...] = 1
    batch["token_type"][...] = TokenType.TEXT
    batch["segment_ids"][...] = place * PACKED // LENGTH + 1
    batch["positions"][...] = place % (LENGTH // PACKED)
    return {name: batch[name] for name in group_fields(group)}


def needed_flops(spec: StepSpec) -> float:
    """Matmul FLOPs of a step, forward and twice that backward."""
    model, tokens = spec.model, spec.rows["text"] * LENGTH
    inner = model.heads * model.head_size
    weights = model.layers * (4 * model.width * inner + 3 * model.width * model.gate_width)
    visible = LENGTH / PACKED / 2
    head = model.width * spec.vocabulary.padded_size
    return 6 * tokens * (weights + head + model.layers * 2 * inner * visible)


def timer(spec: StepSpec) -> Callable[[int], list[float]]:
    """Compiles the step; then steps -> seconds of each."""
    mesh = make_mesh(MeshConfig())
    run_of, batches = course(mesh, steps=1000), {"text": jax.device_put(packed_rows(spec))}
    with jax.set_mesh(mesh):
        state, step = init_state(spec, mesh), make_step(spec, mesh)
        state, _ = jax.block_until_ready(step(state, batches, run_of))

    def run(count: int) -> list[float]:
        nonlocal state
        times = []
        with jax.set_mesh(mesh):
            for _ in range(count):
                start = time.perf_counter()
                state, _ = jax.block_until_ready(step(state, batches, run_of))
                times.append(time.perf_counter() - start)
        return times

    return run


def torch_timer(
    spec: StepSpec, python: str, environment: Mapping[str, str], stack: contextlib.ExitStack
) -> tuple[Callable[[int], list[float]] | None, dict[str, Any]]:
    """As `timer`, in a PyTorch process, which ends with `stack`; None and the reason where there is none."""
    completed = subprocess.run([python, "-c", "import torch"], capture_output=True, text=True)
    if completed.returncode:
        return None, {"torch": None, "reason": f"{python}: {completed.stderr.strip().splitlines()[-1]}"}
    command, pipe = [python, "benchmarks/torch_gpt.py"], subprocess.PIPE
    process = stack.enter_context(
        subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env={**os.environ, **environment})
    )
    assert process.stdin is not None
    assert process.stdout is not None
    stdin, stdout = process.stdin, process.stdout

    def ask(line: str) -> Any:
        print(line, file=stdin, flush=True)
        answer = stdout.readline()
        if not answer:
            raise RuntimeError(f"benchmarks/torch_gpt.py ended with exit code {process.wait()}")
        return json.loads(answer)

    names = ("width", "layers", "heads", "head_size", "hidden")
    shape = {name: getattr(spec.model, name) for name in names}
    shape |= {"vocabulary": spec.vocabulary.padded_size, "length": LENGTH, "segments": PACKED}
    return (lambda count: ask(str(count))), ask(json.dumps(shape | {"rows": spec.rows["text"]}))


def peak_flops() -> float:
    x = jnp.ones((2048, 2048), jnp.float32)
    multiply = jax.jit(lambda a: a @ a)
    multiply(x).block_until_ready()
    times = []
    for _ in range(3):
        start = time.perf_counter()
        multiply(x).block_until_ready()
        times.append(time.perf_counter() - start)
    return 2 * 2048**3 / min(times)


def measure(width: int, *, rounds: int, steps: int, torch_python: str) -> dict[str, Any]:
    """Tokens per second, share of the peak, and the ratios of one size."""
    spec = spec_of(width, kernel=Kernel.AUTO, scan=False)
    arms = {"ours": timer(spec), "reference": timer(spec_of(width, kernel=Kernel.REFERENCE, scan=True))}
    facts: dict[str, Any] = {}
    with contextlib.ExitStack() as stack:
        for name, environment in {"torch": {}, "torch_keeping_memory": KEEP_FREED_MEMORY}.items():
            torch, facts = torch_timer(spec, torch_python, environment, stack)
            if torch is not None:
                torch(1)
                arms[name] = torch
        times: dict[str, list[float]] = {name: [] for name in arms}
        peak = 0.0
        for _ in range(rounds):
            peak = max(peak, peak_flops())
            for name, run in arms.items():
                times[name] += run(steps)
    tokens, flops = spec.rows["text"] * LENGTH, needed_flops(spec)
    results: dict[str, Any] = {"tokens_per_step": tokens, "peak_gflops": round(peak / 1e9, 1), **facts}
    for name, seconds in times.items():
        median, best = float(np.median(seconds)), min(seconds)
        results[name] = {
            "milliseconds_median": round(1e3 * median, 1),
            "milliseconds_best": round(1e3 * best, 1),
            "tokens_per_second": round(tokens / median),
            "share_of_peak_median": round(flops / median / peak, 3),
            "share_of_peak_best": round(flops / best / peak, 3),
        }
    for name in [name for name in times if name != "ours"]:
        results[f"speed_over_{name}"] = round(float(np.median(times[name]) / np.median(times["ours"])), 2)
    return results


def run(*, widths: tuple[int, ...] = tuple(SIZES), rounds: int = 4, steps: int = 3, torch_python: str = "") -> dict:
    """{width: figures}, and the machine."""
    python = torch_python or sys.executable
    sizes = {width: measure(width, rounds=rounds, steps=steps, torch_python=python) for width in widths}
    return {"sizes": sizes, "devices": jax.device_count(), "platform": jax.default_backend(), "jax": jax.__version__}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--only", type=int, choices=tuple(SIZES))
    parser.add_argument("--torch-python", default="")
    arguments = parser.parse_args()
    keep_freed_memory()
    widths = tuple(SIZES) if arguments.only is None else (arguments.only,)
    options = {"rounds": arguments.rounds, "steps": arguments.steps, "torch_python": arguments.torch_python}
    print(json.dumps(run(widths=widths, **options), indent=2))
