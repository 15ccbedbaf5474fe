"""Options of the network. The defaults are the paper's, or design.md's where the paper is silent."""

import dataclasses
import enum


class Positions(enum.Enum):
    """How attention knows the order of a sequence. The paper's parameter counts point to Transformer-XL."""

    TRANSFORMER_XL = "transformer_xl"
    ROTARY = "rotary"
    LEARNED = "learned"
    NONE = "none"


class FeedForward(enum.Enum):
    """How `hidden` is read. The paper's parameter counts point to GEGLU_SPLIT."""

    GEGLU_SPLIT = "geglu_split"
    """`hidden` is the width before the split: gate and value are `hidden // 2` wide each."""
    GEGLU = "geglu"
    """Gate and value are both `hidden` wide."""


class Norm(enum.Enum):
    """Normalisation before each sub-layer; a scale, no bias."""

    LAYER = "layer"
    RMS = "rms"


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
        A batch that needs more than its budgets takes the full-size step, see `training.compiled`.
    """

    attention: Kernel = Kernel.AUTO
    remat: Remat = Remat.NONE
    gather: Gather = Gather.LAYER
    gradients: Gradients = Gradients.SCATTER
    sequence_parallel: bool = False
    bf16_probabilities: bool = False
    bf16_logits: bool = False
    target_budget: float = 1.0
    patch_budget: float = 1.0

    def __post_init__(self):
        for name in ("target_budget", "patch_budget"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"step.{name} must be in (0, 1], found {getattr(self, name)}")

    @property
    def budgeted(self) -> bool:
        """Whether a batch can overflow a budget."""
        return self.target_budget < 1 or self.patch_budget < 1


PLAIN = Execution()
"""Nothing special: what agents and tests run."""


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """Shape of one Gato.

    Args:
      width: size d of an embedding.
      layers: number of blocks.
      heads: attention heads per block.
      head_size: size of a head's keys and values.
      hidden: feed-forward width, read as `feed_forward` says.
      feed_forward: which GEGLU.
      norm: pre-norm kind.
      positions: position scheme of the sequence.
      max_length: rows of the learned position table; the longest segment under `Positions.LEARNED`.
      local_positions: rows of the table of places inside an observation (Gato, appendix C.3).
      patch_channels: channels of the per-patch ResNet block.
      patch_groups: groups of its group normalisation.
      stochastic_depth: probability with which training skips a sub-layer of a row.
      dropout: share of each sub-layer's output that training sets to zero. The paper's fine-tuning uses 0.1.
      embedding_scale: standard deviation at initialisation of all embedding tables.
      scan_layers: one compiled block looped over stacked weights (fast to compile) instead of unrolled (fast to run).
      remat: as `Execution.remat` FULL where that is NONE.
    """

    width: int
    layers: int
    heads: int
    head_size: int
    hidden: int
    feed_forward: FeedForward = FeedForward.GEGLU_SPLIT
    norm: Norm = Norm.LAYER
    positions: Positions = Positions.TRANSFORMER_XL
    max_length: int = 1024
    local_positions: int = 512
    patch_channels: int = 64
    patch_groups: int = 32
    stochastic_depth: float = 0.1
    dropout: float = 0.0
    embedding_scale: float = 0.02
    scan_layers: bool = False
    remat: bool = False

    def __post_init__(self):
        names = ("width", "layers", "heads", "head_size", "hidden", "max_length", "local_positions")
        for name in (*names, "patch_channels", "patch_groups"):
            if getattr(self, name) < 1:
                raise ValueError(f"model.{name} must be positive, found {getattr(self, name)}")
        if self.hidden % 2 and self.feed_forward is FeedForward.GEGLU_SPLIT:
            raise ValueError(f"model.hidden is split in two under GEGLU_SPLIT and must be even, found {self.hidden}")
        if self.patch_channels % self.patch_groups:
            raise ValueError(
                f"model.patch_channels {self.patch_channels} is not divisible by model.patch_groups {self.patch_groups}"
            )
        if self.width % 2 and self.positions is Positions.TRANSFORMER_XL:
            raise ValueError(f"model.width must be even under TRANSFORMER_XL positions, found {self.width}")
        if self.head_size % 2 and self.positions is Positions.ROTARY:
            raise ValueError(f"model.head_size must be even under ROTARY positions, found {self.head_size}")
        for name in ("stochastic_depth", "dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"model.{name} must be in [0, 1), found {getattr(self, name)}")

    @property
    def gate_width(self) -> int:
        """Width of GEGLU's gate, and of its value."""
        return self.hidden // 2 if self.feed_forward is FeedForward.GEGLU_SPLIT else self.hidden
