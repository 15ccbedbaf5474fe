"""Speed and memory of one host of the data stream beside raw reading and decoding, as JSON.

    python -m benchmarks.stream [--seconds 8] [--kinds control,cached,text,png,jpeg,raw,table1] [--data FOLDER]

Rows are the paper's, windows of 1,024 tokens in one group with prompts, 64 rows a step on 8 virtual shards and one
thread (`--threads`). The data are made up here: random states, a field of smooth noise that moves as pictures (they
take as many bytes as photographs), the standard library's topics as text. Each kind runs in a process of its own, which
keeps freed memory as training does; the clock starts when all buffers are full:

control   states of dm_control's and Meta-World's size, 24 and 44 tokens a timestep
cached    the same from tokens written by `gato cache`
text      documents
png/jpeg  episodes whose observation is a 64x64 picture
raw       the same from tokens and bare pixels written by `gato cache --raw-frames`
table1    a task for each of the 24 rows of Table 1, by its weights, as one of 8 hosts of a batch of 512 rows sees it

"tokens_per_cpu_second" counts places that are no padding against the CPU time of all threads of the process;
"segment_cpu_seconds" is what a new segment and its first batch cost beside that, once in `stream.reseed_every` steps.
"raw_read" reads and checks the TFRecords of the same tasks and does nothing else; "decode" decodes the same pictures
and nothing else; "share_of_raw_read" and "share_of_decoding" are the parts of these limits that the stream reaches.
"""

import argparse
import dataclasses
import itertools
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

KINDS = ("control", "cached", "text", "png", "jpeg", "raw", "table1")
PICTURES = {"png": "procgen.png", "jpeg": "bench.jpeg", "raw": "procgen.png"}
LENGTH, ROWS, SHARDS, HOSTS = 1024, 64, 8, 8
LASTING = 4_000
"""Steps of a segment: longer than the measurement, which would else pay for the next one in a few steps."""
WARM = 10
"""Batches before the clock starts."""
EPISODES, STEPS = 24, 100
LONG = {"dm_control.cheetah": 1000, "metaworld.task": 500}
"""Steps of an episode where not `STEPS`: as those suites have them."""

CONTROL = {
    "dmlab.level": ((72, 96), 0, 0),
    "atari.game": ((84, 84), 0, 0),
    "atari_extended.game": ((84, 84), 0, 0),
    "sokoban.boxoban": ((80, 80), 0, 0),
    "babyai.level": (None, 148, 0),
    "dm_control.cheetah": (None, 17, 6),
    "dm_control_pixels.cheetah": ((64, 64), 0, 6),
    "dm_control_random_small.cheetah": (None, 17, 6),
    "dm_control_random_large.cheetah": (None, 17, 6),
    "metaworld.task": (None, 39, 4),
    "procgen.png": ((64, 64), 0, 0),
    "rgb_stacking_sim.task": ((128, 128), 24, 5),
    "rgb_stacking_real.task": ((128, 128), 24, 5),
    "modular_rl.body": (None, 40, 8),
    "manipulation.task": (None, 60, 9),
    "playroom.task": ((72, 96), 20, 10),
}
"""Task -> picture's height and width, continuous values, dimensions of the action (0 = one of 15 buttons)."""
PAIRS = ("captions.align", "captions.coco", "captions.conceptual", "captions.ltip", "vqa.ok_vqa", "vqa.vqa_v2")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--data", type=pathlib.Path, help="where the data are kept, for another run; else nowhere")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--child", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(measure(arguments.child, arguments.data, arguments.seconds, arguments.threads)))
        return
    with tempfile.TemporaryDirectory() as folder:
        data = arguments.data or pathlib.Path(folder)
        if not (data / "all_is_here").exists():
            make_up(data)
        report = {}
        for kind in arguments.kinds.split(","):
            command = [sys.executable, "-m", "benchmarks.stream", "--data", str(data), "--child", kind]
            done = subprocess.run(
                [*command, "--seconds", str(arguments.seconds), "--threads", str(arguments.threads)],
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            report[kind] = json.loads(done.stdout.splitlines()[-1])
            print(f"{kind}: {report[kind]}", file=sys.stderr)
    print(json.dumps(report, indent=2))


def make_up(data: pathlib.Path) -> None:
    """Writes the tasks of all kinds."""
    import numpy as np
    import pyarrow
    import pyarrow.parquet

    from data_pipelines.importing.control import import_episodes
    from data_pipelines.importing.vision_language import import_vision_language
    from data_pipelines.suites.bundled.documents import python_documents

    def quiet(progress):
        """Nothing to show."""

    data.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(0)
    for task, shapes in CONTROL.items():
        import_episodes(episodes(generator, *shapes, LONG.get(task, STEPS)), data, task, progress=quiet)
    copy_as_jpeg(data / PICTURES["png"], data / PICTURES["jpeg"])
    texts = python_documents()
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / "texts").mkdir()
        for number, text in enumerate(texts * 4):
            (root / "texts" / f"{number}.txt").write_text(f"{number} {text}")
        pictures = [jpeg(picture(generator, 160, 224)) for _ in range(400)]
        sentences = [f"{number} {text[:60]}" for number, text in enumerate(texts * 6)][: len(pictures)]
        answers = [text.split()[0] for text in sentences]
        images = [{"bytes": data, "path": None} for data in pictures]
        write = pyarrow.parquet.write_table
        write(pyarrow.table({"image": images, "caption": sentences}), root / "captions.parquet")
        columns = {"image": images, "question": sentences, "answer": answers}
        write(pyarrow.table(columns), root / "vqa.parquet")
        documents = {
            "images": [[None, image, None] for image in images],
            "texts": [[s, None, s * 4] for s in sentences],
        }
        write(pyarrow.table(documents), root / "documents.parquet")
        import_vision_language(root / "texts", data, "text.topics", format="text", progress=quiet)
        import_vision_language(root / "documents.parquet", data, "documents.web", format="obelics", progress=quiet)
        for task in PAIRS:
            source = root / f"{task.partition('.')[0]}.parquet"
            import_vision_language(source, data, task, format="parquet", progress=quiet)
    (data / "all_is_here").touch()


def episodes(generator, size, values, dimensions, steps):
    """Dictionaries as `import_episodes` takes them."""
    import numpy as np

    for _ in range(EPISODES if size else 10 * EPISODES):
        observation = {}
        if values:
            observation["state"] = generator.standard_normal((steps + 1, values)).astype(np.float32)
        if size:
            world = picture(generator, size[0] + 40, size[1] + 40)
            corners = generator.integers(0, 40, (steps + 1, 2))
            observation["frame"] = np.stack([world[y : y + size[0], x : x + size[1]] for y, x in corners])
        action = generator.integers(0, 15, steps)
        if dimensions:
            action = generator.uniform(-1, 1, (steps, dimensions)).astype(np.float32)
        yield {"observation": observation, "action": action, "reward": np.zeros(steps)}


def picture(generator, height, width):
    """Smooth noise with a little rough noise: about as many bytes as a photograph."""
    import numpy as np
    from PIL import Image

    coarse = generator.integers(0, 256, (height // 12, width // 12, 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC), np.int16)
    return np.clip(smooth + generator.integers(-3, 4, smooth.shape), 0, 255).astype(np.uint8)


def jpeg(pixels) -> bytes:
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "jpeg", quality=90)
    return buffer.getvalue()


def copy_as_jpeg(source: pathlib.Path, to: pathlib.Path) -> None:
    """The same task with its pictures encoded as JPEG."""
    import shutil

    import tensorflow as tf

    shutil.copytree(source, to)
    for path in to.rglob("*.json"):
        path.write_text(path.read_text().replace(source.name, to.name).replace('"png"', '"jpeg"'))
    for path in to.rglob("*.tfrecord-*"):
        records = []
        for record in tf.data.TFRecordDataset(str(path)):
            example = tf.train.Example.FromString(record.numpy())
            values = example.features.feature["steps/observation/frame"].bytes_list.value
            values[:] = [tf.io.encode_jpeg(tf.io.decode_png(value), quality=95).numpy() for value in values]
            records.append(example.SerializeToString())
        with tf.io.TFRecordWriter(str(path)) as writer:
            for record in records:
                writer.write(record)


def measure(kind: str, data: pathlib.Path, seconds: float, threads: int) -> dict:
    from gato_jax.platform import keep_freed_memory

    keep_freed_memory()
    clock = Clock()
    import numpy as np

    from data_pipelines.caching.writer import write_cache
    from data_pipelines.config import DataConfig, StreamConfig
    from data_pipelines.mixtures.config import MixtureConfig
    from data_pipelines.reports.token_totals import count_tokens
    from data_pipelines.schema import RowGroup
    from data_pipelines.stream.resolve_mixture import resolve
    from data_pipelines.stream.stream import Stream
    from data_pipelines.tokenizers.layout import TokenConfig
    from experiments._paper import TEXT_MODEL

    report = {"import_seconds": clock.lap()[0]}
    hosts = HOSTS if kind == "table1" else 1
    group = RowGroup(("*",), window_length=LENGTH, patches=LENGTH)
    mixture = MixtureConfig({}, {"all": group}, ROWS * hosts, named="gato")
    if kind != "table1":
        control = ("dm_control.cheetah", "metaworld.task")
        chosen = {"control": control, "cached": control, "text": ("text.topics",)}.get(kind) or (PICTURES[kind],)
        group = RowGroup(chosen, window_length=LENGTH, patches=LENGTH if kind in PICTURES else 0)
        mixture = MixtureConfig(dict.fromkeys(chosen, 1.0), {"all": group}, ROWS)
    options = StreamConfig(virtual_shards=SHARDS * hosts, threads=threads, reseed_every=LASTING)
    config = resolve(DataConfig(str(data), TokenConfig(text_model=TEXT_MODEL), mixture, options))
    if kind in ("cached", "raw"):
        config = dataclasses.replace(config, cache=str(data / f"cache_{kind}"))
        write_cache(config, config.cache, raw_frames=kind == "raw")
        clock.lap()
    stream = Stream(config, hosts=hosts)
    next(stream)
    report["first_batch_seconds"], report["first_batch_cpu_seconds"] = clock.lap()
    list(itertools.islice(stream, WARM))
    clock.lap()
    tokens, steps = 0, 0
    while clock.so_far()[0] < seconds:
        tokens += sum(int(np.count_nonzero(group["token_type"])) for group in next(stream).values())
        steps += 1
    wall, cpu = clock.lap()
    again = Stream(config, hosts=hosts, pipelines=stream.pipelines)
    next(again)
    report["segment_cpu_seconds"] = clock.lap()[1]
    stream.close()
    again.close()
    report |= {
        "tasks": len(config.mixture.task_names),
        "steps": steps,
        "tokens_per_second": tokens / wall,
        "tokens_per_cpu_second": tokens / cpu,
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "raw_read": raw_read(data, config.mixture.task_names),
    }
    if kind != "table1":
        recorded_tokens = sum(count.tokens for count in count_tokens(config).values())
        size = sum(os.path.getsize(path) for path in record_files(data, config.mixture.task_names))
        report["raw_read"]["tokens_per_cpu_second"] = (
            report["raw_read"]["megabytes_per_cpu_second"] * 1e6 * recorded_tokens / size
        )
        report["share_of_raw_read"] = report["tokens_per_cpu_second"] / report["raw_read"]["tokens_per_cpu_second"]
    if kind in ("png", "jpeg"):
        report["decode"] = decode(data, config.mixture.task_names)
        report["share_of_decoding"] = report["tokens_per_cpu_second"] / report["decode"]["tokens_per_cpu_second"]
    return {key: round(value, 3) if isinstance(value, float) else value for key, value in report.items()}


def record_files(data: pathlib.Path, tasks: tuple[str, ...]) -> list[str]:
    """The files of the tasks' training splits."""
    from data_pipelines.storage.recorded_tasks import read_task

    return [str(shard.path) for task in tasks for shard in read_task(data, task).shards["train"]]


def raw_read(data: pathlib.Path, tasks: tuple[str, ...]) -> dict:
    """Reading all records of the tasks until half a second has passed."""
    import tensorflow as tf

    # Many times over, so that small data do not measure the start of a pipeline.
    paths = 20 * record_files(data, tasks)
    clock, size = Clock(), 0
    while clock.so_far()[0] < 0.5:
        size += int(
            tf.data.TFRecordDataset(paths).reduce(
                tf.constant(0, tf.int64), lambda total, record: total + tf.cast(tf.strings.length(record), tf.int64)
            )
        )
    _, cpu = clock.lap()
    return {"megabytes_per_cpu_second": round(size / cpu / 1e6, 1)}


def decode(data: pathlib.Path, tasks: tuple[str, ...]) -> dict:
    """Decoding the tasks' pictures, one after the other in one TensorFlow function, and nothing else."""
    import tensorflow as tf

    from data_pipelines.seqio_tasks.sources import RldsDataSource
    from data_pipelines.storage.recorded_tasks import read_task

    (task,) = tasks
    source = RldsDataSource(read_task(data, task))
    episodes = source.get_dataset("train", shuffle=False).take(20)
    frames = tf.concat([episode["steps"]["observation"]["frame"] for episode in episodes], axis=0)
    spec = tf.TensorSpec([None, None, 3], tf.uint8)
    run = tf.function(lambda: tf.map_fn(lambda one: tf.io.decode_image(one, 3, expand_animations=False), frames, spec))
    run()
    clock = Clock()
    run()
    _, cpu = clock.lap()
    each = cpu / len(frames)
    # 16 patches, the separator and one action.
    return {"microseconds_per_frame": round(1e6 * each, 1), "tokens_per_cpu_second": round(18 / each)}


class Clock:
    """Wall and CPU seconds."""

    def __init__(self):
        self._wall, self._cpu = time.monotonic(), time.process_time()

    def so_far(self) -> tuple[float, float]:
        return time.monotonic() - self._wall, time.process_time() - self._cpu

    def lap(self) -> tuple[float, float]:
        """Since the last lap."""
        elapsed = self.so_far()
        self.__init__()
        return elapsed


if __name__ == "__main__":
    main()
