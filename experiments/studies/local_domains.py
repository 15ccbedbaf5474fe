"""Five local domains, a Sobol design over their shares, eight mixtures held out, three references.

    gato record --out DATA --validation 0.1
    gato sweep local_domains --data DATA --out SWEEP --workers 2
    gato sweep fit SWEEP
    gato sweep propose SWEEP --target mean

One row group, so that the shares are met row by row and all runs share one compiled step.
"""

import pathlib

from data_pipelines.config import DataConfig, StreamConfig
from data_pipelines.mixtures.config import MixtureConfig
from data_pipelines.schema import RowGroup
from data_pipelines.tokenizers.layout import TokenConfig
from data_pipelines.vocabulary import Vocabulary
from experiments.quickstart import TASKS
from gato_jax.config import Experiment, LossConfig, OptimizerConfig, TrainConfig
from gato_jax.model.presets import gato_small
from gato_jax.studies import designs
from gato_jax.studies.designs import Point, normalised
from gato_jax.studies.study import Study

DOMAINS = {
    name: tuple(task for task in TASKS if task.startswith(f"{name}."))
    for name in ("babyai", "dm_control", "metaworld", "text", "vqa")
}

TABLE_1 = {"babyai": 9.5, "dm_control": 4.8, "metaworld": 9.5, "text": 6.7, "vqa": 1.34}
"""Weights of Gato's Table 1 in rows: BabyAI, DM Control Suite, Meta-World, MassiveText, and OKVQA with VQAv2."""

SIZES = {"babyai": 1407187.5, "dm_control": 687400.0, "metaworld": 1144132.0, "text": 173860.0, "vqa": 102125.0}
"""Tokens of the training splits that `gato record --validation 0.1` writes, by
`data_pipelines.reports.token_totals`."""


def study(
    *,
    directory: str | pathlib.Path = "gato-quickstart/data",
    steps: int = 600,
    width: int = 64,
    design: int = 32,
    held_out: int = 8,
    mixtures: str = "",
) -> Study:
    """The study over recorded data in `directory`; "size" is the mixture in proportion to their tokens.

    Args:
      steps, width: of every run's model and training.
      design, held_out: number of mixtures.
      mixtures: files of further references, joined by commas, such as another sweep's proposals.
    """
    names = tuple(DOMAINS)
    base = Experiment(
        name="local_domains",
        data=DataConfig(
            directory=str(directory),
            tokens=TokenConfig(
                vocabulary=Vocabulary(text_size=1024),
                pack_discrete=True,
                text_tokens=8,
                predict_text_observations=False,
            ),
            mixture=MixtureConfig(
                dict.fromkeys(TASKS, 1.0), {"all": RowGroup(TASKS, window_length=64, patches=16)}, rows_per_step=32
            ),
            stream=StreamConfig(
                virtual_shards=1, reseed_every=steps, shuffle_buffer=512, prompt_share=0.0, image_text_pairs=1
            ),
        ),
        model=gato_small(width=width, layers=2, heads=1, hidden=2 * width, patch_channels=4, patch_groups=2),
        loss=LossConfig(soft_target_sigma=6.0),
        optimizer=OptimizerConfig(learning_rate=3e-3, warmup_steps=30, b2=0.98, clip=1.0),
        train=TrainConfig(
            steps=steps, checkpoint_every=200, evaluate_every=steps // 2, evaluate_rows=128, hash_batches=False
        ),
    )
    return Study(
        name="local_domains",
        base=base,
        domains=DOMAINS,
        design=designs.sobol(names, design, seed=0, least=0.1),
        held_out=designs.dirichlet(names, held_out, seed=1, least=0.1),
        references=(
            Point("uniform", designs.uniform(names)),
            Point("table-1", normalised(TABLE_1)),
            Point("size", normalised(SIZES)),
            *(designs.named(name, DOMAINS) for name in mixtures.split(",") if name),
        ),
        seeds=(0, 1),
    )
