"""One small world, its episodes recorded directly, and the same episodes in the layouts of others. Real files."""

import io
import json

import dm_env
import h5py
import numpy as np
import pyarrow
import pyarrow.parquet
import tensorflow_datasets as tfds
from PIL import Image

from data_pipelines.atomic_files import write_sorted_json, write_text
from data_pipelines.recording.episodes import Episode
from data_pipelines.recording.rlds.episode_writer import EpisodeWriter
from data_pipelines.recording.writers import ExampleWriter
from data_pipelines.seqio_tasks.sources import RldsDataSource
from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from data_pipelines.storage import data_directory
from data_pipelines.storage.recorded_tasks import read_task
from data_pipelines.suites.base.environment import Environment, nest

TASK = "toy.world"
SPEC = TaskSpec(
    TASK,
    (
        ItemSpec("grid", Kind.DISCRETE, (4,), "int64", num_values=7),
        ItemSpec("image", Kind.IMAGE, (32, 20, 3), "uint8"),
        ItemSpec("mission", Kind.TEXT, (), "object"),
        ItemSpec("walker/pos", Kind.CONTINUOUS, (3,)),
    ),
    ItemSpec("action", Kind.CONTINUOUS, (2,)),
    max_episode_steps=8,
)


def make_episodes(count, seed=0):
    """Dictionaries with "observation" {key: [N + 1, ...]}, "action", "reward" [N], "terminal", "id"."""
    rng = np.random.default_rng(seed)
    episodes = []
    for number in range(count):
        steps = int(rng.integers(4, 9)) if number else 8
        episodes.append(
            {
                "id": f"e{number}",
                "observation": {
                    "grid": np.concatenate([rng.integers(0, 7, (steps, 4)), np.full((1, 4), 6)]),
                    "image": rng.integers(0, 256, (steps + 1, 32, 20, 3), dtype=np.uint8),
                    "mission": np.array([f"go to {number}"] * (steps + 1)),
                    "walker/pos": rng.normal(size=(steps + 1, 3)).astype(np.float32),
                },
                "action": rng.uniform(-1, 1, (steps, 2)).astype(np.float32),
                "reward": rng.normal(size=steps).astype(np.float32),
                "terminal": bool(number % 2),
            }
        )
    episodes[0]["observation"]["grid"][0] = 6  # So that the greatest value is seen.
    return episodes


def nested(episode):
    """Observation as a nested dictionary."""
    return nest({tuple(key.split("/")): values for key, values in episode["observation"].items()})


class ToyEnvironment(Environment):
    """Only says what the observations are: episodes are replayed."""

    def __init__(self):
        self._spec = SPEC

    def reset_to(self, seed):
        raise NotImplementedError

    def step(self, action):
        raise NotImplementedError

    def render(self, size):
        raise NotImplementedError


def record(episodes, data):
    """As `gato record` writes them."""
    data_directory.claim(data)
    with EpisodeWriter(ToyEnvironment(), data / TASK / "chunk-00", episodes_per_file=64) as writer:
        for number, episode in enumerate(episodes):
            writer.write(_replayable(number, episode))
    write_text(data / TASK / "spec.json", SPEC.to_json())
    write_sorted_json(data / TASK / "recording.json", {"settings": {}})


def _replayable(number, episode):
    steps = len(episode["action"])
    timesteps = []
    for index in range(steps + 1):
        observation = {
            key: str(values[index]) if key == "mission" else values[index]
            for key, values in episode["observation"].items()
        }
        tree = nest({tuple(key.split("/")): value for key, value in observation.items()})
        kind = dm_env.StepType.FIRST if not index else dm_env.StepType.LAST if index == steps else dm_env.StepType.MID
        discount = 0.0 if episode["terminal"] and index == steps else 1.0
        reward = float(episode["reward"][index - 1]) if index else None
        timesteps.append(dm_env.TimeStep(kind, reward, discount if index else None, tree))
    actions = tuple(episode["action"])
    return Episode(number, 0.0, tuple(timesteps), actions, actions)


def read_steps(data, task=TASK):
    """{"observation/walker/pos": [T, ...], "action": ...} of each stored episode, pictures decoded."""
    for episode in RldsDataSource(read_task(data, task)).get_dataset(shuffle=False).as_numpy_iterator():
        steps = dict(_flat(episode["steps"]))
        for name, values in steps.items():
            if name.endswith("image"):
                steps[name] = np.stack([np.asarray(Image.open(io.BytesIO(frame))) for frame in values])
        yield steps


def _flat(tree, path=""):
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{path}{key}/")
        else:
            yield f"{path}{key}", value


def png(array):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "png")
    return buffer.getvalue()


def write_npz(episodes, path):
    """An npz file for each episode."""
    path.mkdir()
    for number, episode in enumerate(episodes):
        arrays = {f"observations/{key}": values for key, values in episode["observation"].items()}
        np.savez(path / f"{number:03d}.npz", actions=episode["action"], rewards=episode["reward"], **arrays)


def write_flat(episodes, path, *, ends="flags", opened=np.savez):
    """d4rl's layout: as many observations as actions, laid end to end."""
    arrays = {
        f"observations/{key}": np.concatenate([episode["observation"][key][:-1] for episode in episodes])
        for key in episodes[0]["observation"]
    }
    arrays["actions"] = np.concatenate([episode["action"] for episode in episodes])
    arrays["rewards"] = np.concatenate([episode["reward"] for episode in episodes])
    if ends == "episode_ends":
        arrays["episode_ends"] = np.cumsum([len(episode["action"]) for episode in episodes])
    else:
        last = [np.arange(len(episode["action"])) == len(episode["action"]) - 1 for episode in episodes]
        arrays["terminals"] = np.concatenate([flags & e["terminal"] for flags, e in zip(last, episodes, strict=True)])
        arrays["timeouts"] = np.concatenate([flags & ~e["terminal"] for flags, e in zip(last, episodes, strict=True)])
    opened(path, **arrays)


def write_minari(episodes, path):
    """Minari's main_data.hdf5, with one observation more than actions."""
    (path / "data").mkdir(parents=True)
    with h5py.File(path / "data" / "main_data.hdf5", "w") as file:
        box = {"type": "Box", "dtype": "float32", "shape": [2], "low": [-1.0, -1.0], "high": [1.0, 1.0]}
        file.attrs["action_space"] = json.dumps(box)
        # Written in another order than their numbers'.
        for number in reversed(range(len(episodes))):
            episode, group = episodes[number], file.create_group(f"episode_{number}")
            for key, values in episode["observation"].items():
                values = values.astype(h5py.string_dtype()) if key == "mission" else values
                group.create_dataset(f"observations/{key}", data=values)
            steps = len(episode["action"])
            group["actions"], group["rewards"] = episode["action"], episode["reward"]
            group["terminations"] = (np.arange(steps) == steps - 1) & episode["terminal"]
            group["truncations"] = (np.arange(steps) == steps - 1) & (not episode["terminal"])
            group["infos/speed"] = np.zeros(steps + 1)


def write_rlds(episodes, path, *, name="toy_world", extra_step=True):
    """A prepared TFDS data set, images as PNG; the last step is a placeholder unless there is no `extra_step`."""
    features = {
        "steps": tfds.features.Dataset(
            {
                "observation": {
                    "grid": tfds.features.Tensor(shape=(4,), dtype=np.int64),
                    "image": tfds.features.Image(shape=(32, 20, 3), encoding_format="png"),
                    "mission": tfds.features.Text(),
                    "walker": {"pos": tfds.features.Tensor(shape=(3,), dtype=np.float32)},
                },
                "action": tfds.features.Tensor(shape=(2,), dtype=np.float32),
                "reward": np.float32,
                "discount": np.float32,
                "is_first": np.bool_,
                "is_last": np.bool_,
                "is_terminal": np.bool_,
            }
        ),
        "episode_id": np.int64,
    }
    examples = []
    for number, episode in enumerate(episodes):
        steps = len(episode["action"])
        stored = steps + extra_step
        index = np.arange(stored)
        padding = np.full((stored - steps, 2), 7, np.float32)  # Not a legal action: nobody may look at it.
        examples.append(
            {
                "steps": {
                    "observation": _map(nested(episode), lambda values, stored=stored: list(values[:stored])),
                    "action": np.concatenate([episode["action"], padding]),
                    "reward": np.append(episode["reward"], np.zeros(stored - steps, np.float32)),
                    "discount": np.ones(stored, np.float32),
                    "is_first": index == 0,
                    "is_last": (index == steps) & extra_step,
                    "is_terminal": (index == stored - 1) & episode["terminal"],
                },
                "episode_id": number,
            }
        )
    with ExampleWriter(path, name=name, features=features, splits=("train",), examples_per_file=4) as writer:
        writer.write("train", examples)


def _map(tree, function):
    return {key: _map(value, function) if isinstance(value, dict) else function(value) for key, value in tree.items()}


def image_type():
    return pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])


def pictures(frames):
    return [{"bytes": png(frame), "path": None} for frame in frames]


def step_columns(episodes):
    """Columns of the steps of all episodes, without the observations behind the last actions."""
    observed = {key: [row for e in episodes for row in e["observation"][key][:-1]] for key in SPEC_KEYS}
    return {
        "observation.grid": pyarrow.array([row.tolist() for row in observed["grid"]]),
        "observation.image": pyarrow.array(pictures(observed["image"]), image_type()),
        "observation.walker.pos": pyarrow.array([row.tolist() for row in observed["walker/pos"]], list32()),
        "action": pyarrow.array([row.tolist() for e in episodes for row in e["action"]], list32()),
        "frame_index": pyarrow.array([index for e in episodes for index in range(len(e["action"]))]),
        "timestamp": pyarrow.array([index / 30 for e in episodes for index in range(len(e["action"]))]),
        "next.reward": pyarrow.array([value for e in episodes for value in e["reward"]], pyarrow.float32()),
        "next.done": pyarrow.array([i == len(e["action"]) - 1 for e in episodes for i in range(len(e["action"]))]),
    }


SPEC_KEYS = tuple(item.key for item in SPEC.observation)


def list32():
    return pyarrow.list_(pyarrow.float32())


def write_lerobot(episodes, path, *, version=2, video=False):
    """LeRobot: a file for each episode (v2), or all in one (v3)."""
    (path / "meta").mkdir(parents=True)
    (path / "data" / "chunk-000").mkdir(parents=True)
    tables = []
    for number, episode in enumerate(episodes):
        columns, steps = step_columns([episode]), len(episode["action"])
        columns["episode_index"] = pyarrow.array([number] * steps)
        columns["task_index"] = pyarrow.array([number] * steps)
        columns["index"] = pyarrow.array(range(1000 * number, 1000 * number + steps))
        tables.append(pyarrow.table(columns))
    features = {name: {"dtype": "float32"} for name in tables[0].column_names}
    features["observation.image"] = {"dtype": "image"}
    if video:
        features["observation.images.wrist"] = {"dtype": "video"}
    info = {"codebase_version": f"v{version}.0", "total_episodes": len(episodes), "features": features}
    (path / "meta" / "info.json").write_text(json.dumps(info))
    missions = [str(episode["observation"]["mission"][0]) for episode in episodes]
    if version == 2:
        for number, table in enumerate(tables):
            pyarrow.parquet.write_table(table, path / "data" / "chunk-000" / f"episode_{number:06d}.parquet")
        lines = [json.dumps({"task_index": number, "task": text}) for number, text in enumerate(missions)]
        (path / "meta" / "tasks.jsonl").write_text("\n".join(lines) + "\n")
    else:
        whole = pyarrow.concat_tables(tables)
        pyarrow.parquet.write_table(whole, path / "data" / "chunk-000" / "file-000.parquet", row_group_size=10)
        tasks = pyarrow.table({"task_index": range(len(missions)), "__index_level_0__": missions})
        pyarrow.parquet.write_table(tasks, path / "meta" / "tasks.parquet")


def write_steps(episodes, path):
    """A row for each step, with a struct of observations."""
    columns = step_columns(episodes)
    observation = pyarrow.StructArray.from_arrays(
        [columns["observation.grid"], columns["observation.image"], columns["observation.walker.pos"]],
        ["grid", "image", "pos"],
    )
    missions = [str(text) for e in episodes for text in e["observation"]["mission"][:-1]]
    episode = [e["id"] for e in episodes for _ in e["action"]]
    table = {"obs": observation, "mission": missions, "action": columns["action"], "traj_id": episode}
    table["reward"] = columns["next.reward"]
    pyarrow.parquet.write_table(pyarrow.table(table), path, row_group_size=7)


def write_jat(episodes, path, *, stacked=False):
    """A row for each episode."""
    path.mkdir()
    rows = {
        "text_observations": [[str(text) for text in e["observation"]["mission"][:-1]] for e in episodes],
        "image_observations": [pictures(stack(e) if stacked else e["observation"]["image"][:-1]) for e in episodes],
        "discrete_observations": [e["observation"]["grid"][:-1].tolist() for e in episodes],
        "continuous_observations": [e["observation"]["walker/pos"][:-1].tolist() for e in episodes],
        "continuous_actions": [e["action"].tolist() for e in episodes],
        "discrete_actions": [None] * len(episodes),
        "rewards": [e["reward"].tolist() for e in episodes],
    }
    types = {
        "text_observations": pyarrow.list_(pyarrow.string()),
        "image_observations": pyarrow.list_(image_type()),
        "discrete_observations": pyarrow.list_(pyarrow.list_(pyarrow.int64())),
        "continuous_observations": pyarrow.list_(list32()),
        "continuous_actions": pyarrow.list_(list32()),
        "discrete_actions": pyarrow.list_(pyarrow.int64()),
        "rewards": list32(),
    }
    table = pyarrow.table({name: pyarrow.array(values, types[name]) for name, values in rows.items()})
    pyarrow.parquet.write_table(table, path / "train-00000-of-00001.parquet")


def stack(episode):
    """Four stacked gray frames, as JAT stores Atari: the newest is the last."""
    red = episode["observation"]["image"][:-1, ..., 0]
    return np.stack([np.zeros_like(red), np.zeros_like(red), np.zeros_like(red), red], axis=-1)


JAT_OBSERVATION = {
    "grid": "discrete_observations",
    "image": "image_observations",
    "mission": "text_observations",
    "walker/pos": "continuous_observations",
}
