"""Checkpoints: parameters, optimizer, step, timer and data position as one bundle.

A checkpoint is `<run>/checkpoints/<step>`: the directories `parameters` and `optimizer`, and metadata (JSON) with the
resolved experiment, the data position, the controller, the timer and versions. Orbax writes it under another name and
renames it, so a directory with a step's name is whole; then the digests of its files are added. Nothing here decides
*when* to save: `train.py` does, because whoever asks the preemption service gets its answer only once.

Whoever reads one, to go on, to evaluate, to export, opens it with `verify` first, which compares the digests.
"""

import importlib.metadata
import shutil
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import numpy as np

from gato_jax.config import Experiment
from gato_jax.interrupts import uninterrupted
from gato_jax.model.gato import init_parameters
from gato_jax.training.checkpoints import directory as names
from gato_jax.training.checkpoints import orbax_files
from gato_jax.training.checkpoints.checksums import find_damage, has_digests, write_digests
from gato_jax.training.checkpoints.directory import DIGESTS, DIRECTORY, CheckpointError, damaged, find_checkpoint
from gato_jax.training.checkpoints.finite import leaves_not_finite, not_finite

__all__ = ["DIRECTORY", "CheckpointError", "Checkpoints", "find_checkpoint", "load_params", "verify", "versions"]

FORMAT = 1
PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


def versions() -> dict[str, str]:
    """Versions of the packages that decide whether a run can be repeated bit for bit."""
    return {name: importlib.metadata.version(name) for name in PACKAGES}


class Checkpoints:
    """The checkpoints of one run: saves in the background, keeps the latest and every n-th.

    The directory appears with the first of them.

    Args:
      directory: `<run>/checkpoints`.
      keep: latest checkpoints kept.
      keep_every: checkpoints at multiples of this step are never removed; 0 = only the latest are kept.
      say: tells a person what happened.
    """

    def __init__(self, directory: Path, *, keep: int, keep_every: int = 0, say: Callable[[str], None] = warnings.warn):
        self.directory = Path(directory).absolute()
        self._keep, self._keep_every, self._say = keep, keep_every, say
        self._pending: Future | None = None
        self._failures: list[CheckpointError] = []
        self._bytes = 0
        self._background = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")

    def tidy(self) -> None:
        """Removes what a killed save has left, and names what is not ours. The first host does it before the loop."""
        names.tidy(self.directory, self._say)

    def latest(self) -> int | None:
        """Step of the newest checkpoint, None where there is none."""
        return max(names.steps_of(self.directory), default=None)

    def save(self, step: int, state: Mapping[str, Any], meta: Mapping[str, Any]) -> None:
        """Starts saving; the arrays are copied before this returns, so `state` may be donated.

        Raises:
          CheckpointError: the save before this one failed, such as on a full disk, and there is no room for another.
        """
        self._settle()
        if self._failures and not self._worth_another_try():
            raise self._failures[-1]
        trees = {"parameters": state["parameters"], "optimizer": _flat(state["optimizer"]) | {"step": state["step"]}}
        self._bytes = sum(leaf.nbytes for leaf in jax.tree.leaves(trees))
        metadata = {"format": FORMAT, "versions": versions(), **meta, "step": step}
        self.directory.mkdir(parents=True, exist_ok=True)
        try:
            with uninterrupted():  # What is begun is waited for: threads that outlive the interpreter hang in its end.
                saving = orbax_files.start_saving(self.directory / str(step), trees, metadata)
                self._pending = self._background.submit(self._finish, saving, step)
        except (OSError, ValueError) as error:
            raise CheckpointError(f"could not save checkpoint {self.directory / str(step)}: {error}") from error

    def once_more(self) -> bool:
        """Looks after the save in the background: whether it failed, which is said, and could be repeated now.

        To be asked at every boundary, so that a full disk is noticed at once and not at the next save. One process
        goes on training and saves once more when there is room.

        Raises:
          CheckpointError: it failed again although there was room, or one of several processes failed.
        """
        if self._pending is not None and not self._pending.done():
            return False
        self._settle()
        if not self._failures:
            return False
        if len(self._failures) > 1 or jax.process_count() > 1:
            raise self._failures[-1]
        return self._worth_another_try()

    def wait(self) -> None:
        """Returns when all saves are on disk. Raises `CheckpointError` where the last one is not."""
        self._settle()
        if self._failures:
            raise self._failures[-1]

    def _worth_another_try(self) -> bool:
        self.directory.mkdir(parents=True, exist_ok=True)
        return len(self._failures) == 1 and shutil.disk_usage(self.directory).free > self._bytes

    def _finish(self, saving: Any, step: int) -> None:
        saving.result()
        if jax.process_index() == 0:
            write_digests(self.directory / str(step))
            self._retain()

    def _retain(self) -> None:
        """Removes the checkpoints that are not kept."""
        for step in names.steps_of(self.directory)[: -self._keep]:
            if not self._keep_every or step % self._keep_every:
                try:
                    names.remove(self.directory / str(step))
                except OSError as error:  # The checkpoint that was just saved is whole all the same.
                    self._say(f"cannot remove the old checkpoint {self.directory / str(step)}: {error}")

    def _settle(self) -> None:
        """Waits for the save in the background, and says so where it failed."""
        pending, self._pending = self._pending, None
        if pending is None:
            return
        try:
            pending.result()
            self._failures.clear()
        except Exception as error:  # Orbax and TensorStore raise many kinds; all mean the same here
            self._failures.append(self._failed(error))
            if len(self._failures) == 1 and jax.process_count() == 1:
                self._say(f"{self._failures[0]}. Saving once more when {self._bytes / 1e9:,.2f} GB are free")

    def restore(self, step: int, abstract: Mapping[str, Any]) -> dict[str, Any]:
        """The state of `step`, laid out as `abstract` (shapes, dtypes, shardings) says, whatever it was saved from.

        Raises:
          CheckpointError: damaged, not finite, or of other shapes, dtypes or keys (all of them named).
        """
        optimizer = _flat(abstract["optimizer"])
        trees = {"parameters": abstract["parameters"], "optimizer": optimizer | {"step": abstract["step"]}}
        loaded = _load(self.directory / str(step), trees)
        leaves = [loaded["optimizer"][name] for name in optimizer]
        return {
            "step": loaded["optimizer"]["step"],
            "parameters": loaded["parameters"],
            "optimizer": jax.tree.unflatten(jax.tree.structure(abstract["optimizer"]), leaves),
        }

    def meta(self, step: int) -> dict[str, Any]:
        return read_meta(self.directory / str(step))

    def verify(self, step: int) -> None:
        """Reads all files of `step`. Raises `CheckpointError` where they are not what was written."""
        verify(self.directory / str(step), say=self._say)

    def set_aside(self, step: int) -> Path:
        """Renames a damaged checkpoint, so that nothing reads it and its step can be saved again. Returns its place."""
        return names.set_aside(self.directory / str(step), names.DAMAGED)

    def close(self) -> None:
        """Waits for what is being saved. Raises `CheckpointError` where that fails."""
        try:
            self.wait()
        finally:
            with uninterrupted():
                self._background.shutdown()

    def _failed(self, error: Exception) -> CheckpointError:
        """Removes what a failed save has left, which makes room on a full disk, and says what happened."""
        for partial in self.directory.glob(f"*{names.PARTIAL}"):
            shutil.rmtree(partial, ignore_errors=True)
        last_whole = f"step {self.latest()} is the last whole one" if self.latest() else "there is no whole one yet"
        reason = "the disk is full" if "No space left" in str(error) else str(error)
        return CheckpointError(f"could not save a checkpoint in {self.directory}: {reason}; {last_whole}")


def read_meta(path: Path) -> dict[str, Any]:
    """Metadata of one checkpoint.

    Raises:
      CheckpointError: not a checkpoint of this package, of another format, or damaged.
    """
    meta = _stored(path)[0]
    if not isinstance(meta, Mapping) or "format" not in meta:
        raise damaged(path, "its metadata is missing, or not written by gato-jax")
    if meta["format"] != FORMAT:
        raise CheckpointError(f"checkpoint {path}: format: expected {FORMAT}, found {meta['format']}")
    return dict(meta)


def verify(path: Path, *, say: Callable[[str], None] = warnings.warn) -> dict[str, Any]:
    """Reads all files of one checkpoint and compares them with the digests that were made when it was written.

    A checkpoint without digests, because its process ended too early, is said to be unchecked, and gets them.

    Returns:
      Its metadata.

    Raises:
      CheckpointError: its metadata is not readable, or files are missing, truncated or changed; it names them.
    """
    if not has_digests(path):
        meta = read_meta(path)
        say(f"checkpoint {path} is unchecked: its process ended before it wrote {DIGESTS}; that is done now")
        try:
            write_digests(path)
        except OSError as error:
            say(f"{path / DIGESTS} cannot be written: {error}")
        return meta
    if damage := find_damage(path):
        raise damaged(path, damage)
    return read_meta(path)


def load_params(path: Path) -> tuple[Experiment, dict[str, Any]]:
    """The experiment and the parameters of a run (its latest checkpoint) or of one checkpoint directory.

    Parameters are a nested dict of float32 arrays on the first device, as `model.gato.bind` takes them. Imports no
    TensorFlow.

    Raises:
      CheckpointError: no checkpoint, or a damaged one.
    """
    checkpoint = find_checkpoint(path)
    experiment = Experiment.from_dict(verify(checkpoint)["experiment"])
    return experiment, load_parameters(checkpoint, experiment)


def load_parameters(path: Path, experiment: Experiment) -> dict[str, Any]:
    """The parameters of a checkpoint that `verify` has looked at, as `load_params` gives them."""
    vocabulary = experiment.data.tokens.vocabulary
    device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    shapes = jax.eval_shape(lambda: init_parameters(experiment.model, vocabulary, key=jax.random.key(0)))
    abstract = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=device), shapes)
    return _load(path, {"parameters": abstract})["parameters"]


def _flat(tree: Any) -> dict[str, Any]:
    """Leaves by key path: optax's tuples would lose their types on disk, names do not."""
    paths = jax.tree_util.tree_flatten_with_path(tree)[0]
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in paths}


def _stored(path: Path) -> tuple[Any, dict[str, Any]]:
    """Our metadata, and shapes and dtypes of the trees."""
    if not path.is_dir():
        raise CheckpointError(f"checkpoint {path} does not exist")
    try:
        return orbax_files.read_metadata(path)
    except Exception as error:  # what a damaged checkpoint raises depends on which file is damaged
        raise damaged(path, error) from error


def _load(path: Path, abstract: Mapping[str, Any]) -> dict[str, Any]:
    """Loads some trees of a checkpoint after comparing them: Orbax casts another dtype silently."""
    stored = _stored(path)[1]
    problems = []
    for name, tree in abstract.items():
        if name not in stored or stored[name] is None:
            raise damaged(path, f"no directory {name!r}")
        expected, stored_leaves = _flat(tree), _flat(stored[name])
        for key in sorted({*expected, *stored_leaves}):
            left, right = (_describe(side.get(key)) for side in (expected, stored_leaves))
            if left != right:
                problems.append(f"  {name}/{key}: expected {left}, found {right}")
    if problems:
        shown = "\n".join(problems[:10]) + (f"\n  and {len(problems) - 10} more" if len(problems) > 10 else "")
        raise CheckpointError(f"checkpoint {path} is of another architecture:\n{shown}")
    try:
        loaded = orbax_files.load(path, abstract)
    except Exception as error:  # TensorStore raises many kinds for damaged data
        raise damaged(path, error) from error
    if wrong := leaves_not_finite(_flat(loaded)):
        raise damaged(path, f"expected finite values, found others in {', '.join(wrong[:5])}")
    return loaded


def _describe(leaf: Any) -> str:
    return "absent" if leaf is None else f"{leaf.dtype}{list(leaf.shape)}"


def leaf_shapes(path: Path, tree: str) -> dict[str, jax.ShapeDtypeStruct]:
    """Shapes and dtypes of the leaves of one tree of a checkpoint ("parameters" or "optimizer"), by key path.

    Raises:
      CheckpointError: no such checkpoint or tree, or a damaged one.
    """
    stored = _stored(path)[1].get(tree)
    if stored is None:
        raise damaged(path, f"no directory {tree!r}")
    return {name: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for name, leaf in _flat(stored).items()}


def read_leaf(path: Path, tree: str, name: str, shape: jax.ShapeDtypeStruct) -> np.ndarray:
    """One whole leaf as NumPy, whatever mesh it was saved from; nothing else is read.

    Args:
      path: one checkpoint.
      tree, name, shape: as `leaf_shapes` gives them.

    Raises:
      CheckpointError: damaged data, or values that are not finite.
    """
    # The optimizer's leaves are stored flat, with slashes in their names.
    keys = name.split("/") if tree == "parameters" else [name]
    try:
        leaf = orbax_files.load_leaf(path, tree, keys, shape)
    except Exception as error:  # TensorStore raises many kinds for damaged data
        raise damaged(path, f"{tree}/{name}: {error}") from error
    if wrong := not_finite(leaf):
        raise damaged(path, f"{tree}/{name}: {wrong}")
    return leaf
