"""`gato train`, killed again and again: it must come out as if nothing had happened.

An undisturbed run is trained first. Then the same run is started, and killed at a random moment by SIGKILL or SIGTERM:
while Python starts, while the data is opened and the step compiled, between steps, while a checkpoint is written. It is
started again until it has been killed often enough, and then left to finish. Losses and hashes of all batches must
equal the undisturbed run's. The same command goes on where it was stopped, and with more kills.
"""

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

from data_pipelines.atomic_files import write_json
from data_pipelines.read_json import read_json

TINY = Path(__file__).with_name("tiny.py")


def start(data: Path, out: Path, steps: int) -> subprocess.Popen:
    """One session of the run, as a user would start it. What it prints goes to `<out>.log`."""
    command = [sys.executable, "-m", "gato_jax.cli", "train", str(TINY), "--out", str(out)]
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
        said = read_json(table, "what was survived")
    if (said["steps"], said["seed"]) != (steps, seed):
        raise ValueError(f"{table}: expected {steps} steps, seed {seed}, found {said['steps']}, {said['seed']}")
    survived = Counter({(row["signal"], row["moment"], row["ended"]): row["times"] for row in said["survived"]})
    began = time.monotonic()
    expected = finish(data, whole, steps)
    if not (out / "pace.json").exists():
        last = expected[-1]
        pace = {"start": last["wall_seconds"] - last["seconds"], "steps": last["seconds"] / steps}
        write_json(out / "pace.json", pace)
    pace, began = read_json(out / "pace.json", "seconds of the undisturbed run"), time.monotonic()
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
    disturbed_records = finish(data, disturbed, steps)
    for name in ("step", "loss", "batch_hash", "task_rows"):
        assert [record[name] for record in disturbed_records] == [record[name] for record in expected], (
            f"{name} differs"
        )
    return read_json(table, "what was survived") | {"equal_records": len(disturbed_records)}
