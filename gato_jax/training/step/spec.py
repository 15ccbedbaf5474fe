"""What the compiled step depends on, and how a batch reaches the devices."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
from jax.sharding import Mesh

from data_pipelines.schema import Batch, RowGroup
from data_pipelines.vocabulary import Vocabulary
from gato_jax import sharding
from gato_jax.config import Experiment, LossConfig, ModelConfig, OnNan, OptimizerConfig, StepConfig
from gato_jax.model import kernels
from gato_jax.model.gato import INPUTS, PATCH_INPUTS

Batches = Mapping[str, Mapping[str, Any]]
"""{group: rows}; abstract ones where a step is compiled."""


DEVICE_FIELDS = (*INPUTS, "targets", "loss_mask", "task_id")


MIN_BUDGETED_ROWS = 8
"""Rows per device and microbatch from which budgets below the worst case are allowed: with fewer, one row of text or
pictures overflows them."""


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
    step: StepConfig = dataclasses.field(default_factory=StepConfig)
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
    lengths = [group.window_length for group in spec.groups.values()]
    kernel, why = kernels.choose(spec.step.attention, spec.model, mesh, lengths=lengths, dtype=spec.dtype)
    step = dataclasses.replace(spec.step, attention=kernel)
    return dataclasses.replace(spec, step=step), f"attention: {kernel.value} ({why})"


def step_spec(experiment: Experiment, rows: Mapping[str, int] | None = None) -> StepSpec:
    """What the experiment's compiled step depends on; no data is opened. `rows` = those of the first step if None."""
    mixture = experiment.data.mixture
    rows = mixture.rows(experiment.data.stream.virtual_shards) if rows is None else rows
    return StepSpec(
        model=experiment.model,
        vocabulary=experiment.data.tokens.vocabulary,
        loss=experiment.loss,
        optimizer=experiment.optimizer,
        groups=dict(mixture.groups),
        rows=rows,
        loss_weights=mixture.loss_weights(rows),
        tasks=len(mixture.task_names),
        dtype=experiment.train.dtype,
        step=experiment.step,
        skip_not_finite=experiment.train.on_nan is OnNan.SKIP,
    )


def place_rows(mesh: Mesh, group: RowGroup, batch: Batch, rows: int) -> dict[str, jax.Array]:
    """This host's rows of a batch -> global arrays; `rows` counts the rows of all hosts."""
    rows_sharding = sharding.batch_sharding(mesh)
    # With several processes JAX counts this as an implicit transfer, though nothing could be more explicit.
    with jax.transfer_guard_host_to_device("allow"):
        return {
            name: jax.make_array_from_process_local_data(rows_sharding, batch[name], (rows, *group.field_shape(name)))
            for name in group_fields(group)
        }
