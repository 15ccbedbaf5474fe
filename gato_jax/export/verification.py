"""An artefact is loaded by its own runtime, in a fresh process without our package, and compared with our model."""

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gato_jax.export.common.export_format import ExportFormat
from gato_jax.export.reference import Reference
from gato_jax.weights.tensor_names import ExportError, check_exit

SCRIPT = Path(__file__).with_name("fresh_process.py")
PYTHON_VARIABLE = "GATO_EXPORT_PYTHON"

FLOAT32_BOUND = 1e-4
"""Largest difference of a logit, computed in float32."""

BFLOAT16_BOUND = 0.05
"""Largest difference of a logit computed in bfloat16, as a share of the largest logit (at least 1): eight bits of
mantissa are half a percent at each of some dozen roundings."""


class RuntimeMissing(RuntimeError):
    """The runtime that would check an export is not installed; the message says how to get it."""


@dataclasses.dataclass(frozen=True)
class Verification:
    """What a fresh process found.

    Attributes:
      differences: largest difference of a logit, for each way to run ("float32", "bfloat16", "cached").
      bounds: what was allowed.
      logits: scores that were compared.
      greedy: (equal, compared) greedy action tokens for each way, on the recorded sequence.
      acting: the same for the artefact's own agent along whole recorded episodes; None where the format has no agent.
      ties: greedy tokens whose two best scores differ by less than the bound; they count as equal.
      tasks: recorded tasks that were compared; without any, only random rows were.
      load_seconds, seconds: of the fresh process.
      peak_bytes: its largest memory.
      versions: of its runtime.
    """

    differences: Mapping[str, float]
    bounds: Mapping[str, float]
    logits: int
    greedy: Mapping[str, tuple[int, int]]
    acting: tuple[int, int] | None
    ties: int
    tasks: tuple[str, ...]
    load_seconds: float
    seconds: float
    peak_bytes: int
    versions: Mapping[str, str]

    def lines(self) -> list[str]:
        """For a person."""
        lines = [
            f"logits computed in {way}: {self.logits:,} compared, largest difference {difference:.2g} "
            f"(allowed {self.bounds[way]:.2g})"
            for way, difference in self.differences.items()
        ]
        for way, (same, total) in self.greedy.items():
            if total:
                lines.append(f"greedy actions in {way}: {same} of {total} tokens equal")
        if self.acting is not None and self.acting[1]:
            lines.append(
                f"acting along recorded episodes with its own agent: {self.acting[0]} of {self.acting[1]} equal"
            )
        lines.append(f"on recorded episodes of {', '.join(self.tasks)}" if self.tasks else "on random rows only")
        return lines


def find_runtime(form: ExportFormat, python: str | None) -> str:
    """The interpreter that will check: the one asked for, the environment variable's, or this one.

    Raises:
      RuntimeMissing: it lacks the runtime; names the packages and the command that installs them.
    """
    interpreter = python or os.environ.get(PYTHON_VARIABLE) or sys.executable
    if os.sep in interpreter:  # The check runs elsewhere. Links stay: they are what makes a virtual environment.
        interpreter = os.path.abspath(interpreter)
    code = f"import importlib.util as u; print([n for n in {form.runtime!r} if u.find_spec(n) is None])"
    try:
        process = subprocess.run([interpreter, "-I", "-c", code], capture_output=True, text=True, check=False)
    except OSError as error:
        raise RuntimeMissing(f"cannot start {interpreter}: {error}") from error
    if process.returncode:
        raise RuntimeMissing(f"{interpreter} does not run: {process.stderr.strip()[-300:]}")
    if process.stdout.strip() != "[]":
        raise RuntimeMissing(
            f"checking a {form.name} export needs {process.stdout.strip()} in {interpreter}, which has none; "
            f"`{form.install}` there, or name another interpreter with --python or {PYTHON_VARIABLE}; "
            "--unverified exports without a check, and the model card says so"
        )
    return interpreter


def verify(directory: Path, form: ExportFormat, reference: Reference, *, interpreter: str) -> Verification:
    """Runs the check.

    Raises:
      ExportError: the artefact does not load, gives other logits, or would act differently.
      ProcessKilled: the check was killed.
    """
    with tempfile.TemporaryDirectory(prefix="gato-verify-") as home:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "XLA_", "JAX_"))
        }
        environment |= {
            "HF_HOME": home,
            "HF_HUB_OFFLINE": "1",
            "TRANSFORMERS_OFFLINE": "1",
            "JAX_PLATFORMS": "cpu",
            "CUDA_VISIBLE_DEVICES": "",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            # oneDNN's allocator keeps what is only needed while variables are read: at 1.18B a ninth of all weights.
            "TF_ENABLE_ONEDNN_OPTS": "0",
        }
        process = subprocess.run(
            [
                interpreter,
                "-I",
                "-B",
                str(SCRIPT),
                form.name,
                str(directory.resolve()),
                str(reference.path),
                *form.hidden,
            ],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            cwd=home,
            env=environment,
        )
    problem = f"the {form.name} export does not run in {interpreter}: {process.stderr.strip()[-1500:]}"
    check_exit(process.returncode, f"the check in {interpreter}", problem)
    return judge(json.loads(process.stdout.strip().splitlines()[-1]), reference)


def judge(measured: Mapping[str, Any], reference: Reference) -> Verification:
    """Compares what a fresh process printed with the bounds. Raises `ExportError` where it is outside of them."""
    bounds = {
        way: BFLOAT16_BOUND * max(1.0, measured["largest"]) if way == "bfloat16" else FLOAT32_BOUND
        for way in measured["differences"]
    }
    result = Verification(
        differences=measured["differences"],
        bounds=bounds,
        logits=measured["logits"],
        greedy={way: (same, total) for way, (same, total) in measured["greedy"].items()},
        acting=tuple(measured["acting"]) if "acting" in measured else None,
        ties=measured["ties"],
        tasks=reference.tasks,
        load_seconds=measured["load_seconds"],
        seconds=measured["seconds"],
        peak_bytes=measured["peak_bytes"],
        versions={"python": measured["python"], **measured["modules"]},
    )
    problems = []
    for way, difference in result.differences.items():
        if not difference <= bounds[way]:
            problems.append(f"other logits in {way}: expected at most {bounds[way]:.2g} apart, found {difference:.3g}")
        same, total = result.greedy[way]
        if way != "bfloat16" and same != total:
            problems.append(f"other greedy actions in {way}: {total - same} of {total} tokens differ")
    if result.acting is not None and result.acting[0] != result.acting[1]:
        same, total = result.acting
        problems.append(f"its agent acts differently: {total - same} of {total} action tokens differ")
    if problems:
        raise ExportError("what was exported is not what was trained: " + "; ".join(problems))
    return result
