"""One training step as a pure function, and the state it maps."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding
from jaxtyping import Array, Float

from data_pipelines.schema import FIELDS, RowGroup
from data_pipelines.vocabulary import Vocabulary
from gato_jax import sharding
from gato_jax.model.config import ModelConfig
from gato_jax.model.gato import INPUTS, PATCH_INPUTS, abstract_model, bind, init_parameters
from gato_jax.training.loss import LossConfig, jitter_observations, negative_log_likelihood
from gato_jax.training.optimizer import OptimizerConfig, make_optimizer, make_schedule

State = dict[str, Any]
"""{"step": int32, "parameters": nested dict, "optimizer": optax state}."""

Batches = Mapping[str, Mapping[str, Any]]
"""{group: rows}; abstract ones where a step is compiled."""

DEVICE_FIELDS = (*INPUTS, "targets", "loss_mask", "task_id")


@dataclasses.dataclass(frozen=True)
class StepSpec:
    """All that the compiled step depends on.

    Args:
      groups: shape of each group's rows.
      rows: global rows per step of each group.
      loss_weights: share of each group in the loss.
      tasks: number of tasks in the mixture.
      dtype: type in which the network computes; parameters, norms, softmaxes and the optimizer stay float32.
    """

    model: ModelConfig
    vocabulary: Vocabulary
    loss: LossConfig
    optimizer: OptimizerConfig
    groups: Mapping[str, RowGroup]
    rows: Mapping[str, int]
    loss_weights: Mapping[str, float]
    tasks: int
    seed: int = 0
    dtype: str = "float32"

    def __post_init__(self):
        if not set(self.groups) == set(self.rows) == set(self.loss_weights):
            raise ValueError(
                f"groups {sorted(self.groups)}, rows {sorted(self.rows)} and loss weights "
                f"{sorted(self.loss_weights)} must name the same row groups"
            )


def group_fields(group: RowGroup) -> tuple[str, ...]:
    """Fields of a batch that travel to the devices: groups without patches send none."""
    return (*DEVICE_FIELDS, *PATCH_INPUTS) if group.patches else DEVICE_FIELDS


def abstract_batches(spec: StepSpec, mesh: Mesh) -> Batches:
    """Shapes, dtypes and shardings of the batches of one step."""
    rows = sharding.batch_sharding(mesh)
    return {
        name: {
            field: jax.ShapeDtypeStruct(
                (spec.rows[name], *group.field_shape(field)), FIELDS[field].dtype, sharding=rows
            )
            for field in group_fields(group)
        }
        for name, group in spec.groups.items()
    }


def abstract_state(spec: StepSpec, mesh: Mesh) -> State:
    """Shapes, dtypes and shardings of the training state; allocates nothing."""
    shardings = sharding.parameter_shardings(abstract_model(spec.model, spec.vocabulary)[1], mesh)
    shapes = jax.eval_shape(lambda: _create(spec))
    whole = sharding.replicated(mesh)
    transformation = make_optimizer(spec.optimizer)
    optimizer = optax.tree.map_params(
        transformation, lambda _, place: place, shapes["optimizer"], shardings, transform_non_params=lambda _: whole
    )
    places = {"step": whole, "parameters": shardings, "optimizer": optimizer}
    return jax.tree.map(
        lambda leaf, place: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place), shapes, places
    )


def make_init(spec: StepSpec, mesh: Mesh) -> Callable[[], State]:
    """A jitted function that makes fresh state, born sharded: no host or device ever holds more than its share."""
    places = jax.tree.map(lambda leaf: leaf.sharding, abstract_state(spec, mesh))
    # It runs once: on a CPU, optimising its many random draws would take longer than the first steps of training.
    quick = {"xla_backend_optimization_level": 0} if mesh.devices.flat[0].platform == "cpu" else None
    return jax.jit(lambda: _create(spec), out_shardings=places, compiler_options=quick)


def init_state(spec: StepSpec, mesh: Mesh) -> State:
    """`make_init`, once."""
    with jax.set_mesh(mesh):
        return make_init(spec, mesh)()


def _create(spec: StepSpec) -> State:
    parameters = init_parameters(spec.model, spec.vocabulary, key=jax.random.key(spec.seed))
    optimizer = make_optimizer(spec.optimizer).init(parameters)
    return {"step": jnp.zeros((), jnp.int32), "parameters": parameters, "optimizer": optimizer}


def compute_losses(
    spec: StepSpec, parameters: Any, batches: Batches, *, key: Array | None, loss: LossConfig
) -> tuple[Float[Array, ""], dict[str, Any]]:
    """Weighted mean over groups of the mean loss of their targets, and its parts.

    Args:
      key: training randomness; None is evaluation.

    Returns:
      The loss in nats, and {"group_loss": {group: []}, "targets": [], "task_loss_sum", "task_targets", "task_rows":
      [tasks]}.
    """
    dtype = jnp.dtype(spec.dtype)
    model = bind(spec.model, spec.vocabulary, jax.tree.map(lambda leaf: leaf.astype(dtype), parameters))
    keys, inputs = None, dict(batches)
    if key is not None:
        keys, draws = {}, jax.random.split(key, 2 * len(spec.groups))
        for index, name in enumerate(spec.groups):
            keys[name], jitter = draws[2 * index : 2 * index + 2]
            inputs[name] = jitter_observations(
                inputs[name], bins=loss.observation_jitter, vocabulary=spec.vocabulary, key=jitter
            )
    # One pass for all groups is faster, but rows of different groups behind each other do not split over devices.
    names = list(spec.groups)
    passes = [names] if sharding.batch_devices() == 1 else [[name] for name in names]
    group_loss, sums = {}, jnp.zeros((3, spec.tasks), jnp.float32)
    for some in passes:
        found = model.joint_target_hidden(
            [inputs[name] for name in some],
            groups=[spec.groups[name] for name in some],
            keys=None if keys is None else [keys[name] for name in some],
        )
        flat = lambda field, found=found: jnp.concatenate([getattr(one, field).reshape(-1) for one in found])  # noqa: E731
        nll = negative_log_likelihood(
            model.logits(jnp.concatenate([one.hidden.reshape(-1, spec.model.width) for one in found])),
            flat("targets"),
            flat("token_type"),
            vocabulary=spec.vocabulary,
            sigma=loss.soft_target_sigma,
        )
        pieces = jnp.split(nll * flat("weights"), np.cumsum([one.targets.size for one in found])[:-1])
        for name, one, piece in zip(some, found, pieces, strict=True):
            group_loss[name] = piece.sum() / jnp.maximum(one.weights.sum(), 1)
            per_row = [x.reshape(spec.rows[name], -1).sum(-1) for x in (piece, one.weights)]
            one_hot = inputs[name]["task_id"][:, None] == jnp.arange(spec.tasks)[None]
            sums = sums + jnp.stack([*per_row, jnp.ones_like(per_row[0])]) @ one_hot.astype(jnp.float32)
    total = jnp.asarray(sum(spec.loss_weights[name] * group_loss[name] for name in names))
    parts: dict[str, Any] = {"group_loss": group_loss, "targets": sums[1].sum()}
    parts |= dict(zip(("task_loss_sum", "task_targets", "task_rows"), sums, strict=True))
    return total, parts


def make_step(spec: StepSpec, mesh: Mesh) -> jax.stages.Wrapped:
    """The jitted step, state donated: (state, batches, steps of the run) -> (next state, metrics).

    The run's length is an argument because a wall-clock budget is turned into steps after compiling.

    Its randomness is `fold_in(key(seed), step)`, so a step is a function of its inputs alone.
    """
    optimizer = make_optimizer(spec.optimizer)
    schedule = make_schedule(spec.optimizer)
    places = jax.tree.map(lambda leaf: leaf.sharding, abstract_state(spec, mesh))
    batch_places = jax.tree.map(lambda leaf: leaf.sharding, abstract_batches(spec, mesh))

    def step(state: State, batches: Batches, steps: Array) -> tuple[State, dict[str, Any]]:
        key = jax.random.fold_in(jax.random.key(spec.seed), state["step"])
        compute = lambda parameters: compute_losses(spec, parameters, batches, key=key, loss=spec.loss)  # noqa: E731
        (loss, parts), gradients = jax.value_and_grad(compute, has_aux=True)(state["parameters"])
        updates, moments = optimizer.update(gradients, state["optimizer"], state["parameters"])
        rate = schedule(state["step"], steps)
        parameters = jax.tree.map(lambda leaf, update: leaf - rate * update, state["parameters"], updates)
        metrics = {
            "loss": loss,
            **parts,
            "gradient_norm": optax.global_norm(gradients),
            "learning_rate": rate,
        }
        return {"step": state["step"] + 1, "parameters": parameters, "optimizer": moments}, metrics

    whole: NamedSharding = sharding.replicated(mesh)
    arguments = (places, batch_places, whole)
    return jax.jit(step, donate_argnums=0, in_shardings=arguments, out_shardings=(places, whole))
