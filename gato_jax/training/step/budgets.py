"""Batches that need more than the step has budgets for."""

from collections.abc import Mapping

import numpy as np
from jax.sharding import Mesh

from gato_jax import sharding
from gato_jax.model.embedding import budget_of
from gato_jax.model.targets import count_targets
from gato_jax.training.step.spec import StepSpec


def overflows(spec: StepSpec, mesh: Mesh, batches: Mapping[str, Mapping[str, np.ndarray]]) -> bool:
    """Whether this host's rows need more than the step's budgets on one of its devices, in one microbatch."""
    step = spec.step
    for name, group in spec.groups.items():
        batch = batches[name]
        rows = spec.rows[name] // (sharding.batch_devices(mesh) * step.microbatches)
        mask, segments = (
            np.asarray(batch[field]).reshape(-1, group.window_length) for field in ("loss_mask", "segment_ids")
        )
        needs = [(step.target_budget, rows * group.length, count_targets(mask, segments))]
        if group.patches:
            needs.append((step.patch_budget, rows * group.patches, batch["patch_slot"] < group.length))
        for share, places, is_needed in needs:
            parts = len(batch["task_id"]) // rows
            if is_needed.reshape(parts, -1).sum(1).max() > budget_of(share, places):
                return True
    return False
