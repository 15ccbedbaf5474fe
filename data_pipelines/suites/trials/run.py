"""Worlds tried in processes of their own: one that hangs or crashes costs its own trial, and no other."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from data_pipelines.suites.outside.world_process import ProcessHung, ProcessLost, WorldProcess
from data_pipelines.suites.trials.trial import STEPS, Trial

SECONDS = 180.0
"""Most that one world may take, the import of its simulator included."""
MEMORY = 8192.0
"""MiB that it may hold, together with the worlds of the same process before it."""


def run_trials(
    names: Iterable[str],
    *,
    seconds: float = SECONDS,
    steps: int = STEPS,
    size: int = 64,
    pictures: Path | None = None,
    together: bool = False,
) -> Iterator[tuple[str, Trial]]:
    """Tries tasks of the catalog, suite after suite, each suite in a process without TensorFlow.

    Args:
      names: of the tasks; those of a suite should follow each other.
      seconds: after which a world's process is killed, whatever it is doing.
      steps: random ones of each.
      size: height and width of its pictures.
      pictures: folder for one picture of each, `<task>.png`; None keeps none.
      together: whether all suites share one process, which is faster for few tasks.

    Yields:
      Each name with what came of it, as it comes.
    """
    child: WorldProcess | None = None
    domain = ""
    try:
        for name in names:
            if child is not None and (not child.alive or (not together and name.partition(".")[0] != domain)):
                child.close()
                child = None
            child, domain = child or WorldProcess("data_pipelines.suites.trials.child"), name.partition(".")[0]
            picture = None if pictures is None else str(pictures / f"{name}.png")
            yield name, _trial(child, {"name": name, "steps": steps, "size": size, "picture": picture}, seconds)
    finally:
        if child is not None:
            child.close()


def _trial(child: WorldProcess, request: Mapping[str, Any], seconds: float) -> Trial:
    try:
        answer, _ = child.ask(request, seconds, memory=MEMORY)
    except ProcessHung:
        return Trial(False, f"took more than {seconds:g} s", seconds)
    except ProcessLost as error:
        return Trial(False, str(error))
    return Trial(**answer)
