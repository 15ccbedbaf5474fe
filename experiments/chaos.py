"""A small run that is killed again and again, and must come out as if nothing had happened.

    gato record --out DATA --tasks text.python_docs metaworld.drawer_close --scale 0.05
    python -m experiments.chaos DATA --out chaos --kills 50

An undisturbed run is trained first. Then the same run is started, and killed at a random moment by SIGKILL or SIGTERM:
while Python starts, while the data is opened and the step compiled, between steps, while a checkpoint is written. It is
started again until it has been killed often enough, and then left to finish. Losses and hashes of all batches must
equal the undisturbed run's. The table of what was survived goes to chaos.json and chaos.md. The same command goes on
where it was stopped, and with more --kills.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from data_pipelines.atomic_files import write_bytes, write_json
from data_pipelines.config import DataConfig, StreamConfig
from data_pipelines.mixtures.config import MixtureConfig
from data_pipelines.schema import RowGroup
from data_pipelines.tokenizers.layout import TokenConfig
from data_pipelines.vocabulary import Vocabulary
from gato_jax.config import Experiment, OnDamaged, TrainConfig
from gato_jax.model.presets import gato_small

GROUPS = {
    "metaworld": RowGroup(("metaworld.drawer_close",), segments=1, segment_length=44, targets=4),
    "text": RowGroup(("text.python_docs",), segments=1, segment_length=64),
}


def experiment() -> Experiment:
    """What `gato train experiments/chaos.py` trains: seconds of compute, a checkpoint every few steps."""
    stream = StreamConfig(virtual_shards=4, segment_steps=50, prompt_share=0.0, threads=1)
    mixture = MixtureConfig({task: 1.0 for group in GROUPS.values() for task in group.tasks}, GROUPS, rows_per_step=16)
    tokens = TokenConfig(Vocabulary(1024), text_tokens=20)
    return Experiment(
        name="chaos",
        data=DataConfig("data", tokens, mixture, stream),
        model=gato_small(width=32, layers=2, heads=2, head_size=16, hidden=64, patch_channels=4, patch_groups=2),
        train=TrainConfig(steps=400, log_every=1, checkpoint_every=20, on_damaged=OnDamaged.LAST_GOOD),
    )


def start(data: Path, out: Path, steps: int) -> subprocess.Popen:
    """One session of the run, as a user would start it. What it prints goes to `<out>.log`."""
    command = [sys.executable, "-m", "gato_jax.cli", "train", __file__, "--out", str(out)]
    command += ["--data.directory", str(data), "--train.steps", str(steps)]
    cache = {  # The step is compiled once for all sessions.
        "JAX_COMPILATION_CACHE_DIR": str(out.absolute().parent / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "0",
    }
    with log_of(out).open("w") as log:
        return subprocess.Popen(command, env=os.environ | cache, stdout=log, stderr=subprocess.STDOUT)


def log_of(out: Path) -> Path:
    """What the session that runs in `out` has printed."""
    out.parent.mkdir(parents=True, exist_ok=True)
    return out.with_suffix(".log")


def records(out: Path) -> list[dict]:
    """The whole records of a run."""
    path = out / "metrics.jsonl"
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in lines]


def finish(data: Path, out: Path, steps: int) -> list[dict]:
    """Trains to the end; the records."""
    if process := start(data, out, steps).wait():
        raise RuntimeError(f"exit code {process}:\n{log_of(out).read_text()[-3000:]}")
    return records(out)


def moment(out: Path, *, stepped: bool) -> str:
    """What a session is doing, as far as its directory and what it has printed tell."""
    if not stepped:
        compiled = "step compiled" in log_of(out).read_text()
        return "after compiling, before the first step" if compiled else "start-up, compiling"
    if any((out / "checkpoints").glob("*.orbax-checkpoint-tmp")):
        return "while a checkpoint is written"
    if any(path.name.isdigit() and not (path / "digests.json").exists() for path in (out / "checkpoints").glob("*")):
        return "while digests are written"
    return "between steps"


def run_session(
    data: Path, out: Path, steps: int, *, number: signal.Signals, early: float, late: float
) -> tuple[str, str, int]:
    """Starts a session and kills it; (where it was, how it ended, step it had reached).

    Args:
      early: seconds until the signal, if the loop is not reached before.
      late: seconds from the first step to the signal.
    """
    path = out / "metrics.jsonl"
    size = lambda: path.stat().st_size if path.exists() else 0  # noqa: E731
    before, began, stepped = size(), time.monotonic(), False
    process = start(data, out, steps)
    while process.poll() is None and time.monotonic() - began < early and not stepped:
        time.sleep(0.02)
        stepped = size() not in (before, 0)  # Stale records were dropped, or new ones came.
    if stepped:
        time.sleep(late)
    where = moment(out, stepped=stepped)
    process.send_signal(number)
    code = process.wait(timeout=600)
    # Before Python has any handler, SIGTERM simply ends it.
    if code not in (0, -number):
        raise RuntimeError(f"a session failed by itself with exit code {code}:\n{log_of(out).read_text()[-3000:]}")
    step = records(out)[-1]["step"] + 1 if records(out) else 0
    return where, "saved and left" if code == 0 else "died", step


def chaos(data: Path, out: Path, *, kills: int, steps: int, seed: int) -> dict:
    """Kills and resumes a run. Returns the table, and raises `AssertionError` where the run differs in the end."""
    whole, disturbed, table = out / "whole", out / "disturbed", out / "chaos.json"
    said: dict[str, Any] = {"steps": steps, "seed": seed, "survived": []}
    if table.exists():
        said = json.loads(table.read_text())
    if (said["steps"], said["seed"]) != (steps, seed):
        raise ValueError(f"{table}: expected {steps} steps, seed {seed}, found {said['steps']}, {said['seed']}")
    survived = Counter({(row["signal"], row["moment"], row["ended"]): row["times"] for row in said["survived"]})
    began = time.monotonic()
    expected = finish(data, whole, steps)
    if not (out / "pace.json").exists():
        last = expected[-1]
        pace = {"start": last["wall_seconds"] - last["seconds"], "steps": last["seconds"] / steps}
        write_json(out / "pace.json", pace)
    pace, began = json.loads((out / "pace.json").read_text()), time.monotonic()
    first = survived.total()
    for index in range(first, kills):
        if records(disturbed) and records(disturbed)[-1]["step"] + 1 >= steps:
            raise RuntimeError(f"the run was done after {index} kills: raise --steps above {steps}")
        generator = random.Random(f"{seed} {index}")
        number = generator.choice((signal.SIGKILL, signal.SIGTERM))
        # One in four comes during start-up, the others within about a checkpoint and a half after the first step.
        early = generator.uniform(0.1, pace["start"] + 8.0) if generator.random() < 0.25 else 600.0
        late = generator.uniform(0.0, 30 * pace["steps"])
        where, ended, step = run_session(data, disturbed, steps, number=number, early=early, late=late)
        survived[(number.name, where, ended)] += 1
        rows = [{"signal": a, "moment": b, "ended": c, "times": n} for (a, b, c), n in sorted(survived.items())]
        write_json(table, {"kills": survived.total(), "steps": steps, "seed": seed, "survived": rows})
        eta = (time.monotonic() - began) / (index + 1 - first) * (kills - index - 1)
        print(f"{index + 1}/{kills}  {number.name} {where}: {ended}, step {step}  eta {eta:.0f} s", flush=True)
    found = finish(data, disturbed, steps)
    for name in ("step", "loss", "batch_hash", "task_rows"):
        assert [record[name] for record in found] == [record[name] for record in expected], f"{name} differs"
    return json.loads(table.read_text()) | {"equal_records": len(found)}


def markdown(table: dict) -> str:
    """The table of what was survived."""
    lines = ["| signal | moment | the session | times |", "|---|---|---|---|"]
    lines += [f"| {row['signal']} | {row['moment']} | {row['ended']} | {row['times']} |" for row in table["survived"]]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("chaos"))
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    table = chaos(arguments.data, arguments.out, kills=arguments.kills, steps=arguments.steps, seed=arguments.seed)
    write_json(arguments.out / "chaos.json", table)
    write_bytes(arguments.out / "chaos.md", markdown(table).encode())
    print(f"all {table['equal_records']} records equal those of the undisturbed run\n\n{markdown(table)}")


if __name__ == "__main__":
    main()
