"""Checkpoints: parameters, optimizer, step, timer and data position as one bundle. The only importer of Orbax.

A checkpoint is `<run>/checkpoints/<step>`: the directories `parameters` and `optimizer`, and metadata (JSON) with the
resolved experiment, the data position, the policy, the timer and versions. Orbax writes it under another name and
renames it, so a directory with a step's name is whole; then the digests of its files are added. Nothing here decides
*when* to save: `train.py` does, because whoever asks the preemption service gets its answer only once.
"""

import importlib.metadata
import shutil
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import numpy as np
from orbax.checkpoint import v1 as ocp

from gato_jax.config import Experiment
from gato_jax.model.gato import init_parameters
from gato_jax.training.checkpoints.checksums import find_damage, write_digests

FORMAT = 1
DIRECTORY = "checkpoints"
PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


class CheckpointError(RuntimeError):
    """A checkpoint that is missing, damaged, or of another model; the message names it."""


def versions() -> dict[str, str]:
    """Versions of the packages that decide whether a run can be repeated bit for bit."""
    return {name: importlib.metadata.version(name) for name in PACKAGES}


class Checkpoints:
    """The checkpoints of one run: saves in the background, keeps the latest and every n-th.

    The directory appears with the first of them.
    """

    def __init__(self, directory: Path, *, keep: int, keep_every: int = 0):
        self.directory = Path(directory).absolute()
        self._keep, self._keep_every = keep, keep_every
        self._checkpointer: ocp.training.Checkpointer | None = None
        self._pending: Future | None = None
        self._background = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")

    def latest(self) -> int | None:
        """Step of the newest checkpoint, None where there is none."""
        return max(steps_of(self.directory), default=None)

    def save(self, step: int, state: Mapping[str, Any], meta: Mapping[str, Any]) -> None:
        """Starts saving; the arrays are copied before this returns, so `state` may be donated.

        Raises:
          CheckpointError: the save before this one failed, such as on a full disk.
        """
        self.wait()
        trees = {"parameters": state["parameters"], "optimizer": _flat(state["optimizer"]) | {"step": state["step"]}}
        metadata = {"format": FORMAT, "versions": versions(), **meta, "step": step}
        try:
            checkpointer = self._checkpointer = self._checkpointer or self._open()
            saving = checkpointer.save_checkpointables_async(step, trees, force=True, custom_metadata=metadata)
            self._pending = self._background.submit(self._finish, saving, step)
        except (OSError, ValueError) as error:
            raise CheckpointError(f"could not save checkpoint {self.directory / str(step)}: {error}") from error

    def _finish(self, saving: Any, step: int) -> None:
        saving.result()
        if jax.process_index() == 0:
            write_digests(self.directory / str(step))

    def wait(self) -> None:
        """Returns when all saves are on disk."""
        pending, self._pending = self._pending, None
        if pending is None:
            return
        try:
            pending.result()
        except Exception as error:  # Orbax and TensorStore raise many kinds; all mean the same here
            raise self._failed(error) from error

    def restore(self, step: int, abstract: Mapping[str, Any]) -> dict[str, Any]:
        """The state of `step`, laid out as `abstract` (shapes, dtypes, shardings) says, whatever it was saved from.

        Raises:
          CheckpointError: damaged, or of other shapes, dtypes or keys (all of them named).
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
        verify(self.directory / str(step))

    def set_aside(self, step: int) -> Path:
        """Renames a damaged checkpoint, so that nothing reads it and its step can be saved again. Returns its place."""
        path = self.directory / f"damaged-{step}"
        while path.exists():
            path = path.with_name(path.name + "+")
        return (self.directory / str(step)).rename(path)

    def close(self) -> None:
        """Waits for what is being saved. Raises `CheckpointError` where that fails."""
        try:
            self.wait()
        finally:
            self._background.shutdown()
            try:
                if self._checkpointer is not None:
                    self._checkpointer.close()
            except Exception as error:  # what a failed save left behind, in one of many kinds
                raise self._failed(error) from error

    def _open(self) -> ocp.training.Checkpointer:
        self.directory.mkdir(parents=True, exist_ok=True)
        policies = ocp.training.preservation_policies
        kept = [policies.LatestN(self._keep), *([policies.EveryNSteps(self._keep_every)] if self._keep_every else [])]
        return ocp.training.Checkpointer(
            self.directory,
            preservation_policy=policies.AnyPreservationPolicy(kept),
            cleanup_tmp_directories=True,
        )

    def _failed(self, error: Exception) -> CheckpointError:
        """Removes what a failed save has left, which makes room on a full disk, and says what happened."""
        for partial in self.directory.glob("*.orbax-checkpoint-tmp"):
            shutil.rmtree(partial, ignore_errors=True)
        kept = f"step {self.latest()} is the last whole one" if self.latest() else "there is no whole one yet"
        reason = "the disk is full" if "No space left" in str(error) else str(error)
        return CheckpointError(f"could not save a checkpoint in {self.directory}: {reason}; {kept}")


def steps_of(directory: Path) -> list[int]:
    """Steps that have a checkpoint in a `checkpoints` directory."""
    if not directory.is_dir():
        return []
    return sorted(int(path.name) for path in directory.iterdir() if path.name.isdigit() and path.is_dir())


def find_checkpoint(path: Path) -> Path:
    """The checkpoint directory meant by a run directory (its latest), a `checkpoints` directory, or a checkpoint.

    Raises:
      CheckpointError: there is none.
    """
    path = Path(path).absolute()
    if path.name.isdigit() and path.is_dir():
        return path
    for directory in (path / DIRECTORY, path):
        steps = steps_of(directory)
        if steps:
            return directory / str(steps[-1])
    raise CheckpointError(f"no checkpoint in {path}: expected a run directory with {DIRECTORY}/<step>")


def read_meta(path: Path) -> dict[str, Any]:
    """Metadata of one checkpoint.

    Raises:
      CheckpointError: not a checkpoint of this package, of another format, or damaged.
    """
    found = _metadata(path).custom_metadata
    if not isinstance(found, Mapping) or "format" not in found:
        raise CheckpointError(_damaged(path, "its metadata is missing, or not written by gato-jax"))
    if found["format"] != FORMAT:
        raise CheckpointError(f"checkpoint {path}: format: expected {FORMAT}, found {found['format']}")
    return dict(found)


def verify(path: Path) -> None:
    """Reads all files of one checkpoint.

    Raises:
      CheckpointError: its metadata is not readable, or files are missing, truncated or changed; it names them.
    """
    read_meta(path)
    if damage := find_damage(path):
        raise CheckpointError(_damaged(path, damage))


def load_params(path: Path) -> tuple[Experiment, dict[str, Any]]:
    """The experiment and the parameters of a run (its latest checkpoint) or of one checkpoint directory.

    Parameters are a nested dict of float32 arrays on the first device, as `model.gato.bind` takes them. Imports no
    TensorFlow.

    Raises:
      CheckpointError: no checkpoint, or a damaged one.
    """
    checkpoint = find_checkpoint(path)
    verify(checkpoint)
    experiment = Experiment.from_dict(read_meta(checkpoint)["experiment"])
    vocabulary = experiment.data.tokens.vocabulary
    device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    shapes = jax.eval_shape(lambda: init_parameters(experiment.model, vocabulary, key=jax.random.key(0)))
    abstract = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=device), shapes)
    return experiment, _load(checkpoint, {"parameters": abstract})["parameters"]


def _flat(tree: Any) -> dict[str, Any]:
    """Leaves by key path: optax's tuples would lose their types on disk, names do not."""
    paths = jax.tree_util.tree_flatten_with_path(tree)[0]
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in paths}


def _metadata(path: Path) -> Any:
    if not path.is_dir():
        raise CheckpointError(f"checkpoint {path} does not exist")
    try:
        return ocp.checkpointables_metadata(path)
    except Exception as error:  # what a damaged checkpoint raises depends on which file is damaged
        raise CheckpointError(_damaged(path, error)) from error


def _load(path: Path, abstract: Mapping[str, Any]) -> dict[str, Any]:
    """Loads some trees of a checkpoint after comparing them: Orbax casts another dtype in silence."""
    stored = _metadata(path).metadata
    problems = []
    for name, tree in abstract.items():
        if name not in stored or stored[name] is None:
            raise CheckpointError(_damaged(path, f"no directory {name!r}"))
        expected, found = _flat(tree), _flat(stored[name])
        for key in sorted({*expected, *found}):
            left, right = (_describe(side.get(key)) for side in (expected, found))
            if left != right:
                problems.append(f"  {name}/{key}: expected {left}, found {right}")
    if problems:
        shown = "\n".join(problems[:10]) + (f"\n  and {len(problems) - 10} more" if len(problems) > 10 else "")
        raise CheckpointError(f"checkpoint {path} is of another architecture:\n{shown}")
    try:
        return ocp.load_checkpointables(path, dict(abstract))
    except Exception as error:  # TensorStore raises many kinds for damaged data
        raise CheckpointError(_damaged(path, error)) from error


def _describe(leaf: Any) -> str:
    return "absent" if leaf is None else f"{leaf.dtype}{list(leaf.shape)}"


def _damaged(path: Path, reason: Any) -> str:
    text = " ".join(str(reason).split())
    before = [step for step in steps_of(path.parent) if path.name.isdigit() and step < int(path.name)]
    hint = ""
    if before:
        last = path.parent / str(before[-1])
        hint = f"; remove it to continue from {last}, or set train.on_damaged to last_good"
    return f"checkpoint {path} is damaged or incomplete: {text[:300]}{hint}"


def leaf_shapes(path: Path, tree: str) -> dict[str, jax.ShapeDtypeStruct]:
    """Shapes and dtypes of the leaves of one tree of a checkpoint ("parameters" or "optimizer"), by key path.

    Raises:
      CheckpointError: no such checkpoint or tree, or a damaged one.
    """
    stored = _metadata(path).metadata.get(tree)
    if stored is None:
        raise CheckpointError(_damaged(path, f"no directory {tree!r}"))
    return {name: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for name, leaf in _flat(stored).items()}


def read_leaf(path: Path, tree: str, name: str, shape: jax.ShapeDtypeStruct) -> np.ndarray:
    """One whole leaf as NumPy, whatever mesh it was saved from; nothing else is read.

    Args:
      path: one checkpoint.
      tree, name, shape: as `leaf_shapes` gives them.

    Raises:
      CheckpointError: damaged data.
    """
    # The optimizer's leaves are stored flat, with slashes in their names.
    keys = name.split("/") if tree == "parameters" else [name]
    target: Any = np.empty(shape.shape, shape.dtype)  # says NumPy and the shape; its memory is never touched
    for key in reversed(keys):
        target = {key: target}
    context = ocp.Context()
    context.pytree.loading.partial_load = True
    try:
        with context:
            found: Any = ocp.load_checkpointables(path, {tree: target})[tree]
    except Exception as error:  # TensorStore raises many kinds for damaged data
        raise CheckpointError(_damaged(path, f"{tree}/{name}: {error}")) from error
    for key in keys:
        found = found[key]
    return found
