"""One training step as a pure function, and the state it maps."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh, NamedSharding
from jaxtyping import Array

from gato_jax import sharding
from gato_jax.config import Gather
from gato_jax.model.gato import gather
from gato_jax.training.step.compiler_options import COMPILER_OPTIONS
from gato_jax.training.step.losses import compute_losses, target_weights
from gato_jax.training.step.optimizer import make_optimizer, make_schedule
from gato_jax.training.step.spec import Batches, StepSpec, resolved
from gato_jax.training.step.state import Course, State, abstract_batches, abstract_state


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
        norm = optax.tree.norm(gradients)
        finite = jnp.isfinite(loss) & jnp.isfinite(norm)
        if spec.skip_not_finite:
            previous = {"parameters": state["parameters"], "optimizer": state["optimizer"]}
            fresh = {"parameters": parameters, "optimizer": moments}
            fresh = jax.tree.map(lambda new, old: jnp.where(finite, new, old), fresh, previous)
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
