"""`gato quickstart`: record, train, evaluate, export and report, in one directory that can be interrupted at any time.

Every stage runs in a process of its own (TensorFlow, JAX and the renderers do not share one well) through the same
command a user would type, writes its output atomically, and is skipped or continued when its output is there.
"""

import dataclasses
import json
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

from data_pipelines import atomic_files
from data_pipelines.read_json import read_json


class StageFailed(RuntimeError):
    """A stage ended with an error, which it has already explained."""


@dataclasses.dataclass(frozen=True)
class QuickstartResult:
    """What the quickstart made.

    Args:
      out: its directory, with data/, run/, export/, evaluation.json and report.html.
      seconds: wall time of every stage, summed over all attempts.
      evaluation: scores, as `gato evaluate --json` prints them.
    """

    out: pathlib.Path
    seconds: dict[str, float]
    evaluation: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        return {"out": str(self.out), "seconds": self.seconds, "evaluation": self.evaluation}

    def table(self) -> Any:
        """The score table and the next steps, for a terminal."""
        import rich.console

        from gato_jax.evaluation.results import EvaluationResult

        minutes = ", ".join(f"{stage} {seconds / 60:.1f}" for stage, seconds in self.seconds.items())
        total = sum(self.seconds.values()) / 60
        lines = [
            "",
            f"minutes: {minutes}; {total:.1f} in all",
            f"report:  {self.out / 'report.html'}",
            f"weights: {self.out / 'export'}",
            "",
            "next:",
            f"  gato play {self.out / 'run'} metaworld.drawer_close      # watch it",
            f"  gato inspect quickstart --data {self.out / 'data'}       # see what it was trained on",
            f"  gato train quickstart --data.directory {self.out / 'data'} --model.width 256 --out runs/wider",
        ]
        return rich.console.Group(EvaluationResult.from_dict(self.evaluation).table(), "\n".join(lines))


def quickstart(
    out: pathlib.Path,
    *,
    minutes: float = 8.0,
    tasks: Sequence[str] = ("default",),
    episodes: int = 20,
    workers: int = 2,
    seed: int = 0,
    scale: float = 1.0,
) -> QuickstartResult:
    """Runs every stage that is not done yet.

    Args:
      out: directory for everything; made when absent.
      minutes: training time, turned into steps once at the start of training.
      tasks: task names, or "default", or "all".
      episodes: evaluation episodes per task.
      workers: recording processes.
      seed: of recording, stream and initialisation.
      scale: multiplies the recorded episodes.

    Raises:
      ValueError: when `out` was started with other settings.
      StageFailed: when a stage ended with an error.
    """
    out = out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    data, run, export = out / "data", out / "run", out / "export"
    settings = {
        "minutes": minutes,
        "tasks": list(tasks),
        "episodes": episodes,
        "seed": seed,
        "scale": scale,
    }
    _check_settings(out / "quickstart.json", settings)
    clock = _Clock(out / "seconds.json")

    recording = ["--out", data, "--tasks", *tasks, "--workers", workers, "--seed", seed, "--scale", scale]
    recording += ["--validation", 0]  # The agent acts: held-out episodes would only take time.
    with clock.stage("record"):
        _run("record", *recording)
    with clock.stage("train"):
        if not (out / "experiment.json").exists():
            atomic_files.write_json(out / "experiment.json", _experiment(data, minutes=minutes, seed=seed))
        _run("train", out / "experiment.json", "--out", run)
        # A run that was interrupted before its first step has no summary yet.
        summary = run / "summary.json"
        if not summary.exists() or not read_json(summary, "the summary of a run", keys=("finished",))["finished"]:
            raise KeyboardInterrupt
    with clock.stage("evaluate"):
        _run("evaluate", run, "--data", data, "--episodes", episodes, "--out", out, silent=True)
    with clock.stage("export"):
        if not export.exists():
            _run("export", run, "--to", export, silent=True)
    with clock.stage("report"):
        _run("report", run, "--evaluation", out, silent=True)
    evaluation = read_json(out / "evaluation.json", "the scores of a run")
    return QuickstartResult(out, clock.seconds, evaluation)


def _experiment(data: pathlib.Path, *, minutes: float, seed: int) -> dict[str, Any]:
    """The resolved quickstart experiment over every task that was recorded."""
    from data_pipelines.storage.data_directory import RECORDING_FILE
    from gato_jax import config

    recorded = sorted(path.parent.name for path in data.glob(f"*/{RECORDING_FILE}"))
    module = config.experiment_module("quickstart")
    experiment = module.experiment(directory=data, tasks=recorded, minutes=minutes, seed=seed)
    return json.loads(experiment.to_json())


def _check_settings(path: pathlib.Path, settings: dict[str, Any]) -> None:
    """Settings are written once; a directory keeps one meaning."""
    if not path.exists():
        atomic_files.write_json(path, settings)
        return
    saved_settings = read_json(path, "the settings of a quickstart")
    differences = [
        f"{key}: started with {saved_settings.get(key)!r}, asked for {settings[key]!r}"
        for key in settings
        if saved_settings.get(key) != settings[key]
    ]
    if differences:
        raise ValueError(f"{path.parent} holds another quickstart ({'; '.join(differences)}); give another --out")


def _run(*command: Any, silent: bool = False) -> None:
    """Runs one `gato` command in a process of its own, passing SIGTERM on and waiting for its clean end.

    What a stage prints goes to stderr, so that stdout holds the quickstart's own result alone; `silent` drops what that
    result repeats.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "gato_jax.cli", *map(str, command)],
        stdout=subprocess.DEVNULL if silent else sys.stderr,
    )
    previous = signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    try:
        code = _wait(process)
    finally:
        signal.signal(signal.SIGTERM, previous)
    if code in (-signal.SIGINT, -signal.SIGTERM, 128 + signal.SIGINT):
        raise KeyboardInterrupt
    if code:
        raise StageFailed(f"the stage `gato {command[0]}` ended with exit code {code}; its message is above")


def _wait(process: subprocess.Popen) -> int:
    """Waits; a Ctrl-C reaches the child through the terminal, which then saves its state and ends."""
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            print("interrupting: waiting for the stage to save its state", file=sys.stderr)


class _Clock:
    """Wall time of the stages, kept in a file so that it adds up over interrupts."""

    def __init__(self, path: pathlib.Path):
        self._path = path
        self.seconds: dict[str, float] = (
            read_json(path, "seconds by stage", remedy="delete it to count anew") if path.exists() else {}
        )

    def stage(self, name: str) -> "_Stage":
        return _Stage(self, name)

    def add(self, name: str, seconds: float) -> None:
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds
        atomic_files.write_json(self._path, self.seconds)


class _Stage:
    def __init__(self, clock: _Clock, name: str):
        self._clock, self._name = clock, name

    def __enter__(self) -> None:
        self._start = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._clock.add(self._name, time.monotonic() - self._start)
