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
