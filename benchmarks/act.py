"""Speed of acting: milliseconds of a step of N environments, and of each token, with short and with full windows.

    JAX_PLATFORMS=cpu python -m benchmarks.act [--environments 1 16 64 256] [--windows short full] [--out act.json]
        [--positions rotary] [--width 128] [--layers 3] [--torch-python PYTHON]

A timestep has five observed values and one action, so a window of 1,024 tokens holds 146. "short" is a window of 16
timesteps that is never full; "full" is the whole one, timed over `--steps` steps from when it is full, in which the
agent reads what stays into its second cache and lets that take over. Beside it: reading the window anew for every
token, which needs no cache, by our model and by a plain GPT in PyTorch of the same width and depth.

"of_bandwidth" compares the bytes that a step cannot do without (weights once per pass of the network, keys and values
of all that is in view) with what this machine copies in the same time, measured here. With `--out`, sizes that the file
has already are not run again.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from data_pipelines import atomic_files
from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from data_pipelines.tokenizers.layout import TimestepLayout, TokenConfig
from data_pipelines.tokenizers.timestep import TimestepTokenizer
from data_pipelines.vocabulary import Vocabulary
from gato_jax.agent.fields import concatenate, timestep_fields
from gato_jax.agent.sampler import ActionSampler
from gato_jax.config import FullWindow, ModelConfig, Positions
from gato_jax.model.gato import bind, init_parameters
from gato_jax.model.presets import gato_small

TOKENS = TokenConfig(Vocabulary(1024))
SPEC = TaskSpec(
    "bench.pole",
    (ItemSpec("state", Kind.CONTINUOUS, (5,)),),
    ItemSpec("action", Kind.CONTINUOUS, (1,)),
    max_episode_steps=10**6,
)
PLACES, SHORT = 1024, 16
ANEW = 5
"""Steps that are timed without a cache."""


def main() -> None:
    options = arguments()
    model = gato_small(positions=Positions(options.positions), width=options.width, layers=options.layers)
    layout = TimestepLayout.build(SPEC, TOKENS)
    parameters = init_parameters(model, TOKENS.vocabulary, key=jax.random.key(0))
    out = Path(options.out) if options.out else None
    settings = {"positions": options.positions, "width": model.width, "layers": model.layers}
    settings |= {"steps": options.steps, "full_window": options.full_window}
    result = json.loads(out.read_text()) if out and out.is_file() else {"settings": settings, "runs": {}}
    if result["settings"] != settings:
        raise SystemExit(f"{out}: expected a file of {settings}, found one of {result['settings']}")
    for environments in options.environments:
        for kind in options.windows:
            name = f"{environments} {kind}"
            if name in result["runs"]:
                continue
            window = SHORT if kind == "short" else PLACES // layout.length
            slides = options.full_window == FullWindow.XL_MEMORY.value
            run = measure(
                model, parameters, layout, environments, window, steps=options.steps, full=kind == "full", slides=slides
            )
            run["torch_ms_per_token"] = torch_milliseconds(options, model, environments, window * layout.length)
            result["runs"][name] = run
            print(f"{name}: {json.dumps(run)}", flush=True)
            if out:
                atomic_files.write_json(out, result)
    print(json.dumps(result, indent=2))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environments", type=int, nargs="+", default=[1, 16, 64, 256])
    parser.add_argument("--windows", nargs="+", choices=("short", "full"), default=["short", "full"])
    parser.add_argument("--positions", choices=[scheme.value for scheme in Positions], default="rotary")
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--steps", type=int, default=110, help="that are timed; three moves of a full window")
    parser.add_argument("--full-window", choices=[way.value for way in FullWindow], default="reprefill")
    parser.add_argument("--torch-python", default=sys.executable)
    parser.add_argument("--out", default="")
    return parser.parse_args()


def measure(
    model: ModelConfig,
    parameters: Any,
    layout: TimestepLayout,
    environments: int,
    window: int,
    *,
    steps: int,
    full: bool,
    slides: bool,
) -> dict[str, Any]:
    """Times of one size. In a short window the steps are those before it is full, episode after episode."""
    tokenizer, rng = TimestepTokenizer(layout), np.random.default_rng(0)
    observations = [
        tokenizer.encode_observation({"state": rng.normal(size=(environments, 5)).astype(np.float32)}) for _ in range(8)
    ]
    longest = 10**6 if full else window
    sampler = ActionSampler(
        model, TOKENS.vocabulary, parameters, layout, window=window, longest_episode=longest, slides=slides
    )
    compiled = seconds(lambda: sampler.reset(range(environments)))
    before = window if full else 1
    for step in range(before):
        sampler(observations[step % 8])
    times, seen = [], []
    for step in range(steps):
        if not full and sampler.episodes.length[0] == window:
            sampler.reset(range(environments))
        seen.append(min(int(sampler.episodes.length[0]), window))
        times.append(seconds(lambda at=step % 8: sampler(observations[at])))
    milliseconds = np.array(times) * 1e3
    median = float(np.median(milliseconds))
    bandwidth = copy_bandwidth()
    bytes_needed = needed_bytes(model, parameters, layout, environments, float(np.mean(seen)))
    return {
        "window": window,
        "ms_per_step": round(median, 3),
        "ms_per_environment_step": round(median / environments, 4),
        "ms_per_token": round(median / layout.length / environments, 5),
        "worst_ms": round(float(milliseconds.max()), 3),
        "worst_over_median": round(float(milliseconds.max()) / median, 2),
        "reset_s": round(compiled, 2),
        "of_bandwidth": round(bytes_needed / bandwidth / (median / 1e3), 3),
        "copy_gb_per_s": round(bandwidth / 1e9, 1),
        "anew_ms_per_token": round(anew_milliseconds(model, parameters, layout, observations, window), 4),
        "load": round(os.getloadavg()[0], 1),
        "cores": len(os.sched_getaffinity(0)),
    }


def needed_bytes(
    model: ModelConfig, parameters: Any, layout: TimestepLayout, environments: int, timesteps: float
) -> float:
    """Of a step: all weights but the token table in each pass (one for each action token), and keys and values."""
    weights = sum(leaf.nbytes for leaf in jax.tree.leaves(parameters["transformer"]))
    passes = len(layout.action_low)
    memory = 2 * 4 * model.layers * model.heads * model.head_size * timesteps * layout.length * environments
    return passes * (weights + memory)


def copy_bandwidth() -> float:
    """Bytes read and written in a second by copies of 256 MB."""
    source, target = np.ones(2**25), np.empty(2**25)
    best = min(seconds(lambda: np.copyto(target, source)) for _ in range(4))
    return 2 * source.nbytes / best


def anew_milliseconds(
    model: ModelConfig, parameters: Any, layout: TimestepLayout, observations: list[dict[str, Any]], window: int
) -> float:
    """Of each token, when the whole window is read for every action token."""
    rows = len(observations[0]["tokens"])
    action = np.broadcast_to(layout.action_low, (rows, len(layout.action_low)))
    fields = concatenate([timestep_fields(observations[step % 8], action, layout) for step in range(window)])
    read = jax.jit(
        lambda parameters, fields: bind(model, TOKENS.vocabulary, parameters).hidden(
            fields, window_length=window * layout.length
        )[:, -2]
    )
    jax.block_until_ready(read(parameters, fields))
    times = [seconds(lambda: jax.block_until_ready(read(parameters, fields))) for _ in range(ANEW)]
    return float(np.median(times)) * 1e3 * len(layout.action_low) / layout.length / rows


def torch_milliseconds(options: argparse.Namespace, model: ModelConfig, rows: int, length: int) -> float | str:
    """The same of a plain GPT in PyTorch; the reason where that cannot run."""
    shape = {
        "width": model.width,
        "layers": model.layers,
        "heads": model.heads,
        "head_size": model.head_size,
        "hidden": model.gate_width,
        "vocabulary": TOKENS.vocabulary.padded_size,
        "rows": rows,
        "length": length,
        "tokens": ANEW,
    }
    command = [options.torch_python, str(Path(__file__).with_name("torch_act.py")), json.dumps(shape)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    return round(json.loads(done.stdout)["seconds"] * 1e3 / 7 / rows, 4)


def seconds(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
