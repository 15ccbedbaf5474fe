"""What is trained while commands are killed: seconds of compute, a checkpoint every few steps."""

from data_pipelines.config import DataConfig, StreamConfig
from data_pipelines.mixtures.config import MixtureConfig
from data_pipelines.schema import RowGroup
from data_pipelines.tokenizers.layout import TokenConfig
from data_pipelines.vocabulary import Vocabulary
from gato_jax.config import EvaluationConfig, Experiment, OnDamaged, TrainConfig
from gato_jax.model.presets import gato_small

GROUPS = {
    "metaworld": RowGroup(("metaworld.drawer_close",), windows=1, window_length=44, targets=4),
    "text": RowGroup(("text.python_docs",), windows=1, window_length=64),
}


def experiment() -> Experiment:
    """What `gato train experiments/chaos/tiny.py` trains."""
    stream = StreamConfig(virtual_shards=4, reseed_every=50, prompt_share=0.0, threads=1)
    mixture = MixtureConfig({task: 1.0 for group in GROUPS.values() for task in group.tasks}, GROUPS, rows_per_step=16)
    tokens = TokenConfig(Vocabulary(1024), text_tokens=20)
    return Experiment(
        name="chaos",
        data=DataConfig("data", tokens, mixture, stream),
        model=gato_small(width=32, layers=2, heads=2, head_size=16, hidden=64, patch_channels=4, patch_groups=2),
        train=TrainConfig(steps=400, log_every=1, checkpoint_every=20, on_damaged=OnDamaged.LAST_GOOD),
        evaluation=EvaluationConfig(episodes=2, processes=1, validation_rows=8, text_samples=1),
    )
