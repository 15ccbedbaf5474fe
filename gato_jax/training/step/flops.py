"""The model's matrix FLOPs, counted by hand from its configuration: what it needs, and what the step should execute.

`needed` is the yardstick of an MFU: forward and twice that backward, attention over the visible half only, nothing
computed again. `executed` is what the compiled step should hold, with all that the chosen policies compute again, full
attention squares and padded table rows; the plan fails where the program disagrees with it.
"""

import dataclasses
import math
from collections.abc import Mapping

from data_pipelines.schema import PATCH_SIDE, PATCH_VALUES, RowGroup
from gato_jax.config import Gather, Kernel, ModelConfig, Remat
from gato_jax.model.attention import block_ends
from gato_jax.model.embedding import budget_of
from gato_jax.model.kernels import one_backward_kernel, splash_block
from gato_jax.model.positions import scheme_of
from gato_jax.model.transformer import SAVED
from gato_jax.training.step.spec import StepSpec


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


def hand_count(spec: StepSpec, mesh: Mapping[str, int], *, platform: str = "cpu") -> HandCount:
    """Counts a step.

    Args:
      spec: the step, with its attention kernel chosen (`spec.resolved`).
      mesh: devices per axis; "tensor" splits heads, feed-forward and vocabulary, all others split rows.
      platform: on "tpu", rotary positions swap the halves of each head by a matrix.
    """
    tensor, step = mesh["tensor"], spec.step
    splitting = math.prod(size for axis, size in mesh.items() if axis != "tensor")
    parts = {name: Work() for name in ("projections", "attention", "feed-forward", "head", "patches")}
    for name, group in spec.groups.items():
        rows = spec.rows[name] / (splitting * step.microbatches)  # of one device in one microbatch
        for _ in range(step.microbatches):
            _count_layers(parts, spec, group, rows=rows, mesh=mesh, on_tpu=platform == "tpu")
            targets = budget_of(step.target_budget, int(rows * group.windows * group.target_budget))
            _count_head(parts["head"], spec, targets=targets, tensor=tensor)
            patches = budget_of(step.patch_budget, int(rows * group.patches))
            _count_patches(parts["patches"], spec.model, patches=patches)
    return HandCount(parts)


def _count_layers(
    parts: dict[str, Work], spec: StepSpec, group: RowGroup, *, rows: float, mesh: Mapping[str, int], on_tpu: bool
) -> None:
    model, length, windows = spec.model, group.window_length, rows * group.windows
    tensor = mesh["tensor"]
    # With weights gathered before, the compiler for TPUs deals the backward work of a product that is the same for all
    # devices to those of the fsdp axis.
    dealt = mesh["fsdp"] if on_tpu and spec.step.gather is Gather.STEP else 1
    inner, gate = model.heads * model.head_size / tensor, model.gate_width / tensor
    remat = Remat.FULL if model.remat and spec.step.remat is Remat.NONE else spec.step.remat
    saved = {"qkv", "attn", "wo", "mlp"} if remat is Remat.NONE else set(SAVED[remat])
    again = {name: float(name not in saved) for name in ("qkv", "attn", "wo", "mlp")}
    scheme, repeats = scheme_of(model), float(remat is not Remat.NONE)
    for layer in range(model.layers):
        chosen = group.target_budget if layer == model.layers - 1 else length
        queries, keys = windows * chosen, windows * length
        project = 2 * model.width * inner
        parts["projections"].add(queries * project, again=again["qkv"] if scheme.keeps_query else repeats)
        for _ in ("key", "value"):
            parts["projections"].add(keys * project, again=again["qkv"])
        _count_attention(parts["attention"], spec, queries=queries, length=length, inner=inner, again=again["attn"])
        for product in scheme.products(queries=queries, keys=keys, length=length, inner=inner, on_tpu=on_tpu):
            over = dealt if product.shared else 1
            parts["attention"].add(
                product.forward,
                visible=_visible_share(length) if product.causal else 1.0,
                backward=product.backward / over,
                again=(again[product.kept] if product.kept else repeats) / over,
                real=float(product.needed),
            )
        parts["projections"].add(queries * project, again=again["wo"])
        for _ in ("gate", "value"):
            parts["feed-forward"].add(2 * queries * model.width * gate, again=again["mlp"])
        # The backward pass never needs the last product of a layer again.
        parts["feed-forward"].add(2 * queries * gate * model.width)


def _count_attention(work: Work, spec: StepSpec, *, queries: float, length: int, inner: float, again: float) -> None:
    """Scores and mixing of one layer. `again`: whether the output of attention is computed twice."""
    square, half = 2 * queries * length * inner, _visible_share(length)
    kernel, repeats = spec.step.attention, spec.step.remat is not Remat.NONE or spec.model.remat
    if queries % length == 0 and kernel is Kernel.SPLASH:
        # Blocks that the mask hides are skipped. Forward: scores and mixing. Backward: the scores, the gradient of the
        # weights, then those of values, keys and queries; in two kernels, the first two in both.
        block = splash_block(length)
        share = (length // block + 1) / (2 * length // block)
        work.kernels += square * share * (2 + (5 if one_backward_kernel(length) else 7) + 2 * again)
        work.needed += 2 * 3 * square * half
        return
    share = 1.0
    if queries % length == 0 and kernel is Kernel.BLOCKS:
        share = sum((end - start) * end for start, end in block_ends(length)) / length**2
        # Flash attention's backward pass keeps no scores, whatever the policy.
        repeats = repeats or not scheme_of(spec.model).adds_scores
    # The backward pass needs the softmax's weights, so it computes the scores again under any policy.
    work.add(square * share, visible=half / share, again=float(repeats))
    work.add(square * share, visible=half / share, again=again)


def _visible_share(length: int) -> float:
    """Of all pairs of query and key, those in causal order."""
    return (length + 1) / (2 * length)


def _count_head(work: Work, spec: StepSpec, *, targets: float, tensor: int) -> None:
    size, padded = spec.vocabulary.size, spec.vocabulary.padded_size
    work.add(2 * targets * spec.model.width * padded / tensor, visible=size / padded)


def _count_patches(work: Work, model: ModelConfig, *, patches: float) -> None:
    """The ResNet block of each patch slot, used or not; 3x3 convolutions meet no pixels outside the patch."""
    channels, pixels = model.patch_channels, PATCH_SIDE**2
    near = (3 * PATCH_SIDE - 2) ** 2
    work.add(2 * patches * near * 3 * channels, backward=1)  # pixels have no gradient
    for _ in ("conv_1", "conv_2"):
        work.add(2 * patches * near * channels * channels)
    work.add(2 * patches * pixels * channels * 3)
    work.add(2 * patches * PATCH_VALUES * model.width)
