"""Every task that can be recorded, by name: its environment, its expert and how much of it to record.

Simulators are imported when a task is made, never before: a list of tasks needs none of them.
"""

import dataclasses
import difflib
import enum
import functools
import importlib.util
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from data_pipelines.suites import names
from data_pipelines.suites.base.environment import Environment


class Source(enum.Enum):
    """What a task's data is made from."""

    ENVIRONMENT = "environment"
    TEXT = "text"
    VQA = "vqa"


@dataclasses.dataclass(frozen=True)
class Noise:
    """Gaussian noise on the executed action of some episodes; the label stays the expert's.

    Args:
      low, high: the standard deviation is drawn uniformly from this range for each episode.
      share: of the attempted episodes that get noise.
    """

    low: float
    high: float
    share: float = 0.5


@dataclasses.dataclass(frozen=True)
class Starts:
    """Beginnings of further episodes: many starts teach more than many steps near the goal.

    Args:
      episodes: how many to keep.
      steps: recorded of each.
      bar: return that these steps must reach.
    """

    episodes: int
    steps: int
    bar: float


@dataclasses.dataclass(frozen=True)
class Task:
    """One entry of the catalog.

    Args:
      name: domain, dot, task.
      source: where its data comes from.
      origin: where the world comes from, in the words of its suite, such as "BabyAI-GoToObj-v0".
      expert: the demonstrator, in a few words.
      requires: the module without which the task cannot run.
      make_environment, make_expert: called in the process that runs the task; None for text and questions.
      bar: an attempt is kept if its return is at least this.
      episodes: how many to keep (documents for text, questions for VQA).
      chunk: episodes that one worker records at a time.
      seconds: rough time of one episode, to start long work first.
      time_limit: an attempt that takes more seconds than this is cut and counted as rejected.
      noise: action noise, None for none.
      starts: beginnings of episodes recorded beside the whole ones, None for none. Scores come from whole ones only.
      default: recorded when no tasks are named.
      held_out: left out even of "all", to be named explicitly: the paper's few-shot tasks (Gato, section 5.2).
    """

    name: str
    source: Source
    origin: str
    expert: str
    requires: str
    make_environment: Callable[[], Environment] | None = None
    make_expert: Callable[[], Any] | None = None
    bar: float = 0.0
    episodes: int = 0
    chunk: int = 0
    seconds: float = 0.0
    time_limit: float = 300.0
    noise: Noise | None = None
    starts: Starts | None = None
    default: bool = False
    held_out: bool = False

    @property
    def domain(self) -> str:
        return self.name.partition(".")[0]

    @property
    def installed(self) -> bool:
        """Whether the module that the task needs can be found."""
        return importlib.util.find_spec(self.requires) is not None


def _dm_control(
    task: str, *, bar: float, episodes: int, chunk: int, seconds: float, starts: Starts | None = None,
    default: bool = False, held_out: bool = False,
) -> Task:  # fmt: skip
    name = f"dm_control.{task}"
    domain, _, suite_task = task.rpartition("_")

    def environment() -> Environment:
        from data_pipelines.suites.dm_control.environment import DmControlEnvironment

        return DmControlEnvironment(name, domain=domain, task=suite_task)

    def expert():
        from data_pipelines.suites.dm_control.expert import make_expert

        return make_expert(task)

    return Task(
        name=name, source=Source.ENVIRONMENT, origin=f"dm_control suite {domain}/{suite_task}",
        expert="MPPI planner on mujoco.rollout", requires="dm_control", make_environment=environment,
        make_expert=expert, bar=bar, episodes=episodes, chunk=chunk, seconds=seconds, noise=Noise(0.05, 0.4),
        starts=starts, default=default, held_out=held_out,
    )  # fmt: skip


def _meta_world(task: str, *, default=False, held_out=False) -> Task:
    name = "metaworld." + task.removesuffix("-v3").replace("-", "_")

    def environment() -> Environment:
        from data_pipelines.suites.metaworld.environment import MetaWorldEnvironment

        return MetaWorldEnvironment(name, task=task)

    def expert():
        from data_pipelines.suites.metaworld.expert import MetaWorldExpert

        return MetaWorldExpert(task)

    return Task(
        name=name, source=Source.ENVIRONMENT, origin=f"Meta-World {task}", expert="Meta-World's scripted policy",
        requires="metaworld", make_environment=environment, make_expert=expert, bar=1.0, episodes=60, chunk=30,
        seconds=0.3, time_limit=30.0, noise=Noise(0.1, 0.6), default=default, held_out=held_out,
    )  # fmt: skip


def _baby_ai(level: str, *, episodes: int = 300, default=False) -> Task:
    short = level.removeprefix("BabyAI-").rpartition("-v")[0]
    name = f"babyai.{_snake(short)}"

    def environment() -> Environment:
        from data_pipelines.suites.babyai.environment import BabyAiEnvironment

        return BabyAiEnvironment(name, level=level)

    def expert():
        from data_pipelines.suites.babyai.expert import BabyAiExpert

        return BabyAiExpert()

    return Task(
        name=name, source=Source.ENVIRONMENT, origin=level, expert="BabyAI bot", requires="minigrid",
        make_environment=environment, make_expert=expert, bar=0.3, episodes=episodes, chunk=300, seconds=0.02,
        time_limit=2.5, default=default,
    )  # fmt: skip


def _snake(words: str) -> str:
    """GoToRedBall -> go_to_red_ball, PutNextS5N2 -> put_next_s5n2."""
    parts: list[str] = []
    for letter in words:
        if not parts or (letter.isupper() and not parts[-1][-1].isdigit()):
            parts.append(letter)
        else:
            parts[-1] += letter
    return "_".join(parts).lower()


def _breakout() -> Task:
    name = "atari.breakout"

    def environment() -> Environment:
        from data_pipelines.suites.atari.environment import AtariEnvironment

        return AtariEnvironment(name, rom="breakout")

    def expert():
        from data_pipelines.suites.atari.expert import BreakoutExpert

        return BreakoutExpert()

    return Task(
        name=name, source=Source.ENVIRONMENT, origin="Breakout (ale-py)", expert="script on the console's memory",
        requires="ale_py", make_environment=environment, make_expert=expert, bar=30.0, episodes=4, chunk=2,
        seconds=5.0, default=True,
    )  # fmt: skip


@functools.cache
def catalog() -> Mapping[str, Task]:
    """Every task by name, sorted."""
    tasks = [
        _dm_control(
            "cartpole_balance", bar=800, episodes=6, chunk=3, seconds=2.6, starts=Starts(16, 200, 140), default=True
        ),
        _dm_control(
            "pendulum_swingup", bar=500, episodes=8, chunk=4, seconds=1.7, starts=Starts(40, 400, 10), default=True
        ),
        _dm_control(
            "point_mass_easy", bar=600, episodes=8, chunk=4, seconds=1.1, starts=Starts(50, 300, 5), default=True
        ),
        _dm_control(
            "reacher_easy", bar=700, episodes=8, chunk=4, seconds=1.3, starts=Starts(200, 150, 50), default=True
        ),
        _dm_control("reacher_hard", bar=700, episodes=8, chunk=4, seconds=2, starts=Starts(60, 150, 30)),
        _dm_control("ball_in_cup_catch", bar=800, episodes=8, chunk=1, seconds=12),
        _dm_control("walker_stand", bar=800, episodes=8, chunk=1, seconds=40),
        _dm_control("walker_walk", bar=700, episodes=8, chunk=1, seconds=25),
        _dm_control("cartpole_swingup", bar=600, episodes=8, chunk=1, seconds=12, held_out=True),
        *(_meta_world(task, default=True) for task in names.DEFAULT_META_WORLD),
        *(_meta_world(task) for task in names.MORE_META_WORLD),
        _meta_world("assembly-v3", held_out=True),
        *(_baby_ai(level, episodes=1000, default=True) for level in names.DEFAULT_BABY_AI),
        *(_baby_ai(level) for level in names.MORE_BABY_AI),
        _breakout(),
        Task(
            name="text.python_docs", source=Source.TEXT, origin="pydoc_data.topics of the standard library",
            expert="written by people", requires="pydoc_data", default=True,
        ),
        Task(
            name="vqa.easy_vqa", source=Source.VQA, origin="easy-vqa package data",
            expert="generated with the pictures", requires="easy_vqa", episodes=4000, default=True,
        ),
    ]  # fmt: skip
    return {task.name: task for task in sorted(tasks, key=lambda task: task.name)}


def get(name: str) -> Task:
    """The task called `name`; a `ValueError` suggests the nearest names."""
    tasks = catalog()
    if name in tasks:
        return tasks[name]
    near = difflib.get_close_matches(name, tasks, n=3, cutoff=0.4)
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    raise ValueError(f"unknown task {name!r}{hint} (`gato tasks` lists all {len(tasks)})")


def select(names: str | Iterable[str]) -> tuple[Task, ...]:
    """Tasks from "default", "all", or names, sorted and without repetition.

    "default" leaves out tasks whose simulator is an option that is not installed; "all" the held-out tasks too. A task
    named explicitly is always taken, and an error says so if its simulator is missing.
    """
    words = names.split(",") if isinstance(names, str) else list(names)
    chosen: dict[str, Task] = {}
    for word in (word.strip() for word in words):
        if word == "default":
            chosen |= {task.name: task for task in catalog().values() if task.default and _present(task)}
        elif word == "all":
            chosen |= {task.name: task for task in catalog().values() if not task.held_out and _present(task)}
        else:
            task = get(word)
            if not task.installed:
                raise ValueError(f"task {task.name!r} needs the module {task.requires!r}, which is not installed")
            chosen[task.name] = task
    if not chosen:
        raise ValueError(f"no tasks chosen: expected names, 'default' or 'all', found {names!r}")
    return tuple(chosen[name] for name in sorted(chosen))


def _present(task: Task) -> bool:
    # Only Atari is optional: anything else that is missing is an incomplete installation and must be heard of.
    return task.installed or task.domain != "atari"


def make(name: str) -> Environment:
    """The environment of a control task, in this process."""
    task = get(name)
    if task.make_environment is None:
        raise ValueError(f"task {name!r} is a {task.source.value} source: it has no environment to act in")
    if not task.installed:
        raise ValueError(f"task {name!r} needs the module {task.requires!r}, which is not installed")
    return task.make_environment()
