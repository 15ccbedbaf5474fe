"""A study over the recorded data of the tests: two domains, six mixtures, 60 steps."""

import dataclasses

from data_pipelines.config import DataConfig, StreamConfig
from data_pipelines.mixtures.config import MixtureConfig
from data_pipelines.schema import RowGroup
from data_pipelines.tokenizers.layout import TokenConfig
from data_pipelines.vocabulary import Vocabulary
from experiments.studies.local_domains import study as local
from gato_jax.model.presets import gato_small
from gato_jax.studies import designs
from gato_jax.studies.study import Study

DOMAINS = {"drawer": ("metaworld.drawer_close",), "text": ("text.python_docs",)}


def study(*, directory):
    tasks = tuple(task for some in DOMAINS.values() for task in some)
    group = RowGroup(tasks, windows=1, window_length=64)
    stream = StreamConfig(virtual_shards=2, reseed_every=20, prompt_share=0.0, threads=1)
    tokens = TokenConfig(Vocabulary(1024), pack_discrete=True, text_tokens=20)
    mixture = MixtureConfig(dict.fromkeys(tasks, 1.0), {"all": group}, 16)
    base = local().base
    model = gato_small(
        width=32, layers=2, heads=2, head_size=8, hidden=32, max_length=64, patch_channels=4, patch_groups=2
    )
    train = dataclasses.replace(
        base.train, steps=60, checkpoint_every=10, log_every=5, evaluate_every=30, evaluate_rows=8
    )
    base = dataclasses.replace(base, data=DataConfig(str(directory), tokens, mixture, stream), model=model, train=train)
    return Study("killed", base, DOMAINS, designs.sobol(tuple(DOMAINS), 6, least=0.1))
