"""How a step is run: its speed and memory, not what it computes."""

import dataclasses
import enum

from data_pipelines.ranges import Count, ShareAboveNone, check_fields


class Kernel(enum.Enum):
    """Which code computes attention. All give the reference's values, up to the order of summation."""

    AUTO = "auto"
    """The fastest that the mesh's devices and the network's shape allow."""
    REFERENCE = "reference"
    """A few lines of plain JAX over the dense mask."""
    BLOCKS = "blocks"
    """As REFERENCE for blocks of queries, each over the keys up to its end: the masked half is mostly not computed."""
    SPLASH = "splash"
    """Pallas kernel of TPU v4 and later: no scores in memory. Positions other than Transformer-XL."""
    CUDNN = "cudnn"
    """Flash attention of cuDNN, on GPUs, in bfloat16. Positions other than Transformer-XL."""


class Remat(enum.Enum):
    """What of a layer the backward pass finds in memory; all else it computes again."""

    NONE = "none"
    """Everything; under `Gather.LAYER` the gathered weights too."""
    FULL = "full"
    """The layer's input only: one more forward pass of executed FLOPs."""
    NAMES = "names"
    """The output of every matrix. Executed FLOPs stay near the model's."""
    ATTENTION = "attention"
    """Queries, keys, values and the output of attention; the feed-forward is computed again."""


class Gather(enum.Enum):
    """When weights that rest sharded are gathered over the fsdp axis. Gradients are scattered by layer either way."""

    LAYER = "layer"
    """Each layer's before it runs, again in the backward pass: full FSDP (ZeRO-3), least memory."""
    STEP = "step"
    """All at once at the beginning of the step, in the compute dtype: ZeRO-1's traffic, half of LAYER's.

    For chips whose collectives do not overlap with compute (TPU v2, v3), and for accumulation.
    """


class Gradients(enum.Enum):
    """How the gradients of a matrix are summed over the devices that split the rows."""

    SCATTER = "scatter"
    """Each device of the fsdp axis receives the sum of its own part, then the parts are summed over the data axis."""
    REDUCE = "reduce"
    """Every device receives the whole sum and keeps its part. Twice the bytes, but where a slice has three sides (TPU
    v4, v5p) the compiler sends them over all six links of a chip, and those of a scatter over two. Not over slices.
    """


@dataclasses.dataclass(frozen=True)
class Execution:
    """How a step runs the network: changes its speed and memory, not what it computes.

    Args:
      attention: see `Kernel`.
      remat: see `Remat`.
      gather: see `Gather`.
      gradients: see `Gradients`.
      sequence_parallel: between a layer's matrices, tokens are also split over the tensor axis.
      bf16_probabilities: attention's softmax keeps its results in bfloat16 (its sums in float32); for `Kernel.BLOCKS`
        and REFERENCE. Half the memory traffic where no kernel hides it.
      bf16_logits: logits are stored in bfloat16; the loss sums them in float32.
      target_budget: share of a device's places in a microbatch for which logits are computed; 1 = all, the worst case.
        Acts where a row group sets no `targets` of its own.
      patch_budget: share of a device's patch slots in a microbatch that the patch block runs on; 1 = all.
        A batch that needs more than its budgets takes the full-size step, see `training.step.compiled`.
    """

    attention: Kernel = Kernel.AUTO
    remat: Remat = Remat.NONE
    gather: Gather = Gather.LAYER
    gradients: Gradients = Gradients.SCATTER
    sequence_parallel: bool = False
    bf16_probabilities: bool = False
    bf16_logits: bool = False
    target_budget: ShareAboveNone = 1.0
    patch_budget: ShareAboveNone = 1.0

    def __post_init__(self):
        check_fields(self, "step")

    @property
    def budgeted(self) -> bool:
        """Whether a batch can overflow a budget."""
        return self.target_budget < 1 or self.patch_budget < 1


PLAIN = Execution()
"""Nothing special: what agents and tests run."""


@dataclasses.dataclass(frozen=True)
class StepConfig(Execution):
    """How the step runs.

    Args:
      microbatches: parts of a batch whose gradients are added up before the update; memory of one, values of all.

    Examples:
      >>> import gato_jax
      >>> gato_jax.StepConfig(patch_budget=0.5).patch_budget
      0.5
    """

    microbatches: Count = 1
