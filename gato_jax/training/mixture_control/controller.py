"""Controllers that change the mixture's weights while a run goes on, from its losses.

A data segment is the stretch between two reseeds of the stream (`data.stream.reseed_every` steps). A controller speaks
once at its end, after the validation of that step where one is due, and before the checkpoint. What it says about
segment n holds from segment n + 2 on, because the data of segment n + 1 is being built already. Its state is a part of
the checkpoint, so a resumed run is the same run.
"""

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from data_pipelines.config import DataConfig
from gato_jax.training.run_directory import RunMismatch

Weights = Sequence[tuple[int, Mapping[str, float]]]
"""(first step, weights of the tasks) of every change, from step 0 on."""

VALIDATION = "validation/"
"""Before the names of tasks whose held-out loss is given to a controller."""


class MixtureController(Protocol):
    """What decides weights. It must be deterministic: all hosts ask their own copy, with the same losses."""

    def update(self, segment: int, losses: Mapping[str, float]) -> Mapping[str, float] | None:
        """Weights from segment n + 2 on, or None to leave them.

        Args:
          segment: n, the data segment that has ended, from 0.
          losses: {task: mean loss of its targets in this segment, in nats}, and {"validation/<task>": held-out loss}
            of the latest validation within the segment, if there was one. Tasks without targets are absent.

        Returns:
          A weight >= 0 for every task of the mixture, on any scale; every row group keeps a positive one.
        """

    def state(self) -> dict[str, Any]:
        """What `restore` needs to go on as if nothing had happened; JSON."""

    def restore(self, state: dict[str, Any]) -> None:
        """Goes back to a saved state."""


class SettableStream(Protocol):
    """What a controller needs of `data_pipelines.stream.stream.Stream`."""

    def set_weights(self, weights: Mapping[str, float]) -> int: ...


class ControllerHook:
    """Sums losses over a data segment and asks the controller at its end; does nothing without a controller.

    Args:
      controller: None = weights stay as the mixture declares them.
      tasks: names in the order of the step's sums.
      reseed_every: steps of a data segment, `data.stream.reseed_every`.
    """

    def __init__(self, controller: MixtureController | None, tasks: Sequence[str], reseed_every: int):
        self._controller, self._tasks, self._every = controller, tuple(tasks), reseed_every
        self._segment = 0
        self._sums = [0.0] * len(self._tasks)
        self._targets = [0.0] * len(self._tasks)
        self._held_out: dict[str, float] = {}

    def add(self, metrics: Mapping[str, Any]) -> None:
        """One step's metrics, as NumPy."""
        self._sums = [a + float(b) for a, b in zip(self._sums, metrics["task_loss_sum"], strict=True)]
        self._targets = [a + float(b) for a, b in zip(self._targets, metrics["task_targets"], strict=True)]

    def add_validation(self, by_task: Mapping[str, Mapping[str, float]]) -> None:
        """{task: {"loss", ...}} of a validation."""
        self._held_out = {VALIDATION + task: values["loss"] for task, values in by_task.items()}

    def due(self, step: int) -> bool:
        """Whether the segment that ends before `step` still has to be told to the controller."""
        return self._controller is not None and step == (self._segment + 1) * self._every

    def update(self, stream: SettableStream) -> dict[str, Any] | None:
        """Asks the controller, sets the weights it wants, and begins the next segment.

        Returns:
          For metrics.jsonl: {"policy_weights": {task: share of the rows}, "policy_weights_from": the first step that
          they hold for}; None where the weights stay.
        """
        assert self._controller is not None
        sums = zip(self._tasks, self._sums, self._targets, strict=True)
        losses = {task: loss / count for task, loss, count in sums if count} | self._held_out
        weights = self._controller.update(self._segment, losses)
        record = None
        if weights is not None:
            first, total = stream.set_weights(weights), sum(weights.values())
            record = {
                "policy_weights": {task: weight / total for task, weight in weights.items()},
                "policy_weights_from": first * self._every,
            }
        self._segment += 1
        self._sums = [0.0] * len(self._tasks)
        self._targets = [0.0] * len(self._tasks)
        self._held_out = {}
        return record

    def state(self) -> dict[str, Any] | None:
        """JSON for the checkpoint; None without a controller.

        A copy: checkpoints are written in the background, while the controller goes on.
        """
        if self._controller is None:
            return None
        state = {
            "segment": self._segment,
            "sums": self._sums,
            "targets": self._targets,
            "held_out": self._held_out,
            "policy": self._controller.state(),
        }
        return copy.deepcopy(state)

    def restore(self, saved: Mapping[str, Any] | None) -> None:
        """Raises `RunMismatch` where a run with a controller would go on without one, or the other way round."""
        if (saved is None) != (self._controller is None):
            before, now = ("without", "with") if saved is None else ("with", "without")
            raise RunMismatch(
                f"this run was trained {before} a mixture controller and would go on {now} one: "
                "give train.mixture_controller, or train(..., mixture_controller=), as before, or choose another "
                "directory"
            )
        if saved is not None and self._controller is not None:
            self._segment = saved["segment"]
            self._sums, self._targets = list(saved["sums"]), list(saved["targets"])
            self._held_out = dict(saved["held_out"])
            self._controller.restore(saved["policy"])


def weights_in_force(data: DataConfig, records: Iterable[Mapping[str, Any]] = ()) -> Weights:
    """Weights by step: the mixture's, its schedule's, and what a controller set, from the records of metrics.jsonl."""
    changes = [(0, data.mixture.weights), *((phase.step, phase.weights) for phase in data.mixture.schedule)]
    said = [(r["policy_weights_from"], r["policy_weights"]) for r in records if "policy_weights_from" in r]
    return [*changes, *said]
