"""The losses of a batch, by row group and by task."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from data_pipelines.schema import RowGroup
from data_pipelines.vocabulary import TokenType
from gato_jax import sharding
from gato_jax.config import LossConfig
from gato_jax.model.embedding import budget_of, compact, take_rows
from gato_jax.model.gato import Gato, bind
from gato_jax.model.targets import TargetHidden, target_places
from gato_jax.training.step.loss import is_correct, jitter_observations, negative_log_likelihood
from gato_jax.training.step.spec import Batches, StepSpec


def target_weights(batch: Mapping[str, Any], group: RowGroup) -> Float[Array, "n places"]:
    """Loss mask of what each place of each window predicts."""
    mask, segments = (batch[name].reshape(-1, group.window_length) for name in ("loss_mask", "segment_ids"))
    return target_places(mask, segments, budget=group.window_length)[1]


def compute_losses(
    spec: StepSpec,
    parameters: Any,
    batches: Batches,
    *,
    key: Array | None,
    loss: LossConfig,
    whole: Any = None,
    group_targets: Mapping[str, Array] | None = None,
) -> tuple[Float[Array, ""], dict[str, Any]]:
    """Weighted mean over groups of the mean loss of their targets, and its parts.

    Args:
      key: training randomness; None is evaluation.
      whole: gathered parameters in the compute dtype, under `Gather.STEP`.
      group_targets: targets that a group's mean divides by; None = those of these batches. With those of a whole batch
        the losses of its microbatches add up to the batch's.

    Returns:
      The loss in nats, and {"group_loss": {group: []}, "targets": [], "task_loss_sum", "task_targets", "task_correct",
      "task_rows", "task_tokens": [tasks]}; tokens are places that are no padding.
    """
    dtype = jnp.dtype(spec.dtype)
    cast = jax.tree.map(lambda leaf: leaf.astype(dtype), parameters)
    model = bind(spec.model, spec.vocabulary, cast, spec.step, whole=whole)
    inputs, keys = _augmented(spec, batches, loss, key)
    # One pass for all groups is faster, but rows of different groups behind each other do not split over devices.
    names = list(spec.groups)
    passes = [names] if sharding.batch_devices() == 1 else [[name] for name in names]
    group_loss, sums = {}, jnp.zeros((5, spec.tasks), jnp.float32)
    for some in passes:
        target_hidden = model.joint_target_hidden(
            [inputs[name] for name in some],
            groups=[spec.groups[name] for name in some],
            keys=None if keys is None else [keys[name] for name in some],
        )
        losses, hits = _target_losses(spec, model, target_hidden, sigma=loss.soft_target_sigma)
        for name, one, nll, correct in zip(some, target_hidden, losses, hits, strict=True):
            total = one.weights.sum() if group_targets is None else group_targets[name]
            group_loss[name] = nll.sum() / jnp.maximum(total, 1)
            sums = sums + _by_task(spec, inputs[name], (nll, one.weights, correct))
    total = jnp.asarray(sum(spec.loss_weights[name] * group_loss[name] for name in names))
    parts: dict[str, Any] = {"group_loss": group_loss, "targets": sums[1].sum()}
    by_task = ("task_loss_sum", "task_targets", "task_correct", "task_rows", "task_tokens")
    return total, parts | dict(zip(by_task, sums, strict=True))


def _augmented(
    spec: StepSpec, batches: Batches, loss: LossConfig, key: Array | None
) -> tuple[dict[str, Mapping[str, Any]], dict[str, Array] | None]:
    """The rows as the network sees them in training, and a key of each group for its own randomness."""
    if key is None:
        return dict(batches), None
    inputs, keys, draws = dict(batches), {}, jax.random.split(key, 2 * len(spec.groups))
    for index, name in enumerate(spec.groups):
        keys[name], jitter = draws[2 * index : 2 * index + 2]
        inputs[name] = jitter_observations(
            inputs[name], bins=loss.observation_jitter, vocabulary=spec.vocabulary, key=jitter
        )
    return inputs, keys


def _by_task(spec: StepSpec, rows: Mapping[str, Any], sums: Sequence[Array]) -> Float[Array, "5 tasks"]:
    """Sums over the places of each row, its row and its tokens, added up by task."""
    count = rows["task_id"].shape[0]
    per_row = [x.reshape(count, -1).sum(-1) for x in sums]
    one_hot = rows["task_id"][:, None] == jnp.arange(spec.tasks)[None]
    filled = (rows["token_type"] != TokenType.PADDING).astype(jnp.float32).sum(-1)
    each = jnp.stack([*per_row, jnp.ones_like(filled), filled])[..., None]
    # Not a product of matrices, which would spread a row that is not finite over all tasks.
    return jnp.where(one_hot[None], each, 0).sum(1)


def _target_losses(
    spec: StepSpec, model: Gato, target_hidden: Sequence[TargetHidden], *, sigma: float
) -> tuple[list[Float[Array, "places"]], list[Float[Array, "places"]]]:
    """Of each group, the negative log likelihood of its targets, and 1 where no other id is likelier; times weight."""
    flat = lambda field: jnp.concatenate([getattr(one, field).reshape(-1) for one in target_hidden])  # noqa: E731
    weights = flat("weights")
    hidden = jnp.concatenate([one.hidden.reshape(-1, spec.model.width) for one in target_hidden])
    nll, correct = _place_losses(spec, model, hidden, flat("targets"), flat("token_type"), weights, sigma=sigma)
    ends = np.cumsum([one.targets.size for one in target_hidden])[:-1]
    return jnp.split(nll * weights, ends), jnp.split(correct * weights, ends)


def _place_losses(
    spec: StepSpec,
    model: Gato,
    hidden: Float[Array, "places width"],
    targets: Array,
    kinds: Array,
    weights: Float[Array, "places"],
    *,
    sigma: float,
) -> tuple[Float[Array, "places"], Float[Array, "places"]]:
    """Negative log likelihood of each place, and 1 where arg-max finds the target.

    Under a budget, 0 at places of weight 0, which cost no logits.
    """
    devices = sharding.batch_devices()
    places = weights.size // devices
    budget = budget_of(spec.step.target_budget, places)
    chosen = None
    if budget < places:
        chosen = compact(weights.reshape(devices, places) > 0, budget=budget)
        take = lambda x: take_rows(x.reshape(devices, places, -1), chosen).reshape(devices * budget, -1)  # noqa: E731
        hidden, targets, kinds = take(hidden), take(targets)[:, 0], take(kinds)[:, 0]
    hidden = sharding.constrain(hidden, "tokens", "embed")
    logits = model.logits(hidden)
    nll = negative_log_likelihood(logits, targets, kinds, vocabulary=spec.vocabulary, sigma=sigma)
    correct = is_correct(logits, targets)
    if chosen is None:
        return nll, correct
    scatter = jax.vmap(lambda index, values: jnp.zeros(places, values.dtype).at[index].set(values, mode="drop"))
    back = lambda values: scatter(chosen, values.reshape(devices, budget)).reshape(-1)  # noqa: E731
    return back(nll), back(correct)
