"""One training step as a pure function, and the state it maps."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding
from jaxtyping import Array, Float, Int, UInt

from data_pipelines.schema import FIELDS, RowGroup
from data_pipelines.vocabulary import TokenType, Vocabulary
from gato_jax import sharding
from gato_jax.config.model import Execution, Gather, ModelConfig
from gato_jax.model import kernels
from gato_jax.model.embedding import budget_of, compact, take_rows
from gato_jax.model.gato import INPUTS, PATCH_INPUTS, Gato, abstract_model, bind, gather, init_parameters, target_places
from gato_jax.training.step.compiler_options import COMPILER_OPTIONS
from gato_jax.training.step.loss import LossConfig, is_correct, jitter_observations, negative_log_likelihood
from gato_jax.training.step.optimizer import OptimizerConfig, make_optimizer, make_schedule

State = dict[str, Any]
"""{"step": int32, "parameters": nested dict, "optimizer": optax state}."""

Batches = Mapping[str, Mapping[str, Any]]
"""{group: rows}; abstract ones where a step is compiled."""


class Course(NamedTuple):
    """What a step knows of its run. An argument, so that runs of one shape share one compiled step.

    Attributes:
      steps: length of the run; a wall-clock budget becomes steps after compiling.
      seed: of the step's randomness.
    """

    steps: Int[Array, ""]
    seed: UInt[Array, ""]


DEVICE_FIELDS = (*INPUTS, "targets", "loss_mask", "task_id")


MIN_BUDGETED_ROWS = 8
"""Rows per device and microbatch from which budgets below the worst case are allowed: with fewer, one row of text or
pictures overflows them."""


@dataclasses.dataclass(frozen=True)
class StepConfig(Execution):
    """How the step runs.

    Args:
      microbatches: parts of a batch whose gradients are added up before the update; memory of one, values of all.
    """

    microbatches: int = 1

    def __post_init__(self):
        super().__post_init__()
        if self.microbatches < 1:
            raise ValueError(f"step.microbatches must be positive, found {self.microbatches}")


@dataclasses.dataclass(frozen=True)
class StepSpec:
    """All that the compiled step depends on.

    Args:
      groups: shape of each group's rows.
      rows: global rows per step of each group.
      loss_weights: share of each group in the loss.
      tasks: number of tasks in the mixture.
      dtype: type in which the network computes; parameters, norms, softmaxes and the optimizer stay float32.
      step: how the step runs.
      skip_not_finite: a batch whose loss or gradients are not finite leaves parameters and optimizer as they are.
    """

    model: ModelConfig
    vocabulary: Vocabulary
    loss: LossConfig
    optimizer: OptimizerConfig
    groups: Mapping[str, RowGroup]
    rows: Mapping[str, int]
    loss_weights: Mapping[str, float]
    tasks: int
    dtype: str = "float32"
    step: StepConfig = StepConfig()
    skip_not_finite: bool = False

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
    shapes = jax.eval_shape(lambda: _create(spec, jax.random.key(0)))
    whole = sharding.replicated(mesh)
    # A moment lies where its parameter does: its path ends with the parameter's. (`optax.tree.map_params` would make
    # an array on a device of the mesh in context, which the devices of a topology description cannot hold.)
    by_path = {path: place for path, place in jax.tree_util.tree_flatten_with_path(shardings)[0]}
    optimizer = jax.tree_util.tree_map_with_path(
        lambda path, _: next((by_path[path[i:]] for i in range(len(path)) if path[i:] in by_path), whole),
        shapes["optimizer"],
    )
    places = {"step": whole, "parameters": shardings, "optimizer": optimizer}
    return jax.tree.map(
        lambda leaf, place: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place), shapes, places
    )


def course(mesh: Mesh, *, steps: int, seed: int = 0) -> Course:
    """A `Course` on the devices."""
    whole = sharding.replicated(mesh)
    return Course(jax.device_put(np.int32(steps), whole), jax.device_put(np.uint32(seed), whole))


def abstract_course(mesh: Mesh) -> Any:
    """Shapes, dtypes and shardings of a `Course`."""
    whole = sharding.replicated(mesh)
    abstract: Any = Course
    return abstract(*(jax.ShapeDtypeStruct((), dtype, sharding=whole) for dtype in (np.int32, np.uint32)))


def make_init(spec: StepSpec, mesh: Mesh) -> Callable[[Course], State]:
    """A jitted function that makes fresh state, born sharded: no host or device ever holds more than its share."""
    places = jax.tree.map(lambda leaf: leaf.sharding, abstract_state(spec, mesh))
    # It runs once: on a CPU, optimising its many random draws would take longer than the first steps of training.
    quick = {"xla_backend_optimization_level": 0} if mesh.devices.flat[0].platform == "cpu" else None
    create = lambda course: _create(spec, jax.random.key(course.seed))  # noqa: E731
    return jax.jit(create, out_shardings=places, compiler_options=quick)


def init_state(spec: StepSpec, mesh: Mesh, *, seed: int = 0) -> State:
    """`make_init`, once."""
    with jax.set_mesh(mesh):
        return make_init(spec, mesh)(course(mesh, steps=0, seed=seed))


def _create(spec: StepSpec, key: Array) -> State:
    parameters = init_parameters(spec.model, spec.vocabulary, key=key)
    optimizer = make_optimizer(spec.optimizer).init(parameters)
    return {"step": jnp.zeros((), jnp.int32), "parameters": parameters, "optimizer": optimizer}


def full_size(spec: StepSpec) -> StepSpec:
    """The same step without budgets: what runs where a batch needs more than they hold."""
    return dataclasses.replace(spec, step=dataclasses.replace(spec.step, target_budget=1.0, patch_budget=1.0))


def resolved(spec: StepSpec, mesh: Mesh) -> tuple[StepSpec, str]:
    """The spec with its attention kernel chosen for the mesh's devices, and a line that says so.

    Raises:
      ValueError: a kernel that cannot run there, rows that do not divide, budgets with too few rows per device.
    """
    sharding.check_rows(spec.rows, mesh, microbatches=spec.step.microbatches)
    parts = sharding.batch_devices(mesh) * spec.step.microbatches
    if spec.step.budgeted and min(spec.rows.values()) // parts < MIN_BUDGETED_ROWS:
        raise ValueError(
            f"step.target_budget {spec.step.target_budget} and step.patch_budget {spec.step.patch_budget} below 1 need "
            f"{MIN_BUDGETED_ROWS} rows per device and microbatch, found "
            f"{ {name: rows // parts for name, rows in spec.rows.items()} }"
        )
    lengths = [group.segment_length for group in spec.groups.values()]
    kernel, why = kernels.choose(spec.step.attention, spec.model, mesh, lengths=lengths, dtype=spec.dtype)
    step = dataclasses.replace(spec.step, attention=kernel)
    return dataclasses.replace(spec, step=step), f"attention: {kernel.value} ({why})"


def target_weights(batch: Mapping[str, Any], group: RowGroup) -> Float[Array, "n places"]:
    """Loss mask of what each place of each segment predicts."""
    mask, segments = (batch[name].reshape(-1, group.segment_length) for name in ("loss_mask", "segment_ids"))
    return target_places(mask, segments, budget=group.segment_length)[1]


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
    group_loss, sums = {}, jnp.zeros((5, spec.tasks), jnp.float32)
    for some in passes:
        found = model.joint_target_hidden(
            [inputs[name] for name in some],
            groups=[spec.groups[name] for name in some],
            keys=None if keys is None else [keys[name] for name in some],
        )
        flat = lambda field, found=found: jnp.concatenate([getattr(one, field).reshape(-1) for one in found])  # noqa: E731
        weights = flat("weights")
        hidden = jnp.concatenate([one.hidden.reshape(-1, spec.model.width) for one in found])
        nll, correct = _target_losses(
            spec, model, hidden, flat("targets"), flat("token_type"), weights, sigma=loss.soft_target_sigma
        )
        ends = np.cumsum([one.targets.size for one in found])[:-1]
        pieces, hits = jnp.split(nll * weights, ends), jnp.split(correct * weights, ends)
        for name, one, piece, hit in zip(some, found, pieces, hits, strict=True):
            total = one.weights.sum() if group_targets is None else group_targets[name]
            group_loss[name] = piece.sum() / jnp.maximum(total, 1)
            rows = inputs[name]["task_id"].shape[0]
            per_row = [x.reshape(rows, -1).sum(-1) for x in (piece, one.weights, hit)]
            one_hot = inputs[name]["task_id"][:, None] == jnp.arange(spec.tasks)[None]
            # Not a product of matrices, which would spread a row that is not finite over all tasks.
            filled = (inputs[name]["token_type"] != TokenType.PADDING).astype(jnp.float32).sum(-1)
            each = jnp.stack([*per_row, jnp.ones_like(filled), filled])[..., None]
            sums = sums + jnp.where(one_hot[None], each, 0).sum(1)
    total = jnp.asarray(sum(spec.loss_weights[name] * group_loss[name] for name in names))
    parts: dict[str, Any] = {"group_loss": group_loss, "targets": sums[1].sum()}
    by_task = ("task_loss_sum", "task_targets", "task_correct", "task_rows", "task_tokens")
    parts |= dict(zip(by_task, sums, strict=True))
    return total, parts


def _target_losses(
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


def make_step(spec: StepSpec, mesh: Mesh) -> jax.stages.Wrapped:
    """The jitted step, state donated: (state, batches, course) -> (next state, metrics).

    Its randomness is `fold_in(key(seed), step)`, so a step is a function of its inputs alone.
    """
    spec, _ = resolved(spec, mesh)
    optimizer = make_optimizer(spec.optimizer)
    schedule = make_schedule(spec.optimizer)
    places = jax.tree.map(lambda leaf: leaf.sharding, abstract_state(spec, mesh))
    batch_places = jax.tree.map(lambda leaf: leaf.sharding, abstract_batches(spec, mesh))

    def step(state: State, batches: Batches, course: Course) -> tuple[State, dict[str, Any]]:
        key = jax.random.fold_in(jax.random.key(course.seed), state["step"])
        (loss, parts), gradients = _gradients(spec, state["parameters"], batches, key)
        updates, moments = optimizer.update(gradients, state["optimizer"], state["parameters"])
        rate = schedule(state["step"], course.steps)
        parameters = jax.tree.map(lambda leaf, update: leaf - rate * update, state["parameters"], updates)
        norm = optax.global_norm(gradients)
        finite = jnp.isfinite(loss) & jnp.isfinite(norm)
        if spec.skip_not_finite:
            kept = {"parameters": state["parameters"], "optimizer": state["optimizer"]}
            fresh = {"parameters": parameters, "optimizer": moments}
            fresh = jax.tree.map(lambda new, old: jnp.where(finite, new, old), fresh, kept)
            parameters, moments = fresh["parameters"], fresh["optimizer"]
        metrics = {"loss": loss, **parts, "gradient_norm": norm, "learning_rate": rate, "finite": finite}
        return {"step": state["step"] + 1, "parameters": parameters, "optimizer": moments}, metrics

    whole: NamedSharding = sharding.replicated(mesh)
    arguments = (places, batch_places, whole)
    options = COMPILER_OPTIONS.get(sharding.device_kind(mesh)[1])
    return jax.jit(
        step, donate_argnums=0, in_shardings=arguments, out_shardings=(places, whole), compiler_options=options
    )


def _gradients(spec: StepSpec, parameters: Any, batches: Batches, key: Array) -> tuple[tuple[Array, Any], Any]:
    """((loss, its parts), gradients) of a batch, one microbatch after the other."""
    whole = None
    if spec.step.gather is Gather.STEP:
        dtype = jnp.dtype(spec.dtype)
        whole = gather(spec.model, spec.vocabulary, jax.tree.map(lambda leaf: leaf.astype(dtype), parameters))
    if spec.step.microbatches == 1:
        compute = lambda weights: compute_losses(spec, weights, batches, key=key, loss=spec.loss, whole=whole)  # noqa: E731
        return jax.value_and_grad(compute, has_aux=True)(parameters)
    totals = {name: target_weights(batches[name], group).sum() for name, group in spec.groups.items()}
    parts = jax.tree.map(lambda x: sharding.microbatches(x, spec.step.microbatches), dict(batches))

    def one(index: Array) -> tuple[tuple[Array, Any], Any]:
        compute = lambda weights: compute_losses(  # noqa: E731
            spec,
            weights,
            jax.tree.map(lambda x: x[index], parts),
            key=jax.random.fold_in(key, index),
            loss=spec.loss,
            whole=whole,
            group_targets=totals,
        )
        return jax.value_and_grad(compute, has_aux=True)(parameters)

    add = lambda total, index: (jax.tree.map(jnp.add, total, one(index)), None)  # noqa: E731
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(one, jnp.zeros((), jnp.int32)))
    return jax.lax.scan(add, zeros, jnp.arange(spec.step.microbatches))[0]


def overflows(spec: StepSpec, mesh: Mesh, batches: Mapping[str, Mapping[str, np.ndarray]]) -> bool:
    """Whether this host's rows need more than the step's budgets on one of its devices, in one microbatch."""
    step = spec.step
    for name, group in spec.groups.items():
        batch = batches[name]
        rows = spec.rows[name] // (sharding.batch_devices(mesh) * step.microbatches)
        mask, segments = (
            np.asarray(batch[field]).reshape(-1, group.segment_length) for field in ("loss_mask", "segment_ids")
        )
        targets = (mask[:, 1:] > 0) & (segments[:, 1:] == segments[:, :-1])
        needs = [(step.target_budget, rows * group.length, targets)]
        if group.patches:
            needs.append((step.patch_budget, rows * group.patches, batch["patch_slot"] < group.length))
        for share, places, wanted in needs:
            parts = len(batch["task_id"]) // rows
            if wanted.reshape(parts, -1).sum(1).max() > budget_of(share, places):
                return True
    return False
