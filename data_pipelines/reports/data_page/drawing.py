"""Frames of an episode whose data hold none: its simulator plays it again from its seed and actions, and draws."""

from typing import Any

import numpy as np

from data_pipelines.reports.data_page.thumbnails import pixels_uri
from data_pipelines.spec import TaskSpec
from data_pipelines.storage.example_fields import Example
from data_pipelines.suites import catalog, render

_SIDE, _FRAMES = 160, 60
_BYTES = 6_000
"""About what a frame takes."""


class NotDrawn(Exception):
    """Why an episode cannot be drawn."""


def frames(spec: TaskSpec, example: Example, every: int, points: int, size: float) -> dict[str, Any]:
    """Frames as `episodes` has recorded ones.

    Args:
      spec: of the task.
      example: the episode.
      every: steps from one point to the next.
      points: of the episode in the page.
      size: bytes that they should take at most, about.

    Raises:
      NotDrawn: nothing can draw it here, or its data do not say how it began.
    """
    if "seed" not in example:
        raise NotDrawn("the data have no seed of it")
    if spec.world is None and spec.name not in catalog.catalog():
        raise NotDrawn("no simulator here has this task")
    apart = -(-points // max(1, min(_FRAMES, int(size / _BYTES))))
    actions = example.numbers("steps/action").astype(spec.action.dtype).reshape(-1, *spec.action.shape)[:-1]
    seed = int(example.numbers("seed")[0])
    replay = render.replay(spec.name, seed, actions, every=every * apart, size=_SIDE, world=spec.world)
    if replay.frames is None:
        raise NotDrawn(replay.reason)
    files = [pixels_uri(np.asarray(frame)) for frame in replay.frames]
    return {"key": "drawn again by its simulator", "every": apart, "files": files}
