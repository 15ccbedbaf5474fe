"""JAX settings of the tests of `gato_jax` (CPU, no silent broadcasts between ranks), and a tiny run that they share."""

import fcntl
import importlib.util
import os
import pathlib
import sys
import tempfile

import pytest

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# One cache for all processes that the tests start: the same tiny step is compiled once.
CACHE = pathlib.Path(tempfile.gettempdir()) / f"gato-jax-test-cache-{os.getuid()}"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(CACHE))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "0")

# Tiny networks run in no time anyhow: compile quickly instead of well.
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=0".strip()

import jax  # noqa: E402

from data_pipelines.config import DataConfig, StreamConfig  # noqa: E402
from data_pipelines.mixtures.config import MixtureConfig  # noqa: E402
from data_pipelines.schema import RowGroup  # noqa: E402
from data_pipelines.tokenizers.layout import TokenConfig  # noqa: E402
from data_pipelines.vocabulary import Vocabulary  # noqa: E402
from gato_jax.config import (  # noqa: E402
    AgentConfig,
    Decode,
    EvaluationConfig,
    Experiment,
)

jax.config.update("jax_numpy_rank_promotion", "raise")

RUN_GROUPS = {
    "babyai": RowGroup(("babyai.go_to_obj",), windows=1, window_length=144, targets=42),
    "metaworld": RowGroup(("metaworld.drawer_close",), windows=1, window_length=44, targets=4),
    "text": RowGroup(("text.python_docs",), windows=1, window_length=64),
    "vqa": RowGroup(("vqa.easy_vqa",), windows=1, window_length=48, patches=16, targets=31),
}

HERE = pathlib.Path(__file__).parent


def load(path: pathlib.Path):
    """A file of helpers as the module of its name."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def tiny():
    """The module of the tiny experiment, which is also the script that child processes run."""
    return load(HERE / "training" / "tiny.py")


@pytest.fixture(scope="session")
def steps():
    """The module of the tiny steps."""
    return load(HERE / "planning" / "tiny_steps.py")


@pytest.fixture(scope="session")
def tiny_run(recorded_data, tiny, tmp_path_factory, worker_id) -> pathlib.Path:
    """A run directory: config, checkpoint, metrics. Its weights have seen two steps of random rows."""
    from gato_jax.config import Distributed, TrainConfig
    from gato_jax.training.train import train

    base = tmp_path_factory.getbasetemp()
    base = base if worker_id == "master" else base.parent
    out = base / "tiny_run"
    tokens = TokenConfig(Vocabulary(1024), pack_discrete=True, text_tokens=20)
    weights = {task: 1.0 for group in RUN_GROUPS.values() for task in group.tasks}
    stream = StreamConfig(virtual_shards=4, prompt_share=0.0, image_text_pairs=1)
    experiment = Experiment(
        name="tiny",
        data=DataConfig(str(recorded_data), tokens, MixtureConfig(weights, RUN_GROUPS, 16), stream),
        model=tiny.tiny_model(max_length=160),
        train=TrainConfig(steps=2, log_every=1, distributed=Distributed.OFF),
        agent=AgentConfig(context_timesteps=1, decode={"babyai": Decode.SAMPLE}),
        evaluation=EvaluationConfig(
            episodes=3, validation_rows=8, questions=12, answer_tokens=3, text_samples=2, text_tokens=8
        ),
    )
    with (base / "tiny_run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (out / "summary.json").exists():
            train(experiment, out, open_stream=lambda e, host, hosts: tiny.SyntheticStream(e, host, hosts))
    return out
