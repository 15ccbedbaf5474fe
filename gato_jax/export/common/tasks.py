"""Tasks that exported weights can act in, as they were recorded."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data_pipelines.config_json import encode
from data_pipelines.spec import TaskSpec
from data_pipelines.storage.recorded_tasks import RECORDING, SPEC
from data_pipelines.tokenizers.layout import TimestepLayout
from gato_jax.config import Experiment


def recorded_specs(directory: Path, names: Sequence[str]) -> dict[str, TaskSpec]:
    """Specs of those of the tasks that are recorded in a data directory and have actions."""
    specs = {}
    for name in names:
        path = Path(directory) / name
        if (path / RECORDING).is_file() and (path / SPEC).is_file():
            text = (path / SPEC).read_text()
            if json.loads(text).get("kind", "control") == "control":
                specs[name] = TaskSpec.from_json(text)
    return specs


def task_file(experiment: Experiment, specs: Mapping[str, TaskSpec], *, text: bool) -> dict[str, Any]:
    """`tasks.json`: how observations become tokens, and for each task its spec and how to act in it.

    Args:
      text: whether there is a text model; tasks with text are left out where there is none.
    """
    agent, tasks = experiment.agent, {}
    for name, spec in specs.items():
        layout = TimestepLayout.build(spec, experiment.data.tokens)
        window = _window(experiment, spec, layout)
        if not window or (layout.has_text and not text):
            continue
        tasks[name] = {
            "spec": json.loads(spec.to_json()),
            "window": window,
            "drop": agent.drop_timesteps,
            "decode": agent.decode_of(spec.domain).value,
            "temperature": agent.temperature,
        }
    return {"tokens": encode(experiment.data.tokens), "tasks": tasks}


def _window(experiment: Experiment, spec: TaskSpec, layout: TimestepLayout) -> int:
    """Timesteps that the agent sees in a task, as `Policy` has it; 0 where not one fits."""
    groups = experiment.data.mixture.groups
    own = [group for group in groups.values() if spec.name in group.tasks]
    fits = max(group.window_length for group in own or groups.values()) // layout.length
    return min(fits, experiment.agent.context_timesteps or fits)
