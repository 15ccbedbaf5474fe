"""Validation loss: the training loss on rows that were held out, without augmentation or soft targets."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from data_pipelines.schema import Batch, RowGroup
from gato_jax import sharding
from gato_jax.config import Execution, Experiment, Kernel, MeshConfig
from gato_jax.model import kernels
from gato_jax.model.gato import bind
from gato_jax.training.step.loss import is_correct, negative_log_likelihood
from gato_jax.training.step.spec import StepSpec, group_fields, step_spec


def make_evaluation(
    spec: StepSpec, group: RowGroup, mesh: Mesh | None = None
) -> Callable[[Any, Mapping[str, Any]], dict[str, jax.Array]]:
    """Jitted (parameters, rows) -> sums over the rows' targets: {"loss", "targets", "correct"}.

    Attention is computed as in training, on the training mesh; without a mesh, in the way that suits this process's
    first device, which need not be of the kind that the run was trained on.
    """
    dtype = jnp.dtype(spec.dtype)
    requested_kernel = spec.step.attention if mesh is not None else Kernel.AUTO
    mesh = mesh or sharding.make_mesh(MeshConfig(), devices=jax.local_devices()[:1])
    lengths = [group.window_length]
    kernel, _ = kernels.choose(requested_kernel, spec.model, mesh, lengths=lengths, dtype=spec.dtype)
    execution = Execution(attention=kernel)

    @jax.jit
    def evaluate(parameters: Any, batch: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        cast = jax.tree.map(lambda leaf: leaf.astype(dtype), parameters)
        model = bind(spec.model, spec.vocabulary, cast, execution)
        target_hidden = model.target_hidden(batch, group=group)
        targets, kinds, weights = (
            x.reshape(-1) for x in (target_hidden.targets, target_hidden.token_type, target_hidden.weights)
        )
        logits = model.logits(target_hidden.hidden.reshape(-1, spec.model.width))
        nll = negative_log_likelihood(logits, targets, kinds, vocabulary=spec.vocabulary)
        correct = is_correct(logits, targets)
        return {"loss": (nll * weights).sum(), "targets": weights.sum(), "correct": (correct * weights).sum()}

    return evaluate


def evaluate_loss(experiment: Experiment, parameters: Any, task: str, batches: Iterable[Batch]) -> dict[str, float]:
    """Mean loss of a task's targets over these batches of its row group (`stream.validation_batches`).

    Runs on the default device of one process.

    Returns:
      {"loss": nats per target, "accuracy": share of targets that no other id is likelier than, "targets": how many}.

    Raises:
      ValueError: no targets in the batches.
    """
    group = experiment.data.mixture.groups[experiment.data.mixture.group_of(task)]
    evaluate = make_evaluation(step_spec(experiment), group)
    fields = group_fields(group)
    sums = [jax.device_get(evaluate(parameters, {name: batch[name] for name in fields})) for batch in batches]
    return summarise(task, sums)


def summarise(task: str, sums: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Sums of several batches -> means."""
    sums = list(sums)
    total = {key: float(np.sum([part[key] for part in sums])) for key in ("loss", "targets", "correct")}
    if not total["targets"]:
        raise ValueError(f"task {task!r}: the {len(sums)} validation batches hold no targets")
    return {
        "loss": total["loss"] / total["targets"],
        "accuracy": total["correct"] / total["targets"],
        "targets": int(total["targets"]),
    }
