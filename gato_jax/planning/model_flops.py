"""The model's matrix FLOPs, counted by hand from its configuration: what it needs, and what the step should execute.

`needed` is the yardstick of an MFU: forward and twice that backward, attention over the visible half only, nothing
computed again. `executed` is what the compiled step should hold, with all that the chosen policies compute again, full
attention squares and padded table rows; the plan fails where the program disagrees with it.
"""

import dataclasses
import math
from collections.abc import Mapping

from data_pipelines.schema import PATCH_SIDE, PATCH_VALUES, RowGroup
from gato_jax.model.config import ModelConfig, Positions
from gato_jax.training.step import StepSpec


@dataclasses.dataclass
class Work:
    """FLOPs of one part of the network in one step, on one device.

    Args:
      needed: of the model, without anything twice.
      executed: in `dot`s and convolutions of the program.
      kernels: as `executed`, inside hand-written kernels, which the program's text does not count.
    """

    needed: float = 0.0
    executed: float = 0.0
    kernels: float = 0.0

    def add(
        self, forward: float, *, visible: float = 1.0, backward: float = 2.0, again: float = 0.0, real: float = 1.0
    ) -> None:
        """One matrix product.

        Args:
          forward: FLOPs of its forward pass as executed.
          visible: share of it that the model needs.
          backward: products of the same size in the backward pass.
          again: times that the backward pass repeats the forward product.
          real: 0 where every device repeats what the model needs once.
        """
        self.needed += forward * visible * real * (1 + backward)
        self.executed += forward * (1 + backward + again)


@dataclasses.dataclass(frozen=True)
class HandCount:
    """Per device and step, by part of the network."""

    parts: Mapping[str, Work]

    @property
    def needed(self) -> float:
        return sum(part.needed for part in self.parts.values())

    @property
    def executed(self) -> float:
        return sum(part.executed for part in self.parts.values())

    @property
    def kernels(self) -> float:
        return sum(part.kernels for part in self.parts.values())


def hand_count(spec: StepSpec, mesh: Mapping[str, int]) -> HandCount:
    """Counts a step.

    Args:
      spec: the step, with its kernel chosen.
      mesh: devices per axis; "tensor" splits heads, feed-forward and vocabulary, all others split rows.
    """
    tensor = mesh["tensor"]
    splitting = math.prod(size for axis, size in mesh.items() if axis != "tensor")
    parts = {name: Work() for name in ("projections", "attention", "feed-forward", "head", "patches")}
    for name, group in spec.groups.items():
        _count_layers(parts, spec, group, rows=spec.rows[name] / splitting, tensor=tensor)
        targets = spec.rows[name] / splitting * group.segments * group.target_budget
        vocabulary = spec.vocabulary
        parts["head"].add(
            2 * targets * spec.model.width * vocabulary.padded_size / tensor,
            visible=vocabulary.size / vocabulary.padded_size,
        )
        _count_patches(parts["patches"], spec.model, patches=spec.rows[name] / splitting * group.patches)
    return HandCount(parts)


def _count_layers(parts: dict[str, Work], spec: StepSpec, group: RowGroup, *, rows: float, tensor: int) -> None:
    model, length = spec.model, group.segment_length
    inner, gate = model.heads * model.head_size / tensor, model.gate_width / tensor
    segments = rows * group.segments
    chosen = group.target_budget
    for layer in range(model.layers):
        last = layer == model.layers - 1
        queries = segments * (chosen if last else length)
        keys = segments * length
        # Which products the backward pass repeats. The last product of a layer is never needed again.
        again = float(model.remat and not last)
        square = 2 * queries * length * inner
        parts["projections"].add(2 * queries * model.width * inner, again=again)
        for _ in ("key", "value"):
            parts["projections"].add(2 * keys * model.width * inner, again=again)
        parts["projections"].add(2 * queries * model.width * inner, again=again)
        half = (length + 1) / (2 * length)
        for _ in ("scores", "mixing"):
            parts["attention"].add(square, visible=half, again=again)
        if model.positions is Positions.TRANSFORMER_XL:
            parts["attention"].add(square, visible=half, again=again)
            # The table of distances is a constant: its projection has a gradient for the weights only.
            parts["attention"].add(2 * length * model.width * inner, backward=1, again=again, real=0)
        for _ in ("gate", "value"):
            parts["feed-forward"].add(2 * queries * model.width * gate, again=again)
        parts["feed-forward"].add(2 * queries * gate * model.width)


def _count_patches(work: Work, model: ModelConfig, *, patches: float) -> None:
    """The ResNet block of each patch slot, used or not; 3x3 convolutions meet no pixels outside the patch."""
    channels, pixels = model.patch_channels, PATCH_SIDE**2
    near = (3 * PATCH_SIDE - 2) ** 2
    work.add(2 * patches * near * 3 * channels, backward=1)  # pixels have no gradient
    for _ in ("conv_1", "conv_2"):
        work.add(2 * patches * near * channels * channels)
    work.add(2 * patches * pixels * channels * 3)
    work.add(2 * patches * PATCH_VALUES * model.width)
