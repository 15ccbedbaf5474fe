"""The three sizes of Gato (appendix C.1, table 5), three beyond, and a small one that learns on two CPU cores."""

from typing import Any

from gato_jax.config import FeedForward, ModelConfig, Positions


def gato_79m(**changes) -> ModelConfig:
    """79M parameters: 8 blocks of width 768."""
    return ModelConfig(**{"width": 768, "layers": 8, "heads": 24, "head_size": 32, "hidden": 3072, **changes})


def gato_364m(**changes) -> ModelConfig:
    """364M parameters: 12 blocks of width 1536."""
    return ModelConfig(**{"width": 1536, "layers": 12, "heads": 12, "head_size": 128, "hidden": 6144, **changes})


def gato_1b(**changes) -> ModelConfig:
    """1.18B parameters: 24 blocks of width 2048. The paper's body prints a hidden width of 8196, read as 8192."""
    return ModelConfig(**{"width": 2048, "layers": 24, "heads": 16, "head_size": 128, "hidden": 8192, **changes})


def _beyond(*, width: int, layers: int, hidden: int, **changes: Any) -> ModelConfig:
    """Rotary positions, gate and value as wide as `hidden`, heads of 128: what fused kernels run."""
    base = {"heads": width // 128, "head_size": 128, "feed_forward": FeedForward.GEGLU, "positions": Positions.ROTARY}
    return ModelConfig(**{"width": width, "layers": layers, "hidden": hidden, "scan_layers": True, **base, **changes})


def gato_7b(**changes) -> ModelConfig:
    """6.6B parameters: 32 blocks of width 4096. Not the paper's."""
    return _beyond(width=4096, layers=32, hidden=11008, **changes)


def gato_30b(**changes) -> ModelConfig:
    """31.3B parameters: 48 blocks of width 7168. Not the paper's."""
    return _beyond(width=7168, layers=48, hidden=20480, **changes)


def gato_70b(**changes) -> ModelConfig:
    """78.1B parameters: 80 blocks of width 8192. Not the paper's."""
    return _beyond(width=8192, layers=80, hidden=28672, **changes)


def gato_small(**changes) -> ModelConfig:
    """Half a million parameters in the body: the quickstart's, sized for two CPU cores.

    Heads of 64, because smaller ones run q k^T at a third of the speed on a CPU.

    Examples:
      >>> import gato_jax
      >>> gato_jax.gato_small(layers=2).width
      128
    """
    small = {
        "width": 128,
        "layers": 3,
        "heads": 2,
        "head_size": 64,
        "hidden": 256,
        "feed_forward": FeedForward.GEGLU,
        "positions": Positions.LEARNED,
        "max_length": 256,
        "patch_channels": 16,
        "patch_groups": 4,
        "stochastic_depth": 0.0,
    }
    return ModelConfig(**{**small, **changes})
