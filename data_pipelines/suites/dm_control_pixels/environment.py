"""DeepMind Control Suite tasks from one picture. Imports OpenGL: only for processes without TensorFlow."""

from typing import Any

import numpy as np

from data_pipelines.spec import ItemSpec, Kind
from data_pipelines.suites.dm_control.environment import DmControlEnvironment
from data_pipelines.suites.dm_control.tasks import EPISODE_STEPS, suite_names
from data_pipelines.suites.outside.leaves import Leaf

PIXELS = "pixels"
SIZE = 64


class DmControlPixelsEnvironment(DmControlEnvironment):
    """One suite task that shows what the suite's first camera sees, without shadows and reflections, and nothing else.

    Args:
      name: of the task.
      task: ours in `DM_CONTROL`, such as "cheetah_run".
      size: height and width of the picture.
    """

    def __init__(self, name: str, *, task: str, size: int = SIZE):
        domain, suite_task = suite_names(task)
        shape = (size, size, 3)
        item = ItemSpec(PIXELS, Kind.IMAGE, shape, "uint8")
        picture = Leaf(item, (PIXELS,), shape, np.dtype(np.uint8))
        super().__init__(name, domain=domain, task=suite_task, episode_steps=EPISODE_STEPS, observation=(picture,))
        self.suite_task = task
        self._size = size

    def _show(self, observation: Any) -> Any:
        del observation
        return {PIXELS: self.render(self._size)}


def make(task: str, size: int = SIZE) -> DmControlPixelsEnvironment:
    """A task with pictures of another size, as a world of its own: `gato record` takes this function by its name."""
    return DmControlPixelsEnvironment(f"dm_control_pixels_{size}.{task}", task=task, size=size)
