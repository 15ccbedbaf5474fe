"""Pictures of recorded or acted episodes, drawn in a process of their own.

TensorFlow and an OpenGL renderer cannot share a process, and an OpenGL that is missing or broken can end the process
that asks for it. So a child process replays the episode from its seed and executed actions, and hands back the frames.
"""

import dataclasses
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from data_pipelines.spec import World
from data_pipelines.suites import catalog
from data_pipelines.suites.outside import consent
from data_pipelines.suites.outside.process import RENDERER, process_environment

_TIMEOUT_SECONDS = 300.0


@dataclasses.dataclass(frozen=True)
class Replay:
    """Frames of an episode, or None and why there are none."""

    frames: UInt8[np.ndarray, "T H W 3"] | None
    reason: str = ""


def replay(
    task: str,
    seed: int,
    actions: Sequence[np.ndarray] | np.ndarray,
    *,
    every: int = 1,
    size: int = 128,
    world: World | None = None,
    allow: Sequence[str] = (),
) -> Replay:
    """Replays an episode and draws it.

    Args:
      task: name.
      seed: of the episode.
      actions: that were executed, first to last.
      every: draw the start, and then each timestep whose index is a multiple of this.
      size: height and width of the frames.
      world: where the task is played, if that is outside this package; drawn by consent.
      allow: packages whose code may be imported although nobody here named that world.

    Returns:
      Frames of the timesteps 0, every, 2 * every, ..., or the reason why nothing could be drawn.
    """
    if every < 1 or size < 8:
        raise ValueError(f"every must be at least 1 and size at least 8, found {every} and {size}")
    if world is not None:
        try:
            consent.check(task, world, allow=allow)
        except consent.CodeNotAllowed as error:
            return Replay(None, str(error))
    elif catalog.get(task).make_environment is None:
        return Replay(None, f"task {task!r} has no environment")
    environment = process_environment()
    if world is None:
        needs_opengl = catalog.suite_of(task.partition(".")[0]).needs_opengl
        environment["MUJOCO_GL"] = os.environ.get(RENDERER, "egl") if needs_opengl else "disabled"
    with tempfile.TemporaryDirectory(prefix="gato-render-") as work:
        actions_file, drawn = Path(work) / "actions.npy", Path(work) / "frames.npy"
        np.save(actions_file, np.asarray(actions))
        command = [sys.executable, "-m", "data_pipelines.suites.render_child", task, str(seed), str(every),
                   str(size), str(actions_file), str(drawn),
                   world.to_json() if world else ""]  # fmt: skip
        try:
            child = subprocess.run(
                command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False,
                timeout=_TIMEOUT_SECONDS,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return Replay(None, f"rendering {task!r} took more than {_TIMEOUT_SECONDS:.0f} s")
        if not drawn.exists():
            lines = [line for line in child.stderr.splitlines() if line.strip()] or [f"exit code {child.returncode}"]
            return Replay(None, f"rendering {task!r} failed: {lines[-1]}")
        return Replay(np.load(drawn))
