"""A small run that is killed again and again, and must come out as if nothing had happened.

    gato record --out DATA --tasks text.python_docs metaworld.drawer_close --scale 0.05
    python -m experiments.chaos DATA --out chaos --kills 50

An undisturbed run is trained first. Then the same run is started, and killed at a random moment by SIGKILL or SIGTERM:
while Python starts, while the step is compiled, between steps, while a checkpoint is written. It is started again until
it has been killed often enough, and then left to finish. Losses and hashes of all batches must equal the undisturbed
run's. The table of what was survived goes to chaos.json and chaos.md.
"""

import argparse
import collections
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from data_pipelines.config import DataConfig, StreamConfig
from data_pipelines.layout import TokenConfig
from data_pipelines.mixtures import MixtureConfig
from data_pipelines.schema import RowGroup
from data_pipelines.vocabulary import Vocabulary
from gato_jax.config import Experiment
from gato_jax.files import write_bytes, write_json
from gato_jax.model.presets import gato_small
from gato_jax.training.config import OnDamaged, TrainConfig

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
    """One session of the run, as a user would start it."""
    command = [sys.executable, "-m", "gato_jax.cli", "train", __file__, "--out", str(out)]
    command += ["--data.directory", str(data), "--train.steps", str(steps)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def records(out: Path) -> list[dict]:
    """The whole records of a run."""
    path = out / "metrics.jsonl"
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in lines]


def moment(out: Path) -> str:
    """What a session was doing, as far as its directory tells."""
    if any((out / "checkpoints").glob("*.orbax-checkpoint-tmp")):
        return "while a checkpoint is written"
    if any(path.name.isdigit() and not (path / "digests.json").exists() for path in (out / "checkpoints").glob("*")):
        return "while digests are written"
    return "between steps"


def run_session(data: Path, out: Path, steps: int, *, kill: tuple[int, float, float]) -> tuple[str, str, int]:
    """Starts a session and kills it; (where it was, how it ended, step it had reached).

    Args:
      kill: the signal, seconds until it comes if the loop is not reached before, and seconds after the first step.
    """
    number, early, late = kill
    before, began = len(records(out)), time.monotonic()
    process = start(data, out, steps)
    while process.poll() is None and time.monotonic() - began < early:
        found = len(records(out))
        if found not in (before, 0):  # The loop runs: stale records were dropped, or new ones came.
            time.sleep(late)
            break
        time.sleep(0.05)
    else:
        late = -1.0
    where = "start-up" if late < 0 else moment(out)
    process.send_signal(number)
    text, _ = process.communicate(timeout=600)
    if process.returncode not in (0, -number):
        raise RuntimeError(f"a session failed by itself with exit code {process.returncode}:\n{text[-3000:]}")
    step = records(out)[-1]["step"] + 1 if records(out) else 0
    return where, "saved and left" if process.returncode == 0 else "died", step


def chaos(data: Path, out: Path, *, kills: int, steps: int, seed: int) -> dict:
    """Kills and resumes a run. Returns the table, and raises `AssertionError` where the run differs in the end."""
    generator = random.Random(seed)
    whole, disturbed = out / "whole", out / "disturbed"
    text, _ = (process := start(data, whole, steps)).communicate()
    if process.returncode:
        raise RuntimeError(text[-3000:])
    expected, began = records(whole), time.monotonic()
    survived: collections.Counter = collections.Counter()
    for index in range(kills):
        if records(disturbed) and records(disturbed)[-1]["step"] + 1 >= steps:
            raise RuntimeError(f"the run was done after {index} kills: raise --steps above {steps}")
        number = generator.choice((signal.SIGKILL, signal.SIGTERM))
        # One in four comes during start-up, the others up to a second after the first step.
        early = generator.uniform(0.1, 10.0) if generator.random() < 0.25 else 600.0
        where, ended, step = run_session(data, disturbed, steps, kill=(number, early, generator.uniform(0.0, 1.0)))
        survived[(signal.Signals(number).name, where, ended)] += 1
        eta = (time.monotonic() - began) / (index + 1) * (kills - index - 1)
        print(
            f"{index + 1}/{kills}  {signal.Signals(number).name} {where}: {ended}, step {step}  eta {eta:.0f} s",
            flush=True,
        )
    text, _ = (process := start(data, disturbed, steps)).communicate()
    if process.returncode:
        raise RuntimeError(text[-3000:])
    found = records(disturbed)
    for name in ("step", "loss", "batch_hash", "task_rows"):
        assert [record[name] for record in found] == [record[name] for record in expected], f"{name} differs"
    rows = [{"signal": a, "moment": b, "ended": c, "times": n} for (a, b, c), n in sorted(survived.items())]
    return {"kills": kills, "steps": steps, "seed": seed, "equal_records": len(found), "survived": rows}


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
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    table = chaos(arguments.data, arguments.out, kills=arguments.kills, steps=arguments.steps, seed=arguments.seed)
    write_json(arguments.out / "chaos.json", table)
    write_bytes(arguments.out / "chaos.md", markdown(table).encode())
    print(f"all {table['equal_records']} records equal those of the undisturbed run\n\n{markdown(table)}")


if __name__ == "__main__":
    main()
