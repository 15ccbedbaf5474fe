"""A few demonstrations of each task beside exported weights, so that an agent has prompts where there are no data."""

import dataclasses
import shutil
from pathlib import Path

from data_pipelines.storage.recorded_tasks import DataError
from data_pipelines.tokenizers.layout import TimestepLayout
from gato_jax.agent import demonstrations
from gato_jax.agent.demonstrations import DIRECTORY, Demonstrations
from gato_jax.agent.policy import prompt_timesteps_of, window_of
from gato_jax.export.common.model_files import say
from gato_jax.export.common.tasks import recorded_specs
from gato_jax.weights.source import Source

EPISODES = 3


def write_demonstrations(source: Source, directory: Path) -> None:
    """Writes `demonstrations/<task>.npz`: spec, first and last timesteps of recorded episodes, as long as prompts are.

    Tasks that the model's window has no room for are left out; of damaged ones only the spec is there, and both are
    said. An export of an export has those of the first one.
    """
    out, there = directory / DIRECTORY, source.path / DIRECTORY
    if there.is_dir():
        shutil.copytree(there, out, dirs_exist_ok=True)
        return
    experiment = source.experiment
    # With the whole window, whatever the run's own agent remembers: who loads the export may choose.
    agent = dataclasses.replace(experiment.agent, context_timesteps=0)
    data = Path(experiment.data.directory)
    for name, spec in recorded_specs(data, sorted(experiment.data.mixture.task_names)).items():
        layout = TimestepLayout.build(spec, experiment.data.tokens)
        try:
            timesteps = prompt_timesteps_of(experiment, layout, agent, window_of(experiment, layout, agent))
        except ValueError as error:
            say(f"no demonstrations: {error}")
            continue
        shown = Demonstrations(spec, [], [], [])
        if timesteps:
            try:
                shown = demonstrations.read(data, name, timesteps=timesteps, episodes=EPISODES)
            except DataError as error:
                say(f"no demonstrations: {error}")
        out.mkdir(exist_ok=True)
        shown.save(out / f"{name}.npz")
