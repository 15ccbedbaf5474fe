"""Speed and memory of one host of the data stream beside raw reading and decoding, as JSON.

    python -m benchmarks.stream DATA [--steps 60] [--rows 64] [--shards 8] [--hosts 1] [--kinds control,png,jpeg,mixed]

DATA is what `gato record` wrote by default. Rows are the paper's, windows of 1,024 tokens in one group with prompts,
2 threads. Each kind runs in a process of its own:

control   the recorded states of dm_control and Meta-World
text      the recorded documents
png/jpeg  episodes whose observation is a 64x64 picture (easy-vqa's pictures, written here through `import_episodes`)
mixed     all of them together, and pictures of five other sizes: 24 tasks with the 17 that are recorded by default

"tokens_per_cpu_second" counts places that are no padding against the CPU time of all threads of the process.
"raw_read" reads and checks the TFRecords of the same tasks and does nothing else; "decode" decodes the same pictures
and nothing else; "share_of_decoding" is the share of that limit which the stream reaches.
"""

import argparse
import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

KINDS = ("control", "text", "png", "jpeg", "mixed")
PICTURES = {"png": "bench.png", "jpeg": "bench.jpeg"}
LENGTH = 1024
MORE_SIZES = ((80, 64), (72, 96), (84, 84), (96, 96), (128, 128))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--shards", type=int, default=8)
    parser.add_argument("--hosts", type=int, default=1)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--child", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(
            json.dumps(
                measure(
                    arguments.child, arguments.data, arguments.steps, arguments.rows, arguments.shards, arguments.hosts
                )
            )
        )
        return
    with tempfile.TemporaryDirectory() as folder:
        data = combined(arguments.data, pathlib.Path(folder))
        report = {}
        for kind in arguments.kinds.split(","):
            command = [sys.executable, "-m", "benchmarks.stream", str(data), "--child", kind]
            command += [
                "--steps",
                str(arguments.steps),
                "--rows",
                str(arguments.rows),
                "--shards",
                str(arguments.shards),
                "--hosts",
                str(arguments.hosts),
            ]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            report[kind] = json.loads(done.stdout.splitlines()[-1])
    print(json.dumps(report, indent=2))


def combined(recorded: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """A data directory with the recorded tasks (linked) and the picture tasks (written)."""
    import numpy as np
    from PIL import Image

    from data_pipelines.importing.control import import_episodes
    from data_pipelines.recording.documents import easy_vqa_questions

    data = folder / "data"
    paths = sorted({path for _, _, path in easy_vqa_questions("train")})[:1000]
    pictures = np.stack([np.asarray(Image.open(path).convert("RGB")) for path in paths])
    generator = np.random.default_rng(0)

    def episodes(height: int, width: int):
        resized = [np.asarray(Image.fromarray(picture).resize((width, height))) for picture in pictures]
        for _ in range(40):
            frames = np.stack([resized[index] for index in generator.integers(0, len(resized), 101)])
            yield {"observation": {"frame": frames}, "action": generator.integers(0, 15, 100), "reward": np.zeros(100)}

    import_episodes(episodes(64, 64), data, PICTURES["png"], progress=lambda _: None)
    for height, width in MORE_SIZES:
        task = f"bench.png_{height}x{width}"
        import_episodes(episodes(height, width), data, task, progress=lambda _: None)
    copy_as_jpeg(data / PICTURES["png"], data / PICTURES["jpeg"])
    for path in recorded.iterdir():
        if not (data / path.name).exists():
            (data / path.name).symlink_to(path.resolve())
    return data


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


def measure(kind: str, data: pathlib.Path, steps: int, rows: int, shards: int, hosts: int) -> dict:
    clock = Clock()
    import numpy as np

    from data_pipelines.config import DataConfig, StreamConfig
    from data_pipelines.layout import TokenConfig
    from data_pipelines.mixtures import MixtureConfig
    from data_pipelines.schema import RowGroup
    from data_pipelines.stream import Stream
    from experiments._paper import TEXT_MODEL

    report = {"import_seconds": clock.lap()[0]}
    tasks = names(kind, data)
    mixture = MixtureConfig(
        weights=dict.fromkeys(tasks, 1.0),
        groups={"all": RowGroup(tasks, segment_length=LENGTH, patches=0 if kind in ("control", "text") else LENGTH)},
        rows_per_step=rows,
    )
    options = StreamConfig(virtual_shards=shards, threads=2)
    stream = Stream(DataConfig(str(data), TokenConfig(text_model=TEXT_MODEL), mixture, options), hosts=hosts)
    next(stream)
    report["first_batch_seconds"], report["first_batch_cpu_seconds"] = clock.lap()
    filled = [sum(int((group["token_type"] != 0).sum()) for group in next(stream).values()) for _ in range(steps)]
    wall, cpu = clock.lap()
    stream.close()
    tokens = float(np.sum(filled))
    report |= {
        "tasks": len(tasks),
        "tokens_per_second": tokens / wall,
        "tokens_per_cpu_second": tokens / cpu,
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    report["raw_read"] = raw_read(data, tasks)
    if kind in PICTURES:
        report["decode"] = decode(data, tasks)
        report["share_of_decoding"] = report["tokens_per_cpu_second"] / report["decode"]["tokens_per_cpu_second"]
    return {key: round(value, 3) if isinstance(value, float) else value for key, value in report.items()}


def names(kind: str, data: pathlib.Path) -> tuple[str, ...]:
    """The tasks of a kind."""
    from data_pipelines.directories import recorded_tasks

    domains = {"control": ("dm_control", "metaworld"), "text": ("text",), "png": (), "jpeg": ()}
    if kind == "mixed":
        return tuple(name for name in recorded_tasks(data))
    chosen = [name for name in recorded_tasks(data) if name.partition(".")[0] in domains[kind]]
    return tuple(chosen) or (PICTURES[kind],)


def raw_read(data: pathlib.Path, tasks: tuple[str, ...]) -> dict:
    """Reading all records of the tasks until half a second has passed."""
    import tensorflow as tf

    from data_pipelines.directories import read_task

    # Many times over, so that small data do not measure the start of a pipeline.
    paths = 20 * [str(shard.path) for task in tasks for shard in read_task(data, task).shards["train"]]
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

    from data_pipelines.directories import read_task
    from data_pipelines.sources import RldsDataSource

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
        found = self.so_far()
        self.__init__()
        return found


if __name__ == "__main__":
    main()
