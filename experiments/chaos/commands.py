"""Other commands, killed again and again: run once more, each must end with what an undisturbed one makes.

Each is started and killed at a random moment of the time that it takes, by SIGKILL, SIGTERM or SIGINT, and started
again; where it had ended before, it begins anew. SIGKILL reaches the command alone, so that its workers have to see
for themselves that it is gone. After every kill nothing may run on, and at the end nothing half-written may be left.
"""

import contextlib
import dataclasses
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from data_pipelines.atomic_files import write_json
from data_pipelines.read_json import read_json

HERE = Path(__file__).parent
MARK = "GATO_CHAOS"
"""Environment variable by which the processes of a command are found, whoever their parent is now."""
LINGER = 300.0
"""Seconds that a process may take to save and end after its parent was killed: compiling is not interrupted."""

Outcome = Callable[[Path], Any]


@dataclasses.dataclass(frozen=True)
class Part:
    """A command of the matrix.

    Args:
      name: what `--parts` calls it.
      arguments: of `gato`; "{out}" stands for what it writes.
      outcome: what has to be equal in the end.
    """

    name: str
    arguments: tuple[str, ...]
    outcome: Outcome


def parts(data: Path, run: Path, export: Path) -> list[Part]:
    """The matrix, over a data directory, a trained run and an export of it."""
    config, study = str(run / "config.json"), str(HERE / "study.py")
    tasks = ("text.python_docs", "metaworld.drawer_close")
    return [
        Part("record", ("record", "--out", "{out}", "--tasks", *tasks, "--scale", "0.05"), recorded),
        Part("cache", ("cache", config, "--data", str(data), "--to", "{out}", "--workers", "2"), digests("")),
        Part("export", ("export", str(run), "--to", "{out}"), digests(".safetensors")),
        Part("import", ("import-weights", str(export), "--to", "{out}"), weights),
        Part("evaluate", ("evaluate", str(run), "--data", str(data), "--out", "{out}"), scores),
        Part("sweep", ("sweep", study, "--data", str(data), "--out", "{out}", "--workers", "2"), losses),
    ]


def digests(word: str) -> Outcome:
    """SHA-256 of every file whose name holds the word, but for the marks of a directory's owner."""

    def of(out: Path) -> dict[str, str]:
        files = [
            path for path in sorted(out.rglob("*")) if path.is_file() and word in path.name and path.name != ".lock"
        ]
        return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    return of


def recorded(out: Path) -> dict[str, list[str]]:
    """SHA-256 of every record, its features by name: in the files they lie in an order that differs by process."""
    import tensorflow as tf

    def digest(record: bytes) -> str:
        features = tf.train.Example.FromString(record).features.feature
        parts = [name.encode() + features[name].SerializeToString() for name in sorted(features)]
        return hashlib.sha256(b"".join(parts)).hexdigest()

    return {
        str(path.relative_to(out)): [digest(one) for one in tf.data.TFRecordDataset(str(path)).as_numpy_iterator()]
        for path in sorted(out.rglob("*.tfrecord*"))
    }


def weights(out: Path) -> str:
    """Digest of all parameters of a run."""
    import jax
    import numpy as np

    from gato_jax.weights.load import load_weights

    parameters = load_weights(out).parameters
    sha256 = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(parameters):
        sha256.update(jax.tree_util.keystr(path).encode() + np.asarray(leaf).tobytes())
    return sha256.hexdigest()


def scores(out: Path) -> dict[str, Any]:
    """Returns and lengths of every episode, by task."""
    evaluation = read_json(out / "evaluation.json", "the scores of a run", keys={"tasks": list})
    return {task["task"]: [task["returns"], task["percent"]] for task in evaluation["tasks"]}


def losses(out: Path) -> list[dict[str, Any]]:
    """The table of a sweep, without times."""
    from gato_jax.studies import sweep

    names = ("name", "shares", "losses", "domain_losses", "rows", "steps")
    return [{name: result[name] for name in names} for result in sweep.results(out)]


def start(part: Part, out: Path) -> subprocess.Popen:
    """The command, as a user would start it. What it prints goes to `<out>.log`."""
    out.parent.mkdir(parents=True, exist_ok=True)
    words = [word.replace("{out}", str(out.absolute())) for word in part.arguments]
    compiled = str(out.absolute().parent.parent / "compiled")
    environment = os.environ | {MARK: str(out.absolute()), "JAX_COMPILATION_CACHE_DIR": compiled}
    with out.with_suffix(".log").open("w") as log:
        command = [sys.executable, "-m", "gato_jax.cli", *words]
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)


def running(out: Path) -> list[int]:
    """Processes that a command over `out` has started, or is."""
    mark, pids = f"{MARK}={out.absolute()}".encode(), []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # It has ended meanwhile, or is another user's.
            if mark in path.read_bytes().split(b"\0"):
                pids.append(int(path.parent.name))
    return pids


def ended_within(out: Path, seconds: float) -> bool:
    """Whether everything that was started over `out` has ended, or does within the time."""
    deadline = time.monotonic() + seconds
    while left := running(out):
        if time.monotonic() > deadline:
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return False
        time.sleep(0.2)
    return True


def leftovers(out: Path) -> list[str]:
    """Files half written, in `out` and beside it."""
    inside = [path for path in out.rglob(".*") if path.name != ".lock"]
    return [str(path) for path in (*inside, *out.parent.glob(f".{out.name}*"))]


def run_to_end(part: Part, out: Path) -> float:
    """Runs the command; the seconds that it took, without those of reading what it made."""
    begun = time.monotonic()
    if code := start(part, out).wait():
        said = out.with_suffix(".log").read_text()[-3000:]
        raise RuntimeError(f"{part.name} ended with exit code {code}:\n{said}")
    return time.monotonic() - begun


def finish(part: Part, out: Path) -> Any:
    """Runs the command to its end; its outcome."""
    run_to_end(part, out)
    return part.outcome(out)


def survive(part: Part, out: Path, *, kills: int, seed: int) -> dict[str, Any]:
    """Kills a command and runs it again; raises `AssertionError` where anything is left or differs in the end."""
    whole, disturbed = out / part.name / "whole", out / part.name / "disturbed"
    seconds = run_to_end(part, whole)
    expected = part.outcome(whole)
    counted: dict[str, Any] = {"command": part.name, "kills": 0, "done_before": 0, "seconds": round(seconds, 1)}
    generator = random.Random(f"{seed} {part.name}")
    for number in _signals(generator):
        if counted["kills"] == kills:
            break
        process = start(part, disturbed)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=generator.uniform(0.05, 1.0) * seconds)
        if process.poll() is None:
            process.send_signal(number)
        code = process.wait(timeout=600)
        if not ended_within(disturbed, LINGER):
            raise AssertionError(f"{part.name}: processes ran on after {number.name}")
        if code == 0:
            assert part.outcome(disturbed) == expected, f"{part.name} differs"
            counted["done_before"] += 1
            shutil.rmtree(disturbed)
        elif code not in (-number, 128 + number):
            said = disturbed.with_suffix(".log").read_text()[-3000:]
            raise AssertionError(f"{part.name} failed by itself with exit code {code}:\n{said}")
        counted["kills"] += code != 0
        counted[number.name] = counted.get(number.name, 0) + (code != 0)
        print(f"{part.name}: {number.name}, exit code {code}", flush=True)
    assert finish(part, disturbed) == expected, f"{part.name} differs"
    assert not (left := leftovers(disturbed)), f"{part.name} left {left}"
    write_json(out / part.name / "survived.json", counted)
    return counted


def _signals(generator: random.Random) -> Iterator[signal.Signals]:
    """SIGKILL twice as often as the other two."""
    while True:
        yield generator.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT))
