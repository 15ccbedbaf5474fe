"""Options of the network. The defaults are the paper's, or design.md's where the paper is silent."""

import dataclasses
import enum

from data_pipelines.ranges import Count, Natural, NotNegative, ShareBelowAll, check_fields


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
      max_length: rows of the learned position table; the longest window under `Positions.LEARNED`.
      local_positions: rows of the table of places inside an observation (Gato, appendix C.3).
      patch_channels: channels of the per-patch ResNet block.
      patch_groups: groups of its group normalisation.
      stochastic_depth: probability with which training skips a sub-layer of a row.
      dropout: share of each sub-layer's output that training sets to zero. The paper's fine-tuning uses 0.1.
      embedding_scale: standard deviation at initialisation of all embedding tables.
      bin_waves: waves of smooth features that bins of continuous values share in training (`model.bins`); 0 = none, the
        paper's. Trained weights are read with the features folded into the table, and with 0 here.
      scan_layers: one compiled block looped over stacked weights (fast to compile) instead of unrolled (fast to run).
      remat: as `Execution.remat` FULL where that is NONE.

    Examples:
      >>> import gato_jax
      >>> gato_jax.ModelConfig(width=768, layers=8, heads=24, head_size=32, hidden=3072).positions.value
      'transformer_xl'
    """

    width: Count
    layers: Count
    heads: Count
    head_size: Count
    hidden: Count
    feed_forward: FeedForward = FeedForward.GEGLU_SPLIT
    norm: Norm = Norm.LAYER
    positions: Positions = Positions.TRANSFORMER_XL
    max_length: Count = 1024
    local_positions: Count = 512
    patch_channels: Count = 64
    patch_groups: Count = 32
    stochastic_depth: ShareBelowAll = 0.1
    dropout: ShareBelowAll = 0.0
    embedding_scale: NotNegative = 0.02
    # Not in the repr: evaluations are known by it, and what acts never has any.
    bin_waves: Natural = dataclasses.field(default=0, repr=False)
    scan_layers: bool = False
    remat: bool = False

    def __post_init__(self):
        check_fields(self, "model")
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

    @property
    def gate_width(self) -> int:
        """Width of GEGLU's gate, and of its value."""
        return self.hidden // 2 if self.feed_forward is FeedForward.GEGLU_SPLIT else self.hidden
