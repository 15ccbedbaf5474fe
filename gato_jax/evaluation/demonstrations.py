"""Recorded episodes of control tasks, for agents that are shown them: prompts, and the nearest-neighbour baseline.

`read` starts a child (`python -m gato_jax.evaluation.demonstrations`), because the records are read with TensorFlow. It
writes one npz for each task, without pickled objects, which `load` opens in whatever process acts.
"""

import dataclasses
import hashlib
import io
import json
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from data_pipelines.spec import Kind, TaskSpec, lookup
from data_pipelines.storage.episode_index import read_episodes
from data_pipelines.storage.recorded_tasks import RecordedTask, read_task
from data_pipelines.storage.records import read_record
from gato_jax.evaluation import children


@dataclasses.dataclass(frozen=True)
class Request:
    """Which episodes of a task are wanted. They are looked at in an order that the seed and the task's name fix.

    Args:
      split: "train" or "validation".
      episodes: as many at most.
      timesteps: as many of all of them together at most; the episode that reaches it is the last.
      first: only so many first timesteps of each; 0 = whole episodes. Episodes that have fewer are passed over where
        others have as many.
      seed: of the order.
    """

    split: str
    episodes: int
    timesteps: int
    first: int = 0
    seed: int = 0


@dataclasses.dataclass(frozen=True, eq=False)
class Demonstrations:
    """Episodes of one task, one behind the other.

    Args:
      names: file and record of each.
      lengths: timesteps of each.
      observations: by key of the spec, [N, ...]; texts are `str`, pictures uint8.
      actions: as executed, [N, ...].
      labels: what the expert would have done, [N, ...]; the same where no noise was added.
      recorded: episodes in the split.
    """

    names: Sequence[str]
    lengths: np.ndarray
    observations: Mapping[str, np.ndarray]
    actions: np.ndarray
    labels: np.ndarray
    recorded: int

    def episode(self, index: int) -> list[tuple[dict[str, Any], np.ndarray]]:
        """(observation, executed action) pairs of one episode, as environments give them."""
        start = int(self.lengths[:index].sum())
        return [(self.observation(place), self.actions[place]) for place in range(start, start + self.lengths[index])]

    def observation(self, place: int) -> dict[str, Any]:
        """The nested observation of one timestep."""
        tree: dict[str, Any] = {}
        for key, values in self.observations.items():
            *parents, name = key.split("/")
            node = tree
            for part in parents:
                node = node.setdefault(part, {})
            node[name] = values[place]
        return tree


def split_of(task: RecordedTask) -> str:
    """Held-out episodes where there are some, else those of training."""
    return "validation" if task.examples("validation") else "train"


def contents(task: RecordedTask, split: str) -> str:
    """Digest of what a split's files hold."""
    digest = hashlib.sha256()
    for shard in task.shards.get(split, ()):
        digest.update(f"{shard.records} {shard.framing.contents}\n".encode())
    return digest.hexdigest()[:16]


def read(directory: str, requests: Mapping[str, Request], out: Path) -> None:
    """Writes `<task>.npz` of each requested task into `out`.

    Raises:
      ValidationError: the records cannot be read.
    """
    if not requests:
        return
    request_fields = {task: dataclasses.asdict(request) for task, request in requests.items()}
    job = {"directory": directory, "requests": request_fields, "out": str(out)}
    what = f"recorded episodes of {', '.join(requests)} in {directory}"
    children.run("gato_jax.evaluation.demonstrations", job, what=what)


def load(path: Path) -> Demonstrations:
    """What `read` wrote."""
    with np.load(path, allow_pickle=False) as data:
        observations = {name.partition("|")[2]: data[name] for name in data.files if name.startswith("observation|")}
        names = [str(name) for name in data["names"]]
        recorded = int(data["recorded"])
        return Demonstrations(names, data["lengths"], observations, data["actions"], data["labels"], recorded)


def main() -> None:
    """The child."""
    job = json.loads(sys.stdin.read())
    write(job["directory"], {name: Request(**fields) for name, fields in job["requests"].items()}, Path(job["out"]))


def write(directory: str, requests: Mapping[str, Request], out: Path) -> None:
    """As `read`, in this process, which imports TensorFlow."""
    for name, request in requests.items():
        arrays = _read(read_task(directory, name), request)
        np.savez(out / f"{name}.npz", allow_pickle=False, **arrays)


def _read(task: RecordedTask, request: Request) -> dict[str, Any]:
    from data_pipelines.seqio_tasks.sources import RldsDataSource

    if task.spec is None:
        raise ValueError(f"task {task.name!r}: expected a control task, found {task.kind}")
    lengths = read_episodes(task, request.split).timesteps
    order = np.random.default_rng([request.seed, zlib.crc32(task.name.encode())]).permutation(len(lengths))
    # Where no episode is long enough, those that are longest.
    enough = min(max(1, request.first), max(lengths, default=0))
    if not enough:
        raise ValueError(
            f"task {task.name!r}: expected episodes in split {request.split!r}, found {len(lengths)} without steps"
        )
    order = order[lengths[order] >= enough]
    read = np.cumsum(np.minimum(lengths[order], request.first or lengths[order]))
    order = order[: min(request.episodes, int(np.searchsorted(read, request.timesteps)) + 1)]
    base = task.first_ids()[str(task.shards[request.split][0].path)]
    names = [task.example_name(base + int(number)) for number in order]
    steps = list(_parse(RldsDataSource(task), task, request.split, order))
    return _arrays(task.spec, list(zip(names, steps, strict=True)), request.first, len(lengths))


def _parse(source: Any, task: RecordedTask, split: str, numbers: np.ndarray) -> Iterator[dict[str, Any]]:
    """The steps of these records, without the dummy last one of each, which has no action."""
    import tensorflow as tf

    def records() -> Iterator[bytes]:
        for number in numbers:
            yield read_record(task, split, int(number))

    dataset = tf.data.Dataset.from_generator(records, output_signature=tf.TensorSpec([], tf.string)).map(source.parse)
    for one in dataset.as_numpy_iterator():
        yield tf.nest.map_structure(lambda values: values[:-1], one["steps"])


def _arrays(
    spec: TaskSpec, episodes: Sequence[tuple[str, dict[str, Any]]], first: int, recorded: int
) -> dict[str, Any]:
    """What the npz holds; where only the first timesteps are wanted, all episodes have as many as the first one."""
    limit = min(first, len(episodes[0][1]["action"])) or None
    cut = [steps["action"][:limit] for _, steps in episodes]
    arrays: dict[str, Any] = {
        "names": np.asarray([name for name, _ in episodes], np.str_),
        "lengths": np.asarray([len(actions) for actions in cut]),
        "actions": np.concatenate(cut),
        "labels": np.concatenate([steps.get("expert_action", steps["action"])[:limit] for _, steps in episodes]),
        "recorded": np.asarray(recorded),
    }
    for item in spec.observation:
        values = np.concatenate([lookup(steps["observation"], item.path)[:limit] for _, steps in episodes])
        if item.kind is Kind.IMAGE:
            pictures = [np.asarray(Image.open(io.BytesIO(value))) for value in values]
            values = np.stack(pictures).reshape(len(values), *item.shape)
        elif item.kind is Kind.TEXT:
            values = np.asarray([value.decode() for value in values], np.str_)
        arrays[f"observation|{item.key}"] = values
    return arrays


if __name__ == "__main__":
    main()
