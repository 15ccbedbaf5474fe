"""One episode as a picture: a film where its simulator can render here, else a plot of what happened."""

import dataclasses
import io
from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from data_pipelines.suites import render
from gato_jax.evaluation.rollouts import Rollout

MILLISECONDS = 60
HOLD = 12
"""The last frame stays as long as this many frames, so that the end can be seen."""


@dataclasses.dataclass(frozen=True)
class Picture:
    """Encoded picture. `note` says why it is a plot; empty for a film."""

    data: bytes
    suffix: str
    note: str = ""

    @property
    def mime(self) -> str:
        return f"image/{self.suffix}"


def episode(rollout: Rollout, index: int, *, frames: int = 60, size: int = 160, allow: Sequence[str] = ()) -> Picture:
    """A GIF of at most about `frames` frames of size x size; a PNG plot where nothing can render.

    `allow` names packages whose code may be imported for that although nobody here named the rollout's world.
    """
    actions = rollout.actions[index]
    every = max(1, len(actions) // frames)
    replay = render.replay(
        rollout.task, rollout.seeds[index], actions, every=every, size=size, world=rollout.world, allow=allow
    )
    if replay.frames is None:
        return Picture(trajectory(rollout, index), "png", replay.reason)
    return Picture(gif(replay.frames, milliseconds=max(MILLISECONDS, 1500 // len(replay.frames))), "gif")


def gif(frames: UInt8[np.ndarray, "T H W 3"], *, milliseconds: int = MILLISECONDS) -> bytes:
    """An endless GIF with one palette for all frames, so that unchanged pixels cost nothing."""
    sample = np.concatenate(frames[:: max(1, len(frames) // 8)])
    palette = Image.fromarray(sample).quantize(128, method=Image.Quantize.MEDIANCUT)
    images = [Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    durations = [milliseconds] * (len(images) - 1) + [milliseconds * HOLD]
    buffer = io.BytesIO()
    images[0].save(
        buffer, "GIF", save_all=True, append_images=images[1:], duration=durations, loop=0, disposal=1, optimize=False
    )
    return buffer.getvalue()


def trajectory(rollout: Rollout, index: int) -> bytes:
    """PNG: every dimension of the action, and the return so far, over the episode's steps."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    actions = np.asarray(rollout.actions[index]).reshape(len(rollout.actions[index]), -1)
    figure = Figure(figsize=(4, 4), dpi=80, layout="constrained")
    FigureCanvasAgg(figure)
    top, bottom = figure.subplots(2, 1, sharex=True)
    top.plot(actions, linewidth=0.8, drawstyle="steps-post")
    top.set_ylabel("action")
    bottom.plot(np.cumsum(rollout.rewards[index]), color="#2a7f62")
    bottom.set_ylabel("return so far")
    bottom.set_xlabel("step")
    for axes in (top, bottom):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
    figure.suptitle(f"{rollout.task}, seed {rollout.seeds[index]}", fontsize=9)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
