"""Tasks from worlds outside this package: opened, tried, and described before anything is recorded."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from data_pipelines.config_json import encode
from data_pipelines.ranges import Natural, check_fields
from data_pipelines.recording.player import Player
from data_pipelines.spec import World
from data_pipelines.suites import catalog
from data_pipelines.suites.base.suite import Outside, Source, Task
from data_pipelines.suites.outside import consent, experts
from data_pipelines.suites.outside.naming import check_task_name
from data_pipelines.suites.outside.objects import WorldError

EPISODES = 100
_CHUNK = 25


@dataclasses.dataclass(frozen=True)
class WorldOptions:
    """How worlds from outside are recorded.

    Args:
      expert: who demonstrates: package.module:callable, a file (.zip of Stable-Baselines3, .onnx), or random.
      kwargs: JSON object, handed to the factory, or to gymnasium.make.
      name: of the task, such as my_domain.my_task; the world's own when not given.
      bar: return that an episode must reach to be kept; all are kept when not given.
      max_steps: cuts longer episodes; 0 = where the world does.
    """

    expert: str = ""
    kwargs: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    name: str = ""
    bar: float | None = None
    max_steps: Natural = 0

    def __post_init__(self):
        check_fields(self, "world")
        if self.name:
            check_task_name(self.name)


def is_world(word: str) -> bool:
    """Whether a word names a world, and no task of the catalog."""
    return ":" in word


def describe_worlds(words: Sequence[str], options: WorldOptions, say: Callable[[str, str], None]) -> tuple[Task, ...]:
    """The tasks of worlds that somebody named here, after a few steps in each.

    Args:
      words: names of worlds.
      options: of all of them.
      say: called with a task's name and news of it.

    Raises:
      WorldError: no expert, or anything that is wrong with a world or its expert.
    """
    if not words:
        if options != WorldOptions():
            raise WorldError(
                "expert, kwargs, name, bar and max_steps are for a world of your own, named package.module:factory or "
                "gymnasium:ID; found none"
            )
        return ()
    if options.name and len(words) > 1:
        raise WorldError(f"one name cannot stand for {len(words)} worlds: {', '.join(words)}")
    worlds = [World(word, options.kwargs) for word in words]
    if not options.expert:
        raise WorldError(
            f"world {words[0]!r} needs an expert: --expert package.module:callable, a .zip of Stable-Baselines3, an "
            ".onnx file, or random (which gives no score to compare with)"
        )
    experts.check_reference(options.expert)
    tasks = [_describe(world, options, say) for world in worlds]
    names = [task.name for task in tasks]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise WorldError(f"expected a name for each world, found {twice} twice; record them one by one, with --name")
    return tuple(tasks)


def _describe(world: World, options: WorldOptions, say: Callable[[str, str], None]) -> Task:
    with Player(world, options.expert, name=options.name, max_steps=options.max_steps) as player:
        spec, notes = player.spec, player.probe()
    assert spec.world is not None, "a player's spec says where it is played"
    check_task_name(spec.name)
    if spec.name in catalog.catalog():
        raise WorldError(
            f"world {world.task!r}: its name {spec.name!r} is a task of this package: give another, --name"
        )
    consent.remember(spec.world)
    items = [f"{item.key} {item.kind.value} {list(item.shape)}" for item in (*spec.observation, spec.action)]
    say(spec.name, f"{', '.join(items)}; at most {spec.max_episode_steps:,} steps")
    for note in notes:
        say(spec.name, note)
    expert = experts.describe(options.expert)
    return Task(
        name=spec.name, source=Source.ENVIRONMENT, origin=spec.world.to_json(), expert=options.expert,
        requires=spec.world.code, bar=options.bar, episodes=EPISODES, chunk=_CHUNK,
        outside=Outside(spec, options.expert),
        settings={"world": encode(spec.world), **expert, "max_steps": spec.max_episode_steps},
    )  # fmt: skip
