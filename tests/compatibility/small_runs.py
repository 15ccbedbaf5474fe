"""Small experiments, the archives of what an earlier version wrote, and how both are compared.

`make_runs.py` writes the archives with this file, and the tests read them with it. It builds experiments option by
option, so that a default that changes shows in the comparison with a stored config.
"""

import hashlib
import json
import os
import subprocess
import tarfile
from pathlib import Path

import jax
import numpy as np

from data_pipelines.config import DataConfig, StreamConfig
from data_pipelines.mixtures.config import MixtureConfig
from data_pipelines.schema import RowGroup
from data_pipelines.tokenizers.layout import TokenConfig
from data_pipelines.vocabulary import DiscreteIds, TokenType, Vocabulary
from gato_jax.config import (
    AgentConfig,
    Decode,
    Distributed,
    EvaluationConfig,
    Experiment,
    FeedForward,
    LossConfig,
    Norm,
    OptimizerConfig,
    Positions,
    TrainConfig,
)
from gato_jax.model.gato import init_parameters
from gato_jax.model.presets import gato_small
from gato_jax.studies import designs
from gato_jax.studies.study import Study
from gato_jax.training.run_directory import read_records
from gato_jax.weights.source import open_source

RUNS = Path(__file__).with_name("runs")

# The token table has 2,304 rows whatever the text model is, so width is what an archive costs.
SIZES = {"width": 4, "layers": 2, "heads": 2, "head_size": 4, "hidden": 16, "max_length": 32, "local_positions": 64}
SIZES |= {"patch_channels": 4, "patch_groups": 2}

VARIANTS = {
    Positions.TRANSFORMER_XL: {"scan_layers": True, "feed_forward": FeedForward.GEGLU_SPLIT, "stochastic_depth": 0.1},
    Positions.ROTARY: {"norm": Norm.RMS, "dropout": 0.1},
    Positions.LEARNED: {"stochastic_depth": 0.1},
    Positions.NONE: {"norm": Norm.RMS, "feed_forward": FeedForward.GEGLU_SPLIT},
}
"""Options of the network that go with each position scheme, so that four runs show them all."""

STEPS, SAVED, DIED = 10, 5, 8
"""Of a training run; of its checkpoint; and the step that its machine did not survive."""


def synthetic_experiment(positions: Positions) -> Experiment:
    """Training on synthetic rows: two tasks of control, one with pictures; soft targets, jitter, clipping."""
    groups = {
        "control": RowGroup(("a.one", "a.two"), segments=2, segment_length=8, targets=2),
        "images": RowGroup(("v.three",), segments=1, segment_length=12, patches=2, targets=5),
    }
    mixture = MixtureConfig(weights={"a.one": 1, "a.two": 1, "v.three": 2}, groups=groups, rows_per_step=16)
    tokens = TokenConfig(Vocabulary(1024), max_observation_tokens=64)
    return Experiment(
        name=positions.value,
        data=DataConfig("nowhere", tokens, mixture, StreamConfig(virtual_shards=8)),
        model=gato_small(**SIZES, positions=positions, **VARIANTS[positions]),
        train=TrainConfig(steps=STEPS, log_every=1, checkpoint_every=SAVED, distributed=Distributed.OFF),
        loss=LossConfig(soft_target_sigma=3.0, observation_jitter=2),
        optimizer=OptimizerConfig(learning_rate=1e-2, warmup_steps=2, clip=1.0),
    )


ACTING = {
    "babyai": RowGroup(("babyai.go_to_obj",), segments=1, segment_length=144, targets=42),
    "dm_control": RowGroup(("dm_control.cartpole_balance",), segments=1, segment_length=32, targets=8),
    "metaworld": RowGroup(("metaworld.drawer_close",), segments=1, segment_length=44, targets=4),
}


def acting_experiment() -> Experiment:
    """What `gato train`, `gato evaluate` and `gato export` get: recorded data in `data`, beside where they run."""
    weights = {task: 1.0 for group in ACTING.values() for task in group.tasks}
    vocabulary = Vocabulary(64, DiscreteIds.OFFSET)
    tokens = TokenConfig(vocabulary, pack_discrete=True, max_observation_tokens=128, text_tokens=20)
    stream = StreamConfig(virtual_shards=2, prompt_share=0.0, threads=1, segment_steps=100)
    sizes = {**SIZES, "max_length": 160, "local_positions": 128}
    return Experiment(
        name="acting",
        data=DataConfig("data", tokens, MixtureConfig(weights, ACTING, 6), stream),
        model=gato_small(**sizes, positions=Positions.LEARNED),
        train=TrainConfig(steps=4, log_every=1, checkpoint_every=2),
        optimizer=OptimizerConfig(learning_rate=1e-2, warmup_steps=2),
        agent=AgentConfig(context_timesteps=1, decode={"babyai": Decode.SAMPLE}),
        evaluation=EvaluationConfig(episodes=2, processes=2),
    )


DOMAINS = {"one": ("a.one",), "two": ("a.two",), "three": ("v.three",)}


def study(*, design: int, held_out: int = 0, references: bool = False) -> Study:
    """A study over synthetic rows, of four steps each."""
    base = synthetic_experiment(Positions.LEARNED)
    data = DataConfig("nowhere", base.data.tokens, base.data.mixture, StreamConfig(virtual_shards=1))
    train = TrainConfig(
        steps=4, log_every=1, checkpoint_every=2, evaluate_every=2, evaluate_rows=8, distributed=Distributed.OFF
    )
    base = Experiment("base", data, base.model, train, base.loss, base.optimizer)
    names = tuple(DOMAINS)
    return Study(
        "frozen",
        base,
        DOMAINS,
        designs.sobol(names, design, least=0.1),
        designs.dirichlet(names, held_out, seed=1, least=0.1) if held_out else (),
        (designs.Point("uniform", designs.uniform(names)),) if references else (),
        reference_seeds=(0, 1),
    )


def rows(group: RowGroup, count: int, seed, weights: dict[int, float]):
    """Random rows: observations, then targets that depend on the task, so that there is something to learn."""
    generator = np.random.default_rng(seed)
    batch = group.zeros(count)
    place = np.tile(np.arange(group.segment_length), group.segments)
    is_target = place >= group.segment_length - group.target_budget
    shares = np.asarray(list(weights.values())) / sum(weights.values())
    task = generator.choice(list(weights), count, p=shares)
    batch["tokens"][...] = generator.integers(1, 2000, batch["tokens"].shape)
    answers = (1100 + 200 * task[:, None] + generator.integers(0, 20, batch["tokens"].shape)) % 2000
    batch["targets"][...] = np.where(is_target, answers, 0)
    batch["loss_mask"][...] = is_target
    batch["token_type"][...] = np.where(is_target, TokenType.ACTION, TokenType.OBSERVATION)
    batch["observation_position"][...] = np.where(is_target, 0, place + 1)
    batch["segment_ids"][...] = np.repeat(np.arange(group.segments) + 1, group.segment_length)
    batch["positions"][...] = place
    batch["task_id"][...] = task
    if group.patches:
        batch["patches"][...] = generator.integers(0, 256, batch["patches"].shape)
        batch["patch_slot"][...] = np.arange(group.patches)
        batch["patch_slot"][0, -1] = group.length
        batch["patch_interval"][...] = generator.integers(0, 65, batch["patch_interval"].shape)
        batch["patch_interval"][..., 1::2] += 64
        batch["token_type"][:, : group.patches] = TokenType.PATCH
        batch["tokens"][:, : group.patches] = 0
    return batch


class SyntheticStream:
    """Rows that are a function of (seed, step, weights), as the real stream's are. `dealt` lists the steps taken."""

    def __init__(self, experiment, host=0, hosts=1, *, ends=None):
        self.config, self.step, self.ends, self.dealt = experiment.data, 0, ends, []
        self.table = [list(entry) for entry in self.config.mixture.weight_table(self.config.stream.segment_steps)]

    def __next__(self):
        if self.step == self.ends:
            raise ConnectionError("the machine is gone")
        mixture, stream, step = self.config.mixture, self.config.stream, self.step
        self.dealt.append(step)
        self.step += 1
        weights = next(w for first, w in reversed(self.table) if first <= step // stream.segment_steps)
        counts = mixture.rows(stream.virtual_shards, weights)
        ids = {
            name: {mixture.task_names.index(task): weights[task] for task in group.tasks}
            for name, group in mixture.groups.items()
        }
        return {
            name: rows(group, counts[name], [stream.seed, index, step], ids[name])
            for index, (name, group) in enumerate(mixture.groups.items())
        }

    def validation_batches(self, task, limit):
        mixture = self.config.mixture
        name = mixture.group_of(task)
        count = mixture.rows(self.config.stream.virtual_shards)[name]
        return [rows(mixture.groups[name], count, [99, limit], {mixture.task_names.index(task): 1.0})]

    def position(self):
        return {"step": self.step, "weights": [list(entry) for entry in self.table]}

    def restore(self, position):
        if position["weights"][0] != self.table[0]:
            raise ValueError(f"weights: expected {position['weights'][0]}, found {self.table[0]}")
        self.step, self.table = position["step"], position["weights"]

    def close(self):
        pass


def pack(directory: Path, name: str) -> None:
    """Writes runs/<name>.tar.xz: no owner, no time of this machine; the same bytes for the same files."""

    def plain(entry):
        entry.uid = entry.gid = entry.mtime = 0
        entry.uname = entry.gname = ""
        return entry

    with tarfile.open(RUNS / f"{name}.tar.xz", "w:xz", preset=9) as archive:
        for path in sorted(directory.rglob("*")):
            archive.add(path, str(path.relative_to(directory)), recursive=False, filter=plain)


def unpack(name: str, directory: Path) -> Path:
    """A copy of runs/<name>.tar.xz in `directory`, which is returned."""
    directory.mkdir(parents=True, exist_ok=True)
    with tarfile.open(RUNS / f"{name}.tar.xz") as archive:
        archive.extractall(directory, filter="data")
    return directory


def expected(name: str):
    """What runs/<name>.json holds."""
    return json.loads((RUNS / f"{name}.json").read_text())


def leaves(tree) -> dict[str, np.ndarray]:
    """Arrays of a tree by path."""
    paths = jax.tree_util.tree_flatten_with_path(tree)[0]
    return {jax.tree_util.keystr(path, simple=True, separator="/"): np.asarray(leaf) for path, leaf in paths}


def digest(array: np.ndarray) -> str:
    """Type, shape and the SHA-256 of the bytes of an array."""
    return f"{array.dtype}{list(array.shape)} {hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()}"


def digests(tree) -> dict[str, str]:
    """`digest` of all leaves by path."""
    return {name: digest(leaf) for name, leaf in leaves(tree).items()}


def samples(tree) -> dict[str, list[float]]:
    """Four values and the norm of all leaves, for a machine that rounds in another way."""
    values_by_name = {}
    for name, leaf in leaves(tree).items():
        flat = np.asarray(leaf, np.float64).ravel()
        places = np.linspace(0, flat.size - 1, 4).astype(int)
        values_by_name[name] = [float(f"{value:.8g}") for value in (*flat[places], np.linalg.norm(flat))]
    return values_by_name


def optimizer_digests(run: Path) -> dict[str, str]:
    """Of the moments in a run's latest checkpoint."""
    source = open_source(run)
    return {name: digest(source.read_optimizer(name)) for name in source.optimizer}


def initial_parameters(experiment: Experiment):
    """With which training begins."""
    key = jax.random.key(experiment.train.seed)
    return init_parameters(experiment.model, experiment.data.tokens.vocabulary, key=key)


def rounding() -> str:
    """Digest of random numbers that JAX alone made: machines that differ in it round differently."""
    values = jax.random.normal(jax.random.key(7), (64, 64))
    return digest(np.asarray(jax.jit(lambda x: jax.numpy.tanh(x @ x.T))(values)))


def records(run: Path) -> list[dict]:
    """The training records of a run, without what depends on the clock and the machine."""
    kept = ("step", "loss", "group_loss", "task_loss", "task_rows", "gradient_norm", "batch_hash")
    return [{key: r[key] for key in kept if key in r} for r in read_records(run) if "loss" in r]


def exported(directory: Path) -> set[str]:
    """Names of an export's files but its demonstrations, which came after the commit that stored what is compared."""
    return {name for name in files(directory) if not name.startswith("demonstrations/")}


def files(directory: Path) -> dict[str, tuple[str, int]]:
    """SHA-256 and time of every file."""
    return {
        str(path.relative_to(directory)): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def fields(vocabulary: int) -> dict[str, np.ndarray]:
    """Inputs of a network: packed sequences, padding, patches, an unused patch."""
    rng, shape = np.random.default_rng(0), (2, 24)
    place = np.arange(24)
    types = rng.choice([2, 3, 4, 5], shape)
    types[:, :2] = 1
    types[1, -2:] = 0
    segments = np.broadcast_to(np.where(place < 12, 1, 2), shape).copy()
    segments[1, -2:] = 0
    arrays = {
        "tokens": rng.integers(0, vocabulary, shape),
        "token_type": types,
        "observation_position": rng.integers(0, 60, shape),
        "positions": np.broadcast_to(place % 12, shape),
        "segment_ids": segments,
        "patch_slot": np.broadcast_to([0, 1, 24], (2, 3)),
        "patch_interval": np.broadcast_to([0, 32, 64, 96], (2, 3, 4)),
    }
    arrays = {name: np.ascontiguousarray(value, np.int32) for name, value in arrays.items()}
    return {**arrays, "patches": rng.integers(0, 256, (2, 3, 768)).astype(np.uint8)}


def shown(logits: np.ndarray) -> dict:
    """The part of the logits of `fields` that is stored: three places x 16 ids, and the norm at every place."""
    logits = np.asarray(logits, np.float64)
    ids = np.linspace(0, logits.shape[-1] - 1, 16).astype(int)
    norms = np.linalg.norm(logits, axis=-1)
    norms[1, -2:] = 0  # Padding.
    return {
        "shape": list(logits.shape),
        "values": logits[[0, 0, 1], [1, 20, 9]][:, ids].tolist(),
        "norms": norms.tolist(),
    }


def assert_logits(actual: dict, expected_logits: dict, name: str) -> None:
    """Within 1e-4, as exports promise."""
    assert actual["shape"] == expected_logits["shape"], name
    np.testing.assert_allclose(actual["values"], expected_logits["values"], rtol=0, atol=1e-4, err_msg=name)
    np.testing.assert_allclose(actual["norms"], expected_logits["norms"], rtol=1e-4, atol=1e-4, err_msg=name)


def run_exports(python: str, form: str, directories: list[Path], home: Path, vocabulary: int) -> list[np.ndarray]:
    """Logits of `fields` by exports of one format, from a fresh process that cannot import this project."""
    np.savez(home / "fields.npz", **fields(vocabulary))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "JAX_", "XLA_"))}
    environment = {**kept, "HF_HOME": str(home / "home"), "HF_HUB_OFFLINE": "1", "JAX_PLATFORMS": "cpu"}
    command = [python, "-I", str(Path(__file__).with_name("load_export.py")), form, *map(str, directories)]
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [np.load(home / f"{form}-{number}.npy") for number in range(len(directories))]
