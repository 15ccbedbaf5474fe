"""The three sizes of Gato (appendix C.1, table 5), and a small one that learns on two CPU cores."""

from gato_jax.model.config import FeedForward, ModelConfig, Positions


def gato_79m(**changes) -> ModelConfig:
    """79M parameters: 8 blocks of width 768."""
    return ModelConfig(**{"width": 768, "layers": 8, "heads": 24, "head_size": 32, "hidden": 3072, **changes})


def gato_364m(**changes) -> ModelConfig:
    """364M parameters: 12 blocks of width 1536."""
    return ModelConfig(**{"width": 1536, "layers": 12, "heads": 12, "head_size": 128, "hidden": 6144, **changes})


def gato_1b(**changes) -> ModelConfig:
    """1.18B parameters: 24 blocks of width 2048. The paper's body prints a hidden width of 8196, read as 8192."""
    return ModelConfig(**{"width": 2048, "layers": 24, "heads": 16, "head_size": 128, "hidden": 8192, **changes})


def gato_small(**changes) -> ModelConfig:
    """Half a million parameters in the body: the quickstart's, sized for two CPU cores.

    Heads of 64, because smaller ones run q k^T at a third of the speed on a CPU.
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
