"""Configuration of Gato for `transformers`; written by `gato export`."""

from typing import Any

from transformers import PreTrainedConfig


class GatoConfig(PreTrainedConfig):
    """Shape of a Gato.

    Args:
      width: size of an embedding.
      layers: number of blocks.
      heads, head_size: attention heads per block, and the size of their keys and values.
      gate_width: width of GEGLU's gate, and of its value.
      norm: "layer" or "rms", before each sub-layer.
      positions: "transformer_xl", "rotary", "learned" or "none".
      max_positions: rows of the learned position table.
      local_positions: rows of the table of places inside an observation.
      patch_channels, patch_groups: of the patch block.
      vocabulary: number of ids.
      gato: everything else that the exporter knows: the experiment, the step, the versions. The model does not read it.
    """

    model_type = "gato"

    def __init__(
        self,
        width: int = 64,
        layers: int = 1,
        heads: int = 1,
        head_size: int = 64,
        gate_width: int = 64,
        norm: str = "layer",
        positions: str = "transformer_xl",
        max_positions: int = 1024,
        local_positions: int = 512,
        patch_channels: int = 64,
        patch_groups: int = 32,
        vocabulary: int = 33025,
        gato: dict[str, Any] | None = None,
        **kwargs: Any,
    ):
        self.width, self.layers, self.heads, self.head_size = width, layers, heads, head_size
        self.gate_width, self.norm, self.positions, self.max_positions = gate_width, norm, positions, max_positions
        self.local_positions, self.vocabulary = local_positions, vocabulary
        self.patch_channels, self.patch_groups = patch_channels, patch_groups
        self.gato = gato or {}
        super().__init__(**kwargs)
