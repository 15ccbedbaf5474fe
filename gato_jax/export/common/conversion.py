"""Formats that a library makes from another export: in a process of its own, in a directory that is no part of them."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gato_jax.weights.tensor_names import check_exit

WORK = "conversion"
"""Name of that directory. A killed export leaves it; the next call goes on from the tensors in it and removes it."""

Command = Callable[[Path, Path], Sequence[str]]
"""(directory of the model, directory to fill) -> a process that makes the format."""


def convert(
    make_model: Callable[[Path], None],
    directory: Path,
    command: Command,
    *,
    result: str,
    environment: Mapping[str, str],
    tool: str,
) -> None:
    """Fills `directory` with what a process makes of a model, unless an earlier call has done so.

    Args:
      make_model: writes the export that it is made from into a directory, or what is missing of it.
      directory: of the format; nothing but the format is left in it.
      command: makes it.
      result: a file of the format.
      environment: of the process.
      tool: what fails, in words.

    Raises:
      ExportError: the process fails; says what it printed.
      ProcessKilled: it was killed; what is written stays.
    """
    work = (directory / WORK).resolve()
    if (directory / result).exists() and not work.exists():
        return
    model, output = work / "model", work / "made"
    model.mkdir(parents=True, exist_ok=True)
    with (work / "lock").open("w") as lock:
        _wait(lock.fileno(), work)
        make_model(model)
        if output.exists():
            shutil.rmtree(output)
        output.mkdir()
        # The process holds the lock too: it may outlive us, and must not meet the next call's process.
        process = subprocess.run(
            command(model, output), stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", errors="replace",
            check=False, env=dict(environment), pass_fds=[lock.fileno()],
        )  # fmt: skip
    check_exit(process.returncode, tool, f"{tool} does not carry this model: {process.stderr.strip()[-1500:]}")
    for path in output.iterdir():
        target = directory / path.name
        if target.is_dir():
            shutil.rmtree(target)
        os.replace(path, target)
    shutil.rmtree(work)


def _wait(lock: int, work: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        print(f"export: waiting for a process of a killed export that still writes to {work}", file=sys.stderr)
        fcntl.flock(lock, fcntl.LOCK_EX)
