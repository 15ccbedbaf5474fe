"""The quickstart: one small Gato that balances poles, opens windows, follows instructions and answers questions.

    gato quickstart                                                  # records its data first, reports at the end
    gato train experiments/quickstart.py --data.directory DATA       # the training alone, on recorded data

Expected time: about 6 minutes of training on two CPU cores (the first steps, from which `minutes` are turned into
steps, are slower than the others); the README has the times of the whole quickstart.
Expected result: the README's table of scores.

How it departs from the paper, and why (all of it is configuration; gato_79m and its like keep the paper's settings):
- Context of one timestep and short rows, one row group for each kind of episode: on a CPU, many short rows a second
  learn faster than few long ones. Therefore no prompts (`prompt_share=0`).
- Few rows a step: in the same minutes, twice as many steps of half as many rows hold reacher, which is learnt last.
- 1,024 text pieces, trained on the recorded text: on a CPU a softmax over 33,000 ids costs more than the whole model.
- Gaussian soft targets over the bins of continuous actions: neighbouring bins are nearly the same action.
- Bins of continuous values share smooth features while they are trained (`model.bins`): the loss of 1,700 steps of
  dm_control is reached after 700, and reacher is held.
- Observation tokens are jittered by a few bins, which keeps a policy trained on few episodes from reading noise.
- BabyAI's cells are packed into one token each (type, colour, state), and its instructions are not a target.
"""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

from data_pipelines.config import DataConfig, StreamConfig
from data_pipelines.mixtures.config import MixtureConfig
from data_pipelines.schema import RowGroup
from data_pipelines.spec import TaskSpec
from data_pipelines.tokenizers.layout import TimestepLayout, TokenConfig
from data_pipelines.vocabulary import Vocabulary
from gato_jax.config import AgentConfig, Decode, EvaluationConfig, Experiment, LossConfig, OptimizerConfig, TrainConfig
from gato_jax.model.presets import gato_small

TASKS = (
    "babyai.go_to_local",
    "babyai.go_to_local_s5n2",
    "babyai.go_to_obj",
    "babyai.go_to_red_ball",
    "babyai.go_to_red_ball_grey",
    "dm_control.cartpole_balance",
    "dm_control.pendulum_swingup",
    "dm_control.point_mass_easy",
    "dm_control.reacher_easy",
    "metaworld.button_press_topdown",
    "metaworld.door_close",
    "metaworld.drawer_close",
    "metaworld.handle_press",
    "metaworld.window_close",
    "metaworld.window_open",
    "text.python_docs",
    "vqa.easy_vqa",
)
"""What `gato record` records by default. With the `atari` extra installed, `atari.breakout` comes on top."""


@dataclasses.dataclass(frozen=True)
class Domain:
    """Rows of one domain: how many a step deals, their shape, and their share of the loss."""

    rows: int
    windows: int
    window_length: int
    targets: int
    loss_weight: float
    patches: int = 0


DOMAINS: Mapping[str, Domain] = {
    "atari": Domain(rows=4, windows=2, window_length=22, targets=1, loss_weight=0.5, patches=40),
    "babyai": Domain(rows=4, windows=3, window_length=60, targets=1, loss_weight=1.0),
    "dm_control": Domain(rows=24, windows=8, window_length=9, targets=2, loss_weight=1.0),
    "metaworld": Domain(rows=8, windows=4, window_length=44, targets=4, loss_weight=1.0),
    "text": Domain(rows=4, windows=1, window_length=64, targets=63, loss_weight=0.3),
    "vqa": Domain(rows=4, windows=1, window_length=32, targets=15, loss_weight=0.3, patches=16),
}

SHARES: Mapping[str, float] = {"dm_control.reacher_easy": 1.6, "dm_control.point_mass_easy": 0.6}
"""Share of a task in its domain's rows, where the others have 1: what is learnt slowly is dealt more often."""

DECODE: Mapping[str, Decode] = {
    # Greedy acting never serves in Breakout, as most steps need no serve, and loops in grid worlds.
    "atari": Decode.SAMPLE,
    "babyai": Decode.SAMPLE,
    # The likeliest of 1,024 bins is that of one noisy plan; the mean averages many.
    "dm_control": Decode.MEAN,
    "metaworld": Decode.MEAN,
}


def fitted(domain: Domain, tasks: Sequence[str], directory: pathlib.Path, tokens: TokenConfig) -> Domain:
    """The domain's shape, lengthened where a timestep of a recorded task needs more."""
    paths = [directory / task / "spec.json" for task in tasks]
    specs = [TaskSpec.from_json(path.read_text()) for path in paths if path.is_file()]
    layouts = [TimestepLayout.build(spec, tokens) for spec in specs]
    return dataclasses.replace(
        domain,
        window_length=max([domain.window_length, *(layout.length for layout in layouts)]),
        targets=max([domain.targets, *(layout.targets for layout in layouts)]),
        patches=max([domain.patches, *(layout.patches * domain.windows for layout in layouts)]),
    )


def mixture(tasks: Sequence[str], directory: pathlib.Path, tokens: TokenConfig) -> MixtureConfig:
    """Tasks of a domain share its rows, by `SHARES`."""
    members = {name: tuple(sorted(task for task in tasks if task.startswith(f"{name}."))) for name in DOMAINS}
    members = {name: names for name, names in members.items() if names}
    shapes = {
        name: DOMAINS[name] if name in ("text", "vqa") else fitted(DOMAINS[name], names, directory, tokens)
        for name, names in members.items()
    }
    groups = {
        name: RowGroup(
            tasks=members[name],
            windows=shape.windows,
            window_length=shape.window_length,
            patches=shape.patches,
            targets=shape.targets,
            loss_weight=shape.loss_weight,
        )
        for name, shape in shapes.items()
    }
    weights: dict[str, float] = {}
    for name, names in members.items():
        shares = {task: SHARES.get(task, 1.0) for task in names}
        weights |= {task: DOMAINS[name].rows * share / sum(shares.values()) for task, share in shares.items()}
    return MixtureConfig(weights=weights, groups=groups, rows_per_step=sum(DOMAINS[name].rows for name in members))


def experiment(
    *,
    directory: str | pathlib.Path = "gato-quickstart/data",
    tasks: Sequence[str] = TASKS,
    minutes: float = 8.0,
    seed: int = 0,
) -> Experiment:
    """The quickstart over `tasks`, recorded in `directory`, trained for `minutes`."""
    tokens = TokenConfig(
        vocabulary=Vocabulary(text_size=1024),
        pack_discrete=True,
        # Instructions of the default levels take five pieces; those of the others can be sentences.
        text_tokens=8 if all(task in TASKS for task in tasks if task.startswith("babyai.")) else 40,
        predict_text_observations=False,
    )
    return Experiment(
        name="quickstart",
        data=DataConfig(
            directory=str(directory),
            tokens=tokens,
            mixture=mixture(tasks, pathlib.Path(directory), tokens),
            stream=StreamConfig(
                seed=seed,
                virtual_shards=4,
                reseed_every=2000,
                shuffle_buffer=4096,
                prompt_share=0.0,
                image_text_pairs=1,
            ),
        ),
        model=gato_small(bin_waves=31),
        loss=LossConfig(soft_target_sigma=6.0, observation_jitter=2),
        optimizer=OptimizerConfig(learning_rate=1e-3, warmup_steps=60, final_ratio=0.05, b2=0.98, clip=1.0),
        train=TrainConfig(minutes=minutes, checkpoint_every=500, seed=seed),
        agent=AgentConfig(context_timesteps=1, decode=DECODE),
        evaluation=EvaluationConfig(episodes=20),
    )
