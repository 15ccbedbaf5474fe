"""Makes the frozen data of the compatibility tests: `python tests/compatibility/make_data.py`, about a minute.

`data/` and `batches.json` were made from commit 6c3b28a. They say what that code wrote and read, so they are renewed
only after a change of batches or of formats that is meant (then `fingerprint.PIPELINE_VERSION` rises too), or after a
new version of TensorFlow or SeqIO that shuffles in another order. After a move of code they must hold as they are.

`--batches` renews `batches.json` alone, from the data that is there.
"""

import argparse
import importlib.metadata
import io
import json
import os
import pathlib
import tempfile

os.environ["MUJOCO_GL"] = "disabled"
import frozen_data
import numpy as np
import pyarrow
import pyarrow.parquet
from PIL import Image

from data_pipelines import recording
from data_pipelines.caching.writer import write_cache
from data_pipelines.config import DataConfig
from data_pipelines.config_json import decode
from data_pipelines.importing.control import import_data
from data_pipelines.importing.vision_language import Encoding, PictureConfig, import_vision_language
from data_pipelines.stream.stream import Stream

SAID = "the arm moves a red cup over blue boxes while it waits; café, naïve, 机器人, ½ and 🙂 are words too"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", action="store_true", help="only batches.json")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        if arguments.batches:
            frozen_data.unpack(root)
        else:
            make_directories(root)
            frozen_data.ARCHIVES.mkdir(exist_ok=True)
            for name in frozen_data.DIRECTORIES:
                frozen_data.pack(root, name)
        batches = {name: read(name, root) for name in frozen_data.CONFIGURATIONS if name != "cached"}
    versions = {name: importlib.metadata.version(name) for name in ("numpy", "seqio", "tensorflow", "tensorflow-text")}
    frozen_data.BATCHES.write_text(json.dumps({"made_with": versions, **batches}, indent=1) + "\n")


def make_directories(root: pathlib.Path) -> None:
    """All frozen directories as files."""
    config = recording.RecordingConfig(**frozen_data.RECORDING)
    print(recording.record(frozen_data.RECORDED, root / "recorded", config=config, progress=lambda progress: None))
    generator = np.random.default_rng(0)
    for task, write in {
        "frozen.arm": write_episodes,
        "text.notes": write_notes,
        "captions.shapes": write_captions,
        "documents.pages": write_pages,
    }.items():
        source = root / "sources" / task
        source.mkdir(parents=True)
        write(source, generator)
        run_import(root, task)
    write_cache(decode(DataConfig, frozen_data.located("control_with_prompts", root)), root / "cache", workers=1)


def run_import(root: pathlib.Path, task: str):
    """Imports `sources/<task>` into `imported`; the summary."""
    source, arguments = root / "sources" / task, frozen_data.IMPORTS[task]
    quiet = {"progress": lambda progress: None}
    if task == "frozen.arm":
        return import_data(source, root / "imported", task, **arguments, **quiet)
    pictures = PictureConfig(**{**frozen_data.PICTURES, "encoding": Encoding(frozen_data.PICTURES["encoding"])})
    return import_vision_language(source, root / "imported", task, pictures=pictures, **arguments, **quiet)


def read(name: str, root: pathlib.Path) -> dict:
    """What `batches.json` holds of one configuration."""
    stream = Stream(decode(DataConfig, frozen_data.located(name, root)))
    steps, position = [], {}
    for step in range(frozen_data.STEPS):
        if step == frozen_data.RESUMED:
            position = stream.position()
        steps.append(frozen_data.digests(next(stream)))
    stream.close()
    return {"position": position, "digests": frozen_data.joined(steps)}


def sentence(generator: np.random.Generator, words: int) -> str:
    return " ".join(generator.choice(SAID.split(), words))


def picture(generator: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A gradient between two colours: nothing that is large on disk."""
    low, high = generator.integers(0, 256, (2, 3))
    ramp = np.linspace(0, 1, height * width).reshape(height, width, 1)
    return (low + (high - low) * ramp).astype(np.uint8)


def encoded(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def write_episodes(source: pathlib.Path, generator: np.random.Generator) -> None:
    """An npz file for each of ten episodes, with every kind of observation."""
    for episode in range(10):
        steps = 4 + episode % 4
        frames = [picture(generator, 32, 24) for _ in range(steps + 1)]
        np.savez_compressed(
            source / f"{episode:02d}.npz",
            **{
                "observation/frame": np.stack(frames),
                "observation/mission": np.array([f"take cup {episode}"] * (steps + 1)),
                "observation/mode": np.arange(steps + 1) % 5,
                "observation/joints": generator.normal(size=(steps + 1, 3)).astype(np.float32),
            },
            action=generator.uniform(-1, 1, (steps, 2)).astype(np.float32),
            reward=generator.normal(size=steps).astype(np.float32),
        )


def write_notes(source: pathlib.Path, generator: np.random.Generator) -> None:
    """Forty documents of one line to some."""
    notes = ["\n".join(sentence(generator, 9) for _ in range(1 + number % 4)) for number in range(40)]
    lines = [json.dumps({"text": note}, ensure_ascii=False) for note in notes]
    (source / "notes.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_captions(source: pathlib.Path, generator: np.random.Generator) -> None:
    """COCO's layout: twelve pictures of three sizes, two captions of each; one of them is a JPEG file."""
    (source / "annotations").mkdir()
    (source / "train2017").mkdir()
    images, annotations = [], []
    for number in range(12):
        height, width = ((32, 32), (32, 16), (20, 40))[number % 3]
        kind = "JPEG" if number == 1 else "PNG"
        name = f"{number:012d}.{'jpg' if number == 1 else 'png'}"
        (source / "train2017" / name).write_bytes(encoded(picture(generator, height, width), kind))
        images.append({"id": number, "file_name": name, "height": height, "width": width})
        annotations += [
            {"id": 2 * number + i, "image_id": number, "caption": sentence(generator, 4 + i)} for i in range(2)
        ]
    content = {"images": images, "annotations": annotations, "licenses": []}
    (source / "annotations" / "captions_train2017.json").write_text(json.dumps(content, ensure_ascii=False))


def write_pages(source: pathlib.Path, generator: np.random.Generator) -> None:
    """OBELICS' layout: twelve documents of texts and pictures in turn."""
    rows: dict[str, list] = {"images": [], "texts": [], "id": []}
    for number in range(12):
        is_text = [bool((place + number) % 2) for place in range(3 + number % 4)]
        rows["texts"].append([sentence(generator, 6) if text else None for text in is_text])
        rows["images"].append([
            None if text else {"bytes": encoded(picture(generator, 16, 32), "JPEG"), "path": None} for text in is_text
        ])  # fmt: skip
        rows["id"].append(f"page {number}")
    pyarrow.parquet.write_table(pyarrow.table(rows), source / "pages.parquet")


if __name__ == "__main__":
    main()
