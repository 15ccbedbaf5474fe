"""The door to worlds from outside: by consent, with one clear error for whatever a world or its author gets wrong."""

import dataclasses
import importlib.util
import inspect
import sys
from collections.abc import Sequence
from typing import Any

import dm_env

from data_pipelines.differences import differences
from data_pipelines.spec import GYMNASIUM, ItemSpec, Kind, TaskSpec, World
from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.outside import consent
from data_pipelines.suites.outside.adapter import RENDER_MODE, OutsideEnvironment
from data_pipelines.suites.outside.naming import task_name
from data_pipelines.suites.outside.objects import WorldError, load_object, said
from data_pipelines.tokenizers.discrete import DiscreteCodec


def open_world(
    world: World, *, name: str = "", allow: Sequence[str] = (), draw: bool = False, spec: TaskSpec | None = None
) -> OutsideEnvironment:
    """Imports a world and makes its environment, in this process.

    Args:
      world: what to open.
      name: the task's; "" = as `task_name` has it, or as an `Environment` calls itself.
      allow: packages whose code may be imported although nobody here named the world.
      draw: whether it is made to be drawn: gymnasium wants to know beforehand.
      spec: as recorded; the environment must agree with it, and cuts episodes where it does.

    Raises:
      CodeNotAllowed: nobody here named this world, and its package is not allowed.
      WorldError: it cannot be imported or made, or is not what was recorded.
    """
    consent.check(name or world.task, world, allow=allow)
    if world.is_gymnasium:
        made = _gymnasium(world, name, draw)
    else:
        made = _factory(world, name, draw, check_version=bool(world.version) or spec is not None)
    if spec is not None:
        if problems := disagreements(spec, made.spec):
            made.close()
            raise WorldError(f"task {spec.name!r}: {world.task} is not the world of the data: " + "; ".join(problems))
        made.adopt(spec)
    return made


def current_version(world: World) -> World:
    """The world with the version that its module says now. Imports the module."""
    if world.is_gymnasium:
        return world
    load_object(world.task, "world")
    version = getattr(sys.modules[world.code], "__version__", "")
    return dataclasses.replace(world, version=str(version))


def disagreements(recorded: TaskSpec, world: TaskSpec) -> list[str]:
    """In what an environment is not the world of recorded data: arrays, kinds, shapes, ranges. Dtypes may differ."""
    problems = [
        f"{key}: {one} in the data, {other} in the world"
        for key, one, other in differences(_essence(recorded), _essence(world), inside_lists=False, absent="absent")
    ]
    shown = {item.key: item for item in world.observation}
    pairs = [(shown[item.key], item) for item in recorded.observation if item.key in shown]
    # The world may show no value that the data's tokens lack, and must take every action that they have.
    for less, more in (*pairs, (recorded.action, world.action)):
        if less.kind is more.kind is Kind.DISCRETE and less.shape == more.shape:
            limits = [DiscreteCodec.limits(item) for item in (less, more)]
            if (limits[0] > limits[1]).any():
                counts = recorded.action.num_values, world.action.num_values
                if less.key != recorded.action.key:
                    counts = more.num_values, less.num_values
                problems.append(f"{less.key}: {counts[0]} values in the data, {counts[1]} in the world")
    return problems


def _essence(spec: TaskSpec) -> dict[str, Any]:
    items = {item.key: _essence_of(item) for item in spec.observation}
    return {"observation": items, "action": _essence_of(spec.action)}


def _essence_of(item: ItemSpec) -> dict[str, Any]:
    facts: dict[str, Any] = {"kind": item.kind.value, "shape": list(item.shape)}
    if item.kind is Kind.CONTINUOUS and item.key == "action":
        facts["range"] = [item.low, item.high]
    return facts


def _gymnasium(world: World, name: str, draw: bool) -> OutsideEnvironment:
    if importlib.util.find_spec(GYMNASIUM) is None:
        raise WorldError(f"world {world.task!r}: gymnasium is not installed: pip install 'gato-jax[demo]'")
    from data_pipelines.suites.outside.gymnasium_world import GymnasiumWorld, make_registered

    identifier = world.task.partition(":")[2]
    env = make_registered(identifier, {**(RENDER_MODE if draw else {}), **world.kwargs})
    return _adapted(lambda: GymnasiumWorld(name or task_name(world), world, env), world)


def _factory(world: World, name: str, draw: bool, *, check_version: bool) -> OutsideEnvironment:
    factory = load_object(world.task, "world")
    if not callable(factory):
        raise WorldError(
            f"world {world.task!r}: expected a function or class that makes an environment, found a "
            f"{type(factory).__name__}"
        )
    current = current_version(world)
    if check_version and current.version != world.version:
        raise WorldError(
            f"world {world.task!r}: the data are of version {world.version!r}, found version {current.version!r} in "
            f"{world.code}: install the former, or record again into another data directory"
        )
    kwargs = dict(world.kwargs)
    parameters = inspect.signature(factory).parameters
    if draw and "render_mode" in parameters:
        kwargs = {**RENDER_MODE, **kwargs}
    seed = {"seed": 0} if "seed" in parameters and "seed" not in kwargs else {}
    made = _called(factory, {**kwargs, **seed}, world)
    return _adapted(lambda: _wrapped(made, factory, kwargs, world, name), world)


def _wrapped(made: Any, factory: Any, kwargs: dict[str, Any], world: World, name: str) -> OutsideEnvironment:
    from data_pipelines.suites.outside.dm_env_world import SEED, DmEnvWorld, OwnWorld, check_seed

    if isinstance(made, Environment):
        return OwnWorld(name or made.spec.name, world, made)
    name = name or task_name(world)
    if isinstance(made, dm_env.Environment):
        check_seed(factory, world.task)
        made.close()
        return DmEnvWorld(name, world, lambda seed: _called(factory, {**kwargs, SEED: seed}, world))
    if GYMNASIUM in sys.modules and isinstance(made, sys.modules[GYMNASIUM].Env):
        from data_pipelines.suites.outside.gymnasium_world import GymnasiumWorld

        return GymnasiumWorld(name, world, made)
    raise WorldError(
        f"world {world.task!r}: expected an Environment of this package, a dm_env.Environment or a gymnasium.Env, "
        f"found a {type(made).__module__}.{type(made).__qualname__}"
    )


def _called(factory: Any, kwargs: dict[str, Any], world: World) -> Any:
    try:
        inspect.signature(factory).bind(**kwargs)
    except TypeError as error:
        raise WorldError(
            f"world {world.task!r}: its arguments are {inspect.signature(factory)}, found {kwargs}: {error}"
        ) from error
    try:
        return factory(**kwargs)
    except Exception as error:  # Whatever a stranger's factory raises.
        raise WorldError(f"world {world.task!r}: calling it with {kwargs} raised {said(error)}") from error


def _adapted(adapt: Any, world: World) -> OutsideEnvironment:
    """What `adapt` makes; its refusals name the world."""
    try:
        return adapt()
    except ValueError as error:
        if str(error).startswith("world "):
            raise
        raise WorldError(f"world {world.task!r}: {error}") from error
