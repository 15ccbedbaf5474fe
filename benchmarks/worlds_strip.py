"""One picture of each suite, side by side with their names, for the README."""

import pathlib
import sys
import tempfile

from PIL import Image, ImageDraw, ImageFont

from data_pipelines.suites.trials.run import run_trials

SHOWN = {
    "atari": "atari.breakout",
    "babyai": "babyai.boss_level",
    "classic_control": "classic_control.acrobot",
    "dm_control": "dm_control.dog_run",
    "dm_control_pixels": "dm_control_pixels.cheetah_run",
    "dm_control_random_large": "dm_control_random_large.walker_walk",
    "dm_control_random_small": "dm_control_random_small.humanoid_walk",
    "metaworld": "metaworld.hammer",
    "procgen": "procgen.coinrun",
    "sokoban": "sokoban.boxoban",
}
"""Suite -> the task that shows it best; the first of its list where none is named."""

SIZE, EDGE, LABEL, COLUMNS = 150, 6, 20, 7
_STEPS = 40


def draw(worlds: dict[str, list[str]], file: pathlib.Path) -> None:
    """Draws the strip.

    Args:
      worlds: suite -> its tasks.
      file: PNG to write.
    """
    chosen = [SHOWN[domain] if SHOWN.get(domain) in names else names[0] for domain, names in sorted(worlds.items())]
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
