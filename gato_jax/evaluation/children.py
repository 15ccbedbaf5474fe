"""Child processes that read data: reading needs TensorFlow, acting must not."""

import json
import os
import subprocess
import sys
from typing import Any


class ValidationError(RuntimeError):
    """The child process could not read the data; the message is its own."""


def run(module: str, request: dict[str, Any], *, what: str) -> None:
    """Runs `python -m module` with the request as JSON on standard input.

    Args:
      module: reads the request and writes files that it names.
      request: JSON.
      what: for the message, such as "validation data of a.b".

    Raises:
      ValidationError: with the reason that the child gave.
    """
    done = subprocess.run(
        [sys.executable, "-m", module],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "MUJOCO_GL": "disabled"},
        check=False,
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or [f"exit code {done.returncode}"]
        raise ValidationError(f"could not read {what}: {lines[-1]}")
