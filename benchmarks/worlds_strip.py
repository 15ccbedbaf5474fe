"""One picture of each suite, side by side with their names, for the README."""

import pathlib
import sys
import tempfile

from PIL import Image, ImageDraw, ImageFont

from data_pipelines.suites.trials.run import run_trials

SHOWN = {
    "dm_control": "dm_control.finger_spin",
    "dm_control_pixels": "dm_control_pixels.cheetah_run",
    "dm_control_random_small": "dm_control_random_small.walker_walk",
    "dm_control_random_large": "dm_control_random_large.humanoid_walk",
    "dm_control_manipulation": "dm_control_manipulation.stack_3_bricks_features",
    "metaworld": "metaworld.hammer",
    "babyai": "babyai.boss_level",
    "minigrid": "minigrid.four_rooms",
    "classic_control": "classic_control.acrobot",
    "gymnasium_mujoco": "gymnasium_mujoco.ant",
    "gymnasium_robotics": "gymnasium_robotics.franka_kitchen",
    "miniworld": "miniworld.sign",
    "procgen": "procgen.coinrun",
    "modular_rl": "modular_rl.humanoid_2d_9_full",
    "rgb_stacking_sim": "rgb_stacking_sim.triplet1",
    "sokoban": "sokoban.boxoban",
}
"""Suite -> the task that shows it best; the first of its list where none is named."""

LEFT_OUT = ("atari", "atari_extended", "atari_more", "dmlab", "vizdoom")
"""Suites whose games are not ours to show: no frame of theirs is in this repository."""

SIZE, EDGE, LABEL, COLUMNS = 150, 6, 20, 8
_STEPS = 12


def draw(worlds: dict[str, list[str]], file: pathlib.Path) -> None:
    """Draws the strip.

    Args:
      worlds: suite -> its tasks.
      file: PNG to write.
    """
    shown = {domain: names for domain, names in worlds.items() if domain not in LEFT_OUT}
    chosen = [SHOWN[domain] if SHOWN.get(domain) in names else names[0] for domain, names in shown.items()]
    with tempfile.TemporaryDirectory() as work:
        folder = pathlib.Path(work)
        for name, trial in run_trials(chosen, steps=_STEPS, size=SIZE, pictures=folder):
            if not trial.ok:
                print(f"{name}: {trial.reason}", file=sys.stderr)
        frames = {name: Image.open(folder / f"{name}.png") for name in chosen if (folder / f"{name}.png").exists()}
        picture(frames).save(file, optimize=True)


def picture(frames: dict[str, Image.Image]) -> Image.Image:
    """Frames by task, in rows of `COLUMNS`, each with its suite's name below."""
    columns = min(COLUMNS, len(frames))
    rows = -(-len(frames) // columns)
    width, height = SIZE + EDGE, SIZE + LABEL + EDGE
    strip = Image.new("RGB", (columns * width + EDGE, rows * height + EDGE), "white")
    pen, font = ImageDraw.Draw(strip), ImageFont.load_default(size=12)
    for index, (name, frame) in enumerate(frames.items()):
        left, top = EDGE + index % columns * width, EDGE + index // columns * height
        strip.paste(frame.resize((SIZE, SIZE)), (left, top))
        label = name.partition(".")[0]
        pen.text((left + SIZE // 2, top + SIZE + LABEL // 2), label, fill="black", font=font, anchor="mm")
    return strip
