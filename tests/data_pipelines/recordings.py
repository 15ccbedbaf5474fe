"""Small control recordings, written as TFDS writes them, with any content."""

import json
import pathlib

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from data_pipelines.spec import ItemSpec, Kind, TaskSpec


def feature(item, **changes):
    """The TFDS feature of a spec's item."""
    if item.kind is Kind.TEXT:
        return tfds.features.Text()
    if item.kind is Kind.IMAGE:
        return tfds.features.Image(shape=item.shape, encoding_format="png")
    return tfds.features.Tensor(**{"shape": item.shape, "dtype": np.dtype(item.dtype), **changes})


def features_of(spec, **replaced):
    """Features of RLDS episodes of a task; `replaced` gives those of single keys, None leaves a key out."""
    observation = {item.key: feature(item) for item in spec.observation}
    steps = {"action": feature(spec.action), "expert_action": feature(spec.action)}
    for key, other in replaced.items():
        (steps if key in steps else observation)[key] = other
    observation = {key: value for key, value in observation.items() if value is not None}
    flags = {key: tfds.features.Scalar(np.bool_) for key in ("is_first", "is_last", "is_terminal")}
    steps = {key: value for key, value in steps.items() if value is not None}
    steps = {**steps, **flags, "observation": observation}
    return tfds.features.FeaturesDict({"steps": tfds.features.Dataset(steps)})


def value(item, step):
    """A legal value that depends on the step."""
    if item.kind is Kind.TEXT:
        return f"go {step}"
    if item.kind is Kind.IMAGE:
        return np.full(item.shape, step, np.uint8)
    if item.kind is Kind.DISCRETE:
        return np.full(item.shape, step % min(item.radix or (item.num_values,)), item.dtype)
    return np.full(item.shape, step / 100, item.dtype)


def episode(spec, length):
    """Steps of one episode with its dummy last step."""
    return [
        {
            "observation": {item.key: value(item, step) for item in spec.observation},
            "action": value(spec.action, step),
            "expert_action": value(spec.action, step),
            "is_first": step == 0,
            "is_last": step == length,
            "is_terminal": False,
        }
        for step in range(length + 1)
    ]


def write(root, spec, episodes, *, features=None, per_file=2, edit=None, split="train"):
    """Writes a task directory. `edit(number, record)` may change the serialised record of an episode."""
    features = features or features_of(spec)
    directory = pathlib.Path(root) / spec.name / "chunk-00"
    directory.mkdir(parents=True)
    name = spec.name.replace(".", "_")
    starts = range(0, len(episodes), per_file)
    for number, start in enumerate(starts):
        with tf.io.TFRecordWriter(str(directory / f"{name}-{split}.tfrecord-{number:05d}")) as writer:
            for index in range(start, min(start + per_file, len(episodes))):
                record = features.serialize_example(features.encode_example({"steps": episodes[index]}))
                writer.write(edit(index, record) if edit else record)
    features.save_config(directory)
    lengths = [str(min(per_file, len(episodes) - start)) for start in starts]
    splits = [{"name": split, "shardLengths": lengths}]
    (directory / "dataset_info.json").write_text(json.dumps({"name": name, "splits": splits}))
    (directory.parent / "spec.json").write_text(spec.to_json())
    (directory.parent / "recording.json").write_text("{}")
    return pathlib.Path(root)


POINT = TaskSpec(
    "control.point",
    (
        ItemSpec("camera", Kind.IMAGE, (16, 32, 3), "uint8"),
        ItemSpec("cell", Kind.DISCRETE, (2, 2), "int32", radix=(5, 3)),
        ItemSpec("mode", Kind.DISCRETE, (), "int64", num_values=4),
        ItemSpec("position", Kind.CONTINUOUS, (2,)),
        ItemSpec("velocity", Kind.CONTINUOUS, (), "float64"),
    ),
    ItemSpec("action", Kind.CONTINUOUS, (2,)),
    100,
)
BUTTONS = TaskSpec(
    "control.buttons",
    (ItemSpec("mission", Kind.TEXT, (), "str"), ItemSpec("x", Kind.CONTINUOUS, (3,))),
    ItemSpec("action", Kind.DISCRETE, (), "int32", num_values=6),
    100,
)
