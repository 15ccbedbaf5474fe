"""The process in which `render` draws: `python -m ...render_child TASK SEED EVERY SIZE ACTIONS FRAMES WORLD`."""

import json
import os
import sys

import numpy as np

from data_pipelines.config_json import decode
from data_pipelines.spec import World
from data_pipelines.suites import catalog


def main(task: str, seed: int, every: int, size: int, actions_file: str, drawn: str, outside: str) -> None:
    """Replays the actions in `actions_file` and saves the frames as file `drawn`, whole or not at all."""
    world = decode(World, json.loads(outside)) if outside else None
    env = catalog.make(task, world, allow=(world.code,) if world else (), draw=True)  # Whoever asks has consent.
    timestep = env.reset_to(seed)
    frames = [env.render(size)]
    for index, action in enumerate(np.load(actions_file), start=1):
        if timestep.last():
            raise ValueError(f"the episode of seed {seed} ended after {index - 1} actions, found more")
        timestep = env.step(action)
        if index % every == 0:
            frames.append(env.render(size))
    np.save(drawn + ".partial.npy", np.stack(frames))
    os.replace(drawn + ".partial.npy", drawn)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5], sys.argv[6], sys.argv[7])
