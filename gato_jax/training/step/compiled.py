"""The compiled step, one for each number of rows that the mixture's schedule leads to."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh

from data_pipelines.schema import Batch
from data_pipelines.words import counted
from gato_jax import sharding
from gato_jax.config import Experiment
from gato_jax.model.gato import count_parameters
from gato_jax.training.step.budgets import overflows
from gato_jax.training.step.spec import StepSpec, full_size, place_rows, resolved, step_spec
from gato_jax.training.step.state import Course, State, abstract_batches, abstract_course, abstract_state
from gato_jax.training.step.step import make_step


class CompiledStep:
    """(state, this host's batches, course of the run) -> (next state, metrics).

    What the schedule needs is compiled at construction, before any batch exists; rows that a mixture controller asks
    for later are compiled when they come. Where the step has budgets, the full-size step is compiled beside it and runs
    for the batches that need more; "budget_overflow" is 1 in their metrics.

    Args:
      experiment: what is trained.
      mesh: all devices.
      say: called with a line about each compilation, and the memory that the step takes.

    Raises:
      ValueError: rows that do not divide over the devices.
    """

    def __init__(self, experiment: Experiment, mesh: Mesh, say: Callable[[str], None]):
        self._experiment, self._mesh, self._say = experiment, mesh, say
        self._compiled: dict[tuple[int, ...], jax.stages.Compiled] = {}
        for rows in experiment.data.mixture.scheduled_rows(experiment.data.stream.virtual_shards):
            self._get(rows)
            if experiment.step.budgeted:
                self._get(rows, full=True)

    def __call__(self, state: State, batches: Mapping[str, Batch], course: Course) -> tuple[State, dict[str, Any]]:
        groups = self._experiment.data.mixture.groups
        rows = {name: len(batches[name]["task_id"]) * jax.process_count() for name in groups}
        spec = step_spec(self._experiment, rows)
        full = self._overflows(spec, batches)
        placed = {name: place_rows(self._mesh, group, batches[name], rows[name]) for name, group in groups.items()}
        state, metrics = self._get(rows, full=full)(state, placed, course)
        if spec.step.budgeted:
            metrics = {**metrics, "budget_overflow": np.int32(full)}
        return state, metrics

    def _overflows(self, spec: StepSpec, batches: Mapping[str, Batch]) -> bool:
        """Whether this batch needs the full-size step. All hosts decide alike: one that overflows is enough."""
        if not spec.step.budgeted:
            return False
        mine = overflows(spec, self._mesh, batches)
        if jax.process_count() == 1:
            return mine
        with jax.transfer_guard("allow"):
            return bool(multihost_utils.process_allgather(np.asarray(mine)).any())

    def _get(self, rows: Mapping[str, int], *, full: bool = False) -> jax.stages.Compiled:
        key = (*rows.values(), full)
        if key not in self._compiled:
            sharding.check_rows(rows, self._mesh)
            spec = step_spec(self._experiment, rows)
            self._compiled[key] = self._compile(full_size(spec) if full else spec)
        return self._compiled[key]

    def _compile(self, spec: StepSpec) -> jax.stages.Compiled:
        start, mesh = time.monotonic(), self._mesh
        arguments = abstract_state(spec, mesh), abstract_batches(spec, mesh), abstract_course(mesh)
        lowered = make_step(spec, mesh).lower(*arguments)
        compiled = lowered.compile()
        if not self._compiled:
            self._say(resolved(spec, mesh)[1])
        text = f"{count_parameters(spec.model, spec.vocabulary):,} parameters on {counted(mesh.size, 'device')}"
        if self._compiled:
            text = f"rows {dict(spec.rows)}"
        text += f"; step compiled in {time.monotonic() - start:.1f} s"
        memory = compiled.memory_analysis()
        if memory is not None:
            parts = {name: getattr(memory, f"{name}_size_in_bytes") / 2**20 for name in ("argument", "temp", "output")}
            text += "; MiB per device: " + ", ".join(f"{name} {size:,.0f}" for name, size in parts.items())
        self._say(text)
        return compiled
