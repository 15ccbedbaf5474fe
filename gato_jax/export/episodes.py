"""Recorded episodes for checks: `python -m gato_jax.export.episodes JSON`, a process of its own for TensorFlow's sake.

Writes one npz: `<task>|<key>` [T, ...] for each observation item, `<task>|action`, and `<task>|text` for a document.
"""

import io
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.spec import Kind, TaskSpec, lookup
from gato_jax.export.common.tasks import recorded_specs


def choose_tasks(directory: Path, names: Sequence[str], *, limit: int = 4) -> dict[str, TaskSpec]:
    """Recorded control tasks of a mixture, one of each domain first; their specs are as they were recorded."""
    specs = recorded_specs(directory, names)
    first = {spec.domain: name for name, spec in reversed(specs.items())}
    order = sorted(specs, key=lambda name: (name not in first.values(), name))
    return {name: specs[name] for name in order[:limit]}


def read_episodes(directory: Path, tasks: Sequence[str], *, steps: int, work: Path) -> dict[str, dict[str, np.ndarray]]:
    """The first recorded episode of each task, cut after `steps`: {task: {key: [T, ...]}}.

    Raises:
      RuntimeError: the recordings cannot be read.
    """
    if not tasks:
        return {}
    out = Path(work) / "episodes.npz"
    job = json.dumps({"directory": str(directory), "tasks": list(tasks), "steps": steps, "out": str(out)})
    process = subprocess.run(
        [sys.executable, "-m", "gato_jax.export.episodes", job], capture_output=True, text=True, check=False
    )
    if process.returncode:
        raise RuntimeError(f"cannot read recorded episodes in {directory}: {process.stderr.strip()[-600:]}")
    episodes: dict[str, dict[str, np.ndarray]] = {task: {} for task in tasks}
    with np.load(out, allow_pickle=False) as arrays:
        for name in arrays.files:
            task, _, key = name.partition("|")
            episodes[task][key] = arrays[name]
    return episodes


def _read(job: dict[str, Any]) -> None:
    from PIL import Image

    from data_pipelines.seqio_tasks.sources import RldsDataSource
    from data_pipelines.storage.recorded_tasks import read_task

    arrays: dict[str, np.ndarray] = {}
    for name in job["tasks"]:
        task = read_task(job["directory"], name)
        assert task.spec is not None
        split = "train" if "train" in task.shards else sorted(task.shards)[0]
        dataset = RldsDataSource(task).get_dataset(split, shuffle=False).take(1)
        steps = next(iter(dataset.as_numpy_iterator()))["steps"]
        count = min(job["steps"], int(np.sum(~steps["is_last"])))
        for item in task.spec.observation:
            values = lookup(steps["observation"], item.path)[:count]
            if item.kind is Kind.IMAGE:
                pictures = [np.asarray(Image.open(io.BytesIO(value))) for value in values]
                values = np.stack(pictures).reshape(count, *item.shape)
            elif item.kind is Kind.TEXT:
                values = np.array([value.decode() for value in values])
            arrays[f"{name}|{item.key}"] = values
        arrays[f"{name}|action"] = steps["action"][:count]
    np.savez(job["out"], allow_pickle=False, **arrays)


if __name__ == "__main__":
    _read(json.loads(sys.argv[1]))
