"""Films a demonstrator as a GIF for the documentation.

    python -m benchmarks.films TASK FILE.gif [--seed 0] [--size 160] [--steps 250] [--every 4] [--speed 1.5]

It draws with OpenGL, in this process, which imports no TensorFlow. The pictures are the world's own, whatever is
observed.
"""

import argparse
import os
import pathlib

from PIL import Image

from data_pipelines.suites import catalog
from data_pipelines.suites.outside.process import renderer

COLOURS = 96
"""Of a GIF: fewer make it smaller."""

SLOWEST, FASTEST = 2, 50
"""Hundredths of a second that a frame may last: viewers show shorter ones at a pace of their own."""


def film(name: str, *, seed: int, size: int, steps: int, every: int) -> tuple[list[Image.Image], float, float]:
    """Frames of one episode, the seconds of the world between two of them, and the return of what was filmed."""
    task = catalog.get(name)
    catalog.check_recordable(task)
    env, expert = task.make_environment(), task.make_expert()
    timestep = env.reset_to(seed)
    expert.reset(env, seed)
    frames, total = [Image.fromarray(env.render(size))], 0.0
    for step in range(1, steps + 1):
        timestep = env.step(expert.act(timestep))
        total += timestep.reward
        if step % every == 0:
            frames.append(Image.fromarray(env.render(size)))
        if timestep.last():
            break
    seconds = every * getattr(env, "control_timestep", 0.05)
    env.close()
    return frames, seconds, total


def with_one_palette(frames: list[Image.Image]) -> list[Image.Image]:
    """Frames in the same few colours: palettes of their own would flicker."""
    width, height = frames[0].size
    together = Image.new("RGB", (width, height * len(frames)))
    for index, frame in enumerate(frames):
        together.paste(frame, (0, index * height))
    palette = together.quantize(COLOURS)
    return [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]


def main() -> None:
    """Writes the film that the command line asks for, and says how long and how large it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task")
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--every", type=int, default=4)
    parser.add_argument("--speed", type=float, default=1.0, help="how much faster than the world it is shown")
    options = parser.parse_args()
    os.environ["MUJOCO_GL"] = renderer()  # before a simulator is imported
    frames, seconds, total = film(
        options.task, seed=options.seed, size=options.size, steps=options.steps, every=options.every
    )
    hundredths = min(max(round(100 * seconds / options.speed), SLOWEST), FASTEST)
    small = with_one_palette(frames)
    small[0].save(options.file, save_all=True, append_images=small[1:], duration=10 * hundredths, loop=0, optimize=True)
    print(f"{options.file}: {len(frames)} frames, {options.file.stat().st_size / 1000:.0f} kB, return {total:.4g}")


if __name__ == "__main__":
    main()
