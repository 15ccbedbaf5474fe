"""Formats that a library makes from another export: in a process of its own, in a directory that is no part of them."""

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gato_jax.export.names import ExportError

WORK = "conversion"
"""Name of that directory. A killed export leaves it; the next call goes on from the tensors in it and removes it."""


def convert(
    make_model: Callable[[Path], None],
    directory: Path,
    command: Callable[[Path, Path], Sequence[str]],
    *,
    environment: Mapping[str, str],
    tool: str,
) -> None:
    """Fills `directory` with what a process makes of a model.

    Args:
      make_model: writes the export that it is made from into a directory, or what is missing of it.
      directory: of the format; appears in it whole.
      command: (directory of the model, directory to fill) -> the process.
      environment: of the process.
      tool: what fails, in words.

    Raises:
      ExportError: the process fails; says what it printed.
    """
    work = (directory / WORK).resolve()
    model, made = work / "model", work / "made"
    model.mkdir(parents=True, exist_ok=True)
    make_model(model)
    if made.exists():
        shutil.rmtree(made)
    made.mkdir()
    process = subprocess.run(command(model, made), capture_output=True, text=True, check=False, env=dict(environment))
    if process.returncode:
        raise ExportError(f"{tool} does not carry this model: {process.stderr.strip()[-1500:]}")
    for path in made.iterdir():
        target = directory / path.name
        if target.is_dir():
            shutil.rmtree(target)
        os.replace(path, target)
    shutil.rmtree(work)
