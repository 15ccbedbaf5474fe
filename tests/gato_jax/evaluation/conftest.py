"""A run on real recorded tasks, trained for two steps, once per test run."""

import fcntl
import importlib.util
import pathlib

import pytest

from data_pipelines.config import DataConfig, StreamConfig
from data_pipelines.mixtures import MixtureConfig
from data_pipelines.schema import RowGroup
from data_pipelines.timestep import TokenConfig
from data_pipelines.vocabulary import Vocabulary
from gato_jax.agent.config import AgentConfig, Decode
from gato_jax.config import Experiment
from gato_jax.evaluation.config import EvaluationConfig

RECORDING = pathlib.Path(__file__).parents[2] / "data_pipelines" / "conftest.py"
_spec = importlib.util.spec_from_file_location("recorded", RECORDING)
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
recorded_data = _module.recorded_data

GROUPS = {
    "babyai": RowGroup(("babyai.go_to_obj",), segments=1, segment_length=144, targets=42),
    "metaworld": RowGroup(("metaworld.drawer_close",), segments=1, segment_length=44, targets=4),
    "text": RowGroup(("text.python_docs",), segments=1, segment_length=64),
    "vqa": RowGroup(("vqa.easy_vqa",), segments=1, segment_length=48, patches=16, targets=31),
}


@pytest.fixture(scope="session")
def tiny_run(recorded_data, tiny, tmp_path_factory, worker_id) -> pathlib.Path:
    """A run directory: config, checkpoint, metrics. Its weights have seen two steps of random rows."""
    from gato_jax.training.config import Distributed, TrainConfig
    from gato_jax.training.train import train

    base = tmp_path_factory.getbasetemp()
    base = base if worker_id == "master" else base.parent
    out = base / "tiny_run"
    tokens = TokenConfig(Vocabulary(1024), pack_discrete=True, text_tokens=20)
    weights = {task: 1.0 for group in GROUPS.values() for task in group.tasks}
    stream = StreamConfig(virtual_shards=4, prompt_share=0.0, image_text_pairs=1)
    experiment = Experiment(
        name="tiny",
        data=DataConfig(str(recorded_data), tokens, MixtureConfig(weights, GROUPS, 16), stream),
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
