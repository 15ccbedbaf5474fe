"""What a suite says about itself and about its tasks: everything that depends on the simulator follows from here.

A suite is declared without its simulator: tasks name their environment and expert by functions that import them.
"""

import dataclasses
import enum
import importlib.util
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from data_pipelines.spec import TaskSpec
from data_pipelines.suites.base.bundle import Bundle
from data_pipelines.suites.base.environment import Environment


class Source(enum.Enum):
    """What a task's data is made from.

    Examples:
      >>> from data_pipelines import Source
      >>> [source.value for source in Source]
      ['environment', 'text', 'vqa', 'captions']
    """

    ENVIRONMENT = "environment"
    TEXT = "text"
    VQA = "vqa"
    CAPTIONS = "captions"


@dataclasses.dataclass(frozen=True)
class Noise:
    """Gaussian noise on the executed action of some episodes; the label stays the expert's.

    Args:
      low: smallest standard deviation; each episode draws its own, uniformly between the two.
      high: largest standard deviation.
      share: of the attempted episodes that get noise.
      hold: steps that one draw lasts, at least one.

    Examples:
      >>> from data_pipelines import Noise
      >>> Noise(0.05, 0.4).share
      0.5
    """

    low: float
    high: float
    share: float = 0.5
    hold: int = 1

    def __post_init__(self):
        if self.hold < 1:
            raise ValueError(f"noise.hold must be at least 1 step, found {self.hold}")


@dataclasses.dataclass(frozen=True)
class Starts:
    """Beginnings of further episodes: many starts teach more than many steps near the goal.

    Args:
      episodes: how many to keep.
      steps: recorded of each.
      bar: return that these steps must reach.
      noise: on the executed actions of these episodes, in place of the task's.

    Examples:
      >>> from data_pipelines import Noise, Starts
      >>> Starts(episodes=110, steps=150, bar=0.0, noise=Noise(0.7, 2.0, hold=50)).noise.hold
      50
    """

    episodes: int
    steps: int
    bar: float
    noise: Noise | None = None


@dataclasses.dataclass(frozen=True)
class Outside:
    """A world outside this package and who demonstrates there: what a process is told that plays it.

    Args:
      spec: of the task, with its `world`.
      expert: as `outside.experts.open_expert` takes it.
    """

    spec: TaskSpec
    expert: str


@dataclasses.dataclass(frozen=True)
class Task:
    """One entry of the catalog, or a task of somebody's own.

    Args:
      name: domain, dot, task.
      source: where its data comes from.
      origin: where the world comes from, in the words of its suite, such as "BabyAI-GoToObj-v0".
      expert: the demonstrator, in a few words.
      requires: the module without which the task cannot run; "" where this package is enough.
      make_environment: called in the process that runs the task; None for texts and pictures.
      make_expert: the same for its demonstrator; None where there is none: such a task can be played, not recorded.
      bar: an attempt is kept if its return is at least this; None keeps all.
      make_examples: the texts or pictures of a task that has no world; called in the process that writes them.
      spoken: whether its texts are short ones that a policy reads or says: a text model trained by a recording learns
        their words.
      licence: of the texts or pictures; "" for worlds, whose licences docs/worlds.md has.
      files: without one of which the task cannot run, where an operating system's package brings them.
      install: what to type where it is missing, if that is not what its suite says.
      episodes: how many to keep (pictures or questions; of texts all are kept).
      chunk: episodes that one worker records at a time.
      seconds: rough time of one episode, to start long work first.
      time_limit: an attempt that takes more seconds than this is cut and counted as rejected.
      noise: action noise, None for none.
      starts: beginnings of episodes recorded beside the whole ones, None for none. Scores come from whole ones only.
      default: recorded when no tasks are named.
      held_out: left out even of "all", to be named explicitly: the paper's few-shot tasks (Gato, section 5.2).
      draws: whether OpenGL draws its observations, so that it must run in a process without TensorFlow.
      outside: where and by whom it is played, if that is outside this package.
      reads: what the demonstrator looks at, such as "the observation", or "privileged: the level's grid".
      settings: what decides its data besides, as JSON.

    Examples:
      >>> from data_pipelines import Source, Task
      >>> Task("my_domain.easy", Source.ENVIRONMENT, "Corridor", "script", requires="no_such_simulator").installed
      False
    """

    name: str
    source: Source
    origin: str
    expert: str
    requires: str
    make_environment: Callable[[], Environment] | None = None
    make_expert: Callable[[], Any] | None = None
    make_examples: Callable[[], Bundle] | None = None
    spoken: bool = False
    licence: str = ""
    files: tuple[str, ...] = ()
    install: str = ""
    bar: float | None = 0.0
    episodes: int = 0
    chunk: int = 0
    seconds: float = 0.0
    time_limit: float = 300.0
    noise: Noise | None = None
    starts: Starts | None = None
    default: bool = False
    held_out: bool = False
    draws: bool = False
    outside: Outside | None = None
    reads: str = ""
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def domain(self) -> str:
        return self.name.partition(".")[0]

    @property
    def installed(self) -> bool:
        """Whether the module and the files that the task needs can be found."""
        if self.files and not any(pathlib.Path(file).exists() for file in self.files):
            return False
        return not self.requires or importlib.util.find_spec(self.requires) is not None

    @property
    def demonstrated(self) -> bool:
        """Whether there is somebody to record, or, for texts and pictures, something."""
        return self.make_expert is not None or self.source is not Source.ENVIRONMENT


@dataclasses.dataclass(frozen=True)
class Suite:
    """A simulator, or a source of text or questions, and its tasks.

    Args:
      domain: first part of its tasks' names.
      tasks: all of them, recorded or only played.
      extra: of setup.py, that installs it; "" where it comes with the package itself.
      packages: whose versions are recorded with its data and its evaluations, as setup.py spells them.
      needs_opengl: whether pictures of it are drawn by OpenGL.
      episode_steps: about how many steps an episode takes, for order and progress; 0 for text and questions.
      install: how it is installed, where `extra` does not say all of it.
      counts: whether its tasks count among the worlds; not where they are other modes of another suite's.
      optional: whether "default" and "all" leave it out silently where it is not installed. Anything else that is
        missing is an incomplete installation and must be heard of.

    Raises:
      ValueError: a task of another domain; a simulator without `episode_steps`.

    Examples:
      >>> from data_pipelines import Source, Suite, Task
      >>> easy = Task("my_domain.easy", Source.ENVIRONMENT, "Corridor", "script", requires="my_simulator")
      >>> Suite("my_domain", (easy,), episode_steps=20).is_simulator
      True
    """

    domain: str
    tasks: tuple[Task, ...]
    extra: str = ""
    install: str = ""
    packages: tuple[str, ...] = ()
    needs_opengl: bool = False
    episode_steps: int = 0
    optional: bool = False
    counts: bool = True

    def __post_init__(self):
        strangers = [task.name for task in self.tasks if task.domain != self.domain]
        if strangers:
            raise ValueError(f"tasks of suite {self.domain!r} are named {self.domain}.<task>, found {strangers}")
        if self.is_simulator and self.episode_steps < 1:
            raise ValueError(f"suite {self.domain!r} must say about how many steps an episode takes (episode_steps)")

    @property
    def hint(self) -> str:
        """What to type where it is missing; "" where the package itself brings it."""
        return self.install or (f'pip install -e ".[{self.extra}]"' if self.extra else "")

    @property
    def is_simulator(self) -> bool:
        """Whether its tasks have a world to act in."""
        return any(task.source is Source.ENVIRONMENT for task in self.tasks)
