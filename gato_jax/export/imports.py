"""`gato import-weights`: an export back to a run directory, from which `gato train` continues.

Every parameter keeps its bits. What the file cannot hold is said: without the optimizer's state its moments begin at
zero. The network changes only where an option says so, and every part that is new is named. What belongs to the machine
where the weights were trained, its directories and addresses, is left there.
"""

import dataclasses
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import rich.table

from data_pipelines.config_json import encode
from data_pipelines.differences import difference_lines
from data_pipelines.vocabulary import BINS, DiscreteIds, Vocabulary
from gato_jax.config import Distributed, Experiment, Positions
from gato_jax.export.common.partial_directory import (
    check_empty,
    check_target,
    digest_of_job,
    partial_directory,
    remove_ours,
)
from gato_jax.interrupts import interruptible
from gato_jax.model.gato import init_parameters
from gato_jax.model.positions import SCHEMES, scheme_of
from gato_jax.training import run_directory
from gato_jax.training.checkpoints import checkpoint
from gato_jax.training.logging.metrics import Totals
from gato_jax.training.step.optimizer import make_optimizer
from gato_jax.weights.source import Source, open_source
from gato_jax.weights.tensor_names import ExportError, flatten, parameter_leaves, tensors_of, unflatten

DATA = "gato-quickstart/data"
"""Data directory of an import when none is named: the quickstart's."""

MACHINE = (
    *("wandb", "profile", "distributed", "coordinator", "processes", "process", "peak_tflops"),
    *("init_from", "init_digest"),
)
"""Settings of `train` that belong to the machine where the weights were trained."""

POSITION_TENSORS = frozenset(name for scheme in SCHEMES.values() for name in scheme.tensors())
"""Ends of the names of tensors that only some position schemes have."""


@dataclasses.dataclass(frozen=True)
class ImportResult:
    """What was written.

    Attributes:
      out: the run directory.
      step: training step of the weights.
      parameters: number of weights that were taken over.
      optimizer: "taken over", or "new: moments are zero".
      new: what was newly initialised, by name and rows.
      dropped: tensors and rows that the new network has no place for.
      machine: settings that stay with the machine where the weights were trained, and what they are here.
      before: an earlier call of the same import had written all of it.
    """

    out: Path
    step: int
    parameters: int
    optimizer: str
    new: tuple[str, ...]
    dropped: tuple[str, ...]
    machine: tuple[str, ...] = ()
    before: bool = False

    def to_dict(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "out": str(self.out)}

    def table(self) -> rich.table.Table:
        table = rich.table.Table.grid(padding=(0, 2))
        table.add_row("run", f"{self.out} (step {self.step})")
        table.add_row("taken over", f"{self.parameters:,} weights, bit for bit")
        table.add_row("optimizer", self.optimizer)
        for name, parts in (("new", self.new), ("dropped", self.dropped), ("of this machine", self.machine)):
            for part in parts:
                table.add_row(name, part)
        if self.before:
            table.add_row("", "nothing was left to do: the same import is there, as an earlier call wrote it")
        table.add_row("continue", shlex.join(["gato", "train", f"{self.out}/config.json", "--out", f"{self.out}"]))
        return table


@interruptible()
def import_weights(
    directory: Path | str,
    out: Path | str,
    *,
    text_size: int | None = None,
    positions: Positions | str | None = None,
    max_length: int | None = None,
    seed: int = 0,
    data: Path | str = DATA,
) -> ImportResult:
    """Writes a run directory with one checkpoint from an export of safetensors or Hugging Face files.

    Args:
      directory: the export (or a run, which is then copied with these changes).
      out: run directory to make; appears whole or not at all.
      text_size: grow the text vocabulary to so many pieces.
      positions: change the position scheme.
      max_length: rows of the learned position table.
      seed: for newly initialised parameters.
      data: directory of the tasks' recordings on this machine, for what is trained next.

    Raises:
      FileExistsError: `out` is there and not empty.
      ExportError: the export is damaged, hostile, or of another architecture.
      ValueError: a change that would cut what was learned (a smaller vocabulary or table).

    Examples:
      >>> import gato_jax
      >>> _ = gato_jax.export_weights("run", "weights", unverified=True)
      >>> gato_jax.import_weights("weights", "another_run").step
      2
    """
    out = Path(out)
    check_target(out, "the run")
    source = open_source(directory)
    experiment = changed(source.experiment, text_size=text_size, positions=positions, max_length=max_length)
    there, experiment = experiment, of_this_machine(experiment, data)
    machine = tuple(difference_lines(encode(there), encode(experiment)))
    options = {"text_size": text_size, "positions": positions and Positions(positions).value, "max_length": max_length}
    job = {"import": str(source.path.resolve()), "of": source.identity(), "seed": seed, "data": str(data), **options}
    done = _done(out, job)
    if done is None:
        check_empty(out)
    parameters, new, dropped = fit(source, experiment, seed=seed)
    if experiment.model == source.experiment.model and not new and source.optimizer:
        optimizer, moments = "taken over", _stored_moments(source, experiment, parameters)
    else:
        optimizer, moments = "new: moments are zero", make_optimizer(experiment.optimizer).init(parameters)
        if source.optimizer:
            optimizer += ", as the network changed"
    step = int(source.meta["step"])
    taken = sum(tensor.size for tensor in tensors_of(source.experiment.model, _vocabulary(source.experiment)))
    result = ImportResult(out, step, taken, optimizer, new, dropped, machine, before=done is not None)
    if done is None:
        state = {"step": jnp.asarray(step, jnp.int32), "parameters": parameters, "optimizer": moments}
        with partial_directory(out, job) as work, interruptible():
            _write_run(work, experiment, state, _bundle(source, experiment, result, job))
    return result


def _bundle(source: Source, experiment: Experiment, result: ImportResult, job: Mapping[str, Any]) -> dict[str, Any]:
    """What the checkpoint holds beside the state."""
    mixture = experiment.data.mixture
    return {
        "experiment": encode(experiment),
        "position": source.meta.get("position", {"step": result.step}),
        "totals": source.meta.get("totals") or Totals(mixture.task_names, tuple(mixture.groups)).to_dict(),
        "seconds": float(source.meta.get("seconds", 0.0)),
        "loss": source.meta.get("loss"),
        "mesh": source.meta.get("mesh", {}),
        "imported": {
            "new": list(result.new),
            "dropped": list(result.dropped),
            "optimizer": result.optimizer,
            "job": digest_of_job(job),
        },
    }


def _write_run(work: Path, experiment: Experiment, state: Mapping[str, Any], bundle: Mapping[str, Any]) -> None:
    """A run directory with one checkpoint, which is read back."""
    step = int(state["step"])
    shutil.rmtree(work / checkpoint.DIRECTORY, ignore_errors=True)  # of a call that was killed
    checkpoints = checkpoint.Checkpoints(work / checkpoint.DIRECTORY, keep=1)
    try:
        checkpoints.save(step, state, bundle)
    finally:
        checkpoints.close()
    run_directory.write_config(experiment, work)
    _check(work / checkpoint.DIRECTORY / str(step), state["parameters"])


def _done(out: Path, job: Mapping[str, Any]) -> Path | None:
    """The checkpoint that the same call has written, and nobody has trained since; None where there is none."""
    try:
        path = checkpoint.find_checkpoint(out)
        if checkpoint.read_meta(path).get("imported", {}).get("job") != digest_of_job(job):
            return None
    except checkpoint.CheckpointError:
        return None
    remove_ours(out)
    return path


def of_this_machine(experiment: Experiment, data: Path | str) -> Experiment:
    """The experiment without what belongs to the machine where it was trained: directories, addresses, accounts."""
    train = experiment.train
    fields = {field.name: field.default for field in dataclasses.fields(train)}
    own: dict[str, Any] = {name: fields[name] for name in MACHINE}
    if train.distributed is Distributed.OFF:  # One process, whatever the environment says: true of any machine.
        own["distributed"] = Distributed.OFF
    return dataclasses.replace(
        experiment,
        data=dataclasses.replace(experiment.data, directory=str(data), cache=""),
        train=dataclasses.replace(train, **own),
    )


def changed(
    experiment: Experiment, *, text_size: int | None, positions: Positions | str | None, max_length: int | None
) -> Experiment:
    """The experiment with another vocabulary or position scheme. Raises `ValueError` where that cuts rows."""
    model, tokens = experiment.model, experiment.data.tokens
    if text_size is not None:
        if text_size < tokens.vocabulary.text_size:
            raise ValueError(
                f"text_size: expected at least the {tokens.vocabulary.text_size} pieces there are, found {text_size}"
            )
        tokens = dataclasses.replace(tokens, vocabulary=dataclasses.replace(tokens.vocabulary, text_size=text_size))
    if positions is not None:
        model = dataclasses.replace(model, positions=Positions(positions))
    if max_length is not None:
        if scheme_of(model).longest is None:
            raise ValueError(f"max_length: only learned positions have a table, found {model.positions.value}")
        if scheme_of(experiment.model).longest is not None and max_length < experiment.model.max_length:
            raise ValueError(f"max_length: expected at least {experiment.model.max_length} rows, found {max_length}")
        model = dataclasses.replace(model, max_length=max_length)
    return dataclasses.replace(experiment, model=model, data=dataclasses.replace(experiment.data, tokens=tokens))


def fit(
    source: Source, experiment: Experiment, *, seed: int
) -> tuple[dict[str, Any], tuple[str, ...], tuple[str, ...]]:
    """Parameters of `experiment` from those of the source; what is new; and what found no place."""
    vocabulary, old = _vocabulary(experiment), _vocabulary(source.experiment)
    had = {tensor.name: tensor for tensor in tensors_of(source.experiment.model, old)}
    tensors = tensors_of(experiment.model, vocabulary)
    fresh: dict[str, Any] = {}
    if any(tensor.name not in had or had[tensor.name].shape != tensor.shape for tensor in tensors):
        fresh = flatten(init_parameters(experiment.model, vocabulary, key=jax.random.key(seed)))
    shapes = parameter_leaves(experiment.model, vocabulary)
    new: list[str] = []
    leaves: dict[str, np.ndarray] = {}
    for tensor in tensors:
        if tensor.leaf not in leaves:
            leaves[tensor.leaf] = np.zeros(shapes[tensor.leaf].shape, np.float32)
        place = leaves[tensor.leaf] if tensor.layer is None else leaves[tensor.leaf][tensor.layer]
        if tensor.name not in had:
            if not tensor.name.endswith(tuple(POSITION_TENSORS)):
                raise ExportError(f"{tensor.name}: expected in {source.path}, found none")
            place[...] = tensor.of(np.asarray(fresh[tensor.leaf]))
            new.append(f"{tensor.name} {list(tensor.shape)}")
        elif had[tensor.name].shape == tensor.shape:
            place[: tensor.shape[0]] = source.read(tensor.name)
        else:
            place[: tensor.shape[0]] = tensor.of(np.asarray(fresh[tensor.leaf]))
            rows, where = _rows(tensor.name, old, vocabulary, had[tensor.name].shape[0])
            place[rows] = source.read(tensor.name)
            new.append(f"{tensor.name} rows {where}")
    dropped = tuple(f"{name} {list(had[name].shape)}" for name in sorted(set(had) - {t.name for t in tensors}))
    # One by one, so that never all of them are there twice.
    parameters = {name: jax.block_until_ready(jax.device_put(leaves.pop(name))) for name in list(leaves)}
    return unflatten(parameters), tuple(new), dropped


def _rows(name: str, old: Vocabulary, new: Vocabulary, count: int) -> tuple[np.ndarray, str]:
    """Where the rows of a table that grew stand now, and which rows are new.

    Text stays; continuous bins, the separator and a block of discrete ids move behind the new text.
    """
    if name != "embedding.tokens":
        return np.arange(count), f"{count} and up"
    behind = old.size - old.text_size
    assert old.discrete is new.discrete
    assert behind == 1 + BINS * (2 if old.discrete is DiscreteIds.OFFSET else 1)
    rows = np.concatenate([np.arange(old.text_size), new.text_size + np.arange(behind)])
    return rows, f"{old.text_size} to {new.text_size - 1}"


def _stored_moments(source: Source, experiment: Experiment, parameters: Mapping[str, Any]) -> Any:
    """The optimizer's state from its file. Raises `ExportError` naming leaves that do not fit."""
    abstract = jax.eval_shape(make_optimizer(experiment.optimizer).init, parameters)
    paths, structure = jax.tree_util.tree_flatten_with_path(abstract)
    names = [jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in paths]
    problems = [
        f"{name}: expected {leaf.dtype}{list(leaf.shape)}, found {_described(source.optimizer.get(name))}"
        for name, (_, leaf) in zip(names, paths, strict=True)
        if _described(source.optimizer.get(name)) != f"{leaf.dtype}{list(leaf.shape)}"
    ]
    problems += [f"{name}: not a part of this optimizer" for name in sorted(set(source.optimizer) - set(names))]
    if problems:
        raise ExportError(f"the optimizer's state in {source.path} does not fit:\n  " + "\n  ".join(problems[:10]))
    return jax.tree.unflatten(structure, [jnp.asarray(np.asarray(source.read_optimizer(name))) for name in names])


def _described(leaf: Any) -> str:
    return "none" if leaf is None else f"{leaf.dtype}{list(leaf.shape)}"


def _check(path: Path, parameters: Mapping[str, Any]) -> None:
    """Reads the checkpoint back, leaf by leaf. Raises `ExportError` on the first bit that differs."""
    shapes = checkpoint.leaf_shapes(path, "parameters")
    for name, expected in flatten(parameters).items():
        if not np.array_equal(checkpoint.read_leaf(path, "parameters", name, shapes[name]), np.asarray(expected)):
            raise ExportError(f"{path}: {name} was not written as it was read")


def _vocabulary(experiment: Experiment) -> Vocabulary:
    return experiment.data.tokens.vocabulary
