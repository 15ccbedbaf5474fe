"""What the paper's three sizes share: windows of 1,024 tokens, batches of 512, prompts in a quarter of them."""

from data_pipelines.config import DataConfig, StreamConfig
from data_pipelines.mixtures.config import MixtureConfig
from data_pipelines.schema import RowGroup
from data_pipelines.tokenizers.layout import TokenConfig
from gato_jax.config import Experiment, ModelConfig, OptimizerConfig, Remat, StepConfig, TrainConfig

TEXT_MODEL = "package:mistral_common/data/tokenizer.model.v1"
"""A SentencePiece model with exactly the paper's 32,000 pieces (Apache-2.0). The paper's own was never released."""


def paper_experiment(name: str, model: ModelConfig, *, learning_rate: float) -> Experiment:
    """Gato's settings (sections 2 and 3, appendix C) over what the data directory has of Table 1.

    One row group, as in the paper, where the loss is a mean over all targets of a batch. Computed in bfloat16 over
    float32 weights, which the paper does not say; `--train.dtype float32` is the other choice.
    """
    group = RowGroup(tasks=("*",), windows=1, window_length=1024, patches=1024)
    return Experiment(
        name=name,
        data=DataConfig(
            directory="gato-quickstart/data",
            tokens=TokenConfig(text_model=TEXT_MODEL),
            mixture=MixtureConfig({}, {"all": group}, rows_per_step=512, named="gato"),
            stream=StreamConfig(virtual_shards=64),
        ),
        model=model,
        optimizer=OptimizerConfig(learning_rate=learning_rate, warmup_steps=15_000, decay_steps=1_000_000),
        train=TrainConfig(steps=1_000_000, dtype="bfloat16", log_every=100, checkpoint_every=5_000),
        step=StepConfig(remat=Remat.NAMES, bf16_logits=True),
    )
