"""From a source's conventions to ours: which action a reward belongs to, and whether the last step is real.

Ours are RLDS's: step t holds observation t, the action taken there and its reward; the last step's action is a
placeholder. (RL Unplugged, d4rl, Minari, LeRobot and JAT each differ in one of these.)
"""

from collections.abc import Iterator, Mapping

import numpy as np

from data_pipelines.importing.common import rules
from data_pipelines.importing.common.errors import SourceError
from data_pipelines.importing.control.episodes import Demonstration, Layout, RawEpisode
from data_pipelines.importing.control.findings import Doubt
from data_pipelines.importing.control.options import ControlOptions, LastStep, Rewards


def chosen_layout(layout: Layout, columns: tuple[str, ...], options: ControlOptions) -> Layout:
    """The layout of a format (or recipe) with what the user decided.

    Raises:
      SourceError: a column that was named is not there, or nothing is left to observe or to do.
    """
    observation = dict(options.observation or layout.observation)
    for key in options.leave_out:
        if key not in observation:
            raise SourceError(f"leave_out: no observation key {key!r}, found {sorted(observation)}")
        del observation[key]
    if isinstance(options.frame_size, Mapping) and (unknown := sorted(set(options.frame_size) - set(observation))):
        raise SourceError(f"frame_size: no observation keys {unknown}, found {sorted(observation)}")
    reward = options.columns.get("reward", layout.reward) or None
    action = tuple(options.action) or layout.action
    if not action:
        raise SourceError(f"no action column found; name it with action; the source has {list(columns)}")
    if not observation:
        raise SourceError(f"no observation column found; name them with observation; the source has {list(columns)}")
    agent = options.agent or layout.agent
    for name in (*observation.values(), *action, *([reward] if reward else []), *([agent] if agent else [])):
        if name not in columns:
            raise SourceError(f"no column {name!r}, found {list(columns)}")
    return Layout(
        observation=dict(sorted(observation.items(), key=lambda entry: entry[0].split("/"))),
        action=action,
        reward=reward,
        last_observation={key: name for key, name in layout.last_observation.items() if key in observation},
        last_step=options.last_step or layout.last_step,
        rewards=options.rewards or layout.rewards,
        is_last=layout.is_last,
        is_terminal=layout.is_terminal,
        channels=options.channels or layout.channels,
        agent=agent,
    )


def interpret(raw: RawEpisode, layout: Layout) -> Demonstration | None:
    """The episode in our conventions, in the source's dtypes; None when it has no action at all.

    Raises:
      SourceError: columns that do not belong together, by their lengths; dtypes and ranks that `rules` do not allow.
    """
    where = f"episode {raw.id!r}"
    action = _action(raw, layout)
    observation = {key: _observed(raw, name) for key, name in layout.observation.items()}
    lengths = {key: len(values) for key, values in observation.items()}
    total = next(iter(lengths.values()))
    if len(set(lengths.values())) > 1 or total not in (len(action), len(action) + 1):
        raise SourceError(
            f"{where}: expected as many observations as actions, or one more; found {len(action)} actions "
            f"and observations {lengths}"
        )
    flags = {name: _column(raw, name) for name in (layout.is_last, layout.is_terminal) if name is not None}
    flags = {name: rules.as_flags(where, name, values) for name, values in flags.items()}
    lengths = {name: len(values) for name, values in flags.items()}
    rules.check_covers(where, lengths, len(action), of=layout.action[0], more=1)
    shifted = layout.rewards is Rewards.SHIFTED
    rewards = _rewards(raw, layout, len(action))
    has_last = total == len(action) + 1
    count, doubts = len(action), list[Doubt]()
    if not has_last and count and (_is_dummy(layout, flags) or (shifted and layout.reward is not None)):
        has_last, count = True, count - 1
        doubts += _last_step_doubts(action, rewards, layout)
    elif shifted and len(rewards) <= count:
        has_last, count = True, count - 1  # Nothing tells what the last action brought.
    if count < 1:
        return None
    following = {key: _observed(raw, name) for key, name in layout.last_observation.items()}
    repeated = not has_last and set(following) != set(observation)
    doubts += [*_chain_doubts(observation, following, layout), *_reward_doubts(rewards, layout, len(action))]
    if not has_last:
        last = {key: following[key][-1:] if key in following else values[-1:] for key, values in observation.items()}
        observation = {key: np.concatenate([values, last[key]]) for key, values in observation.items()}
    terminal = None if layout.is_terminal is None else flags[layout.is_terminal]
    return Demonstration(
        id=raw.id,
        observation={key: values[: count + 1] for key, values in observation.items()},
        action=action[:count],
        reward=rewards[1 : count + 1] if shifted else rewards[:count],
        terminal=bool(terminal[-1]) if terminal is not None and len(terminal) else bool(raw.terminal),
        repeated=repeated,
        agent=None if layout.agent is None else rules.one_agent(where, layout.agent, _column(raw, layout.agent)),
        doubts=tuple(doubts),
    )


def _rewards(raw: RawEpisode, layout: Layout, steps: int) -> np.ndarray:
    """[N] or [N + 1]; zeros where the source has none."""
    if layout.reward is None:
        return np.zeros(steps + 1)
    where = f"episode {raw.id!r}"
    rewards = rules.one_per_step(where, layout.reward, _column(raw, layout.reward))
    if len(rewards) not in (steps, steps + 1):
        raise SourceError(f"{where}: expected {steps} rewards, found {len(rewards)}")
    return rewards


def _reward_doubts(rewards: np.ndarray, layout: Layout, steps: int) -> Iterator[Doubt]:
    if layout.reward is not None and layout.rewards is Rewards.ALIGNED and len(rewards) > steps and rewards[-1]:
        yield Doubt(
            "reward", "there is one reward more than actions, and the last one, which is not 0, is left out",
            "--rewards shifted, if each belongs to the action before it", steps,
        )  # fmt: skip


def _last_step_doubts(action: np.ndarray, rewards: np.ndarray, layout: Layout) -> Iterator[Doubt]:
    """What a last step holds that only `is_last` calls a placeholder: those are zeros, or the step before again."""
    if layout.last_step is not LastStep.AUTO or layout.rewards is Rewards.SHIFTED:
        return
    step, fix = len(action) - 1, "--last-step real keeps the last step; --last-step dummy says that it is none"
    is_nonzero = action.dtype.kind in "biuf" and bool(np.any(action[-1]) and np.isfinite(action[-1]).all())
    if is_nonzero and not (step and np.array_equal(action[-1], action[-2])):
        yield Doubt(
            "action", "the last step is left out as a placeholder, because is_last is set, but its action is neither "
            "zero nor the one before again", fix, step,
        )  # fmt: skip
    if layout.reward is not None and rewards[step] and np.isfinite(rewards[step]):
        yield Doubt(
            "reward", "the last step is left out as a placeholder, because is_last is set, but its reward is not zero",
            fix, step,
        )  # fmt: skip


def _chain_doubts(
    observation: Mapping[str, np.ndarray], following: Mapping[str, np.ndarray], layout: Layout
) -> Iterator[Doubt]:
    for key, values in following.items():
        if steps := rules.broken_chain(observation[key], values):
            yield Doubt(
                key,
                f"{layout.last_observation[key]!r} of a step is not {layout.observation[key]!r} of the next one",
                "episodes may end elsewhere: look at the flags or ends, and at steps that are missing", steps[0],
            )  # fmt: skip


def _is_dummy(layout: Layout, flags: Mapping[str, np.ndarray]) -> bool:
    if layout.last_step is LastStep.AUTO:
        return layout.is_last is not None and bool(flags[layout.is_last][-1])
    return layout.last_step is LastStep.DUMMY


def _action(raw: RawEpisode, layout: Layout) -> np.ndarray:
    parts = [_observed(raw, name) for name in layout.action]
    if len(parts) == 1:
        return parts[0]
    lengths = [len(part) for part in parts]
    if len(set(lengths)) > 1:
        raise SourceError(f"episode {raw.id!r}: action columns {list(layout.action)} have lengths {lengths}")
    for name, part in zip(layout.action, parts, strict=True):
        rules.check_values(f"episode {raw.id!r}", name, part)  # Texts cannot be joined with numbers.
    # Joined columns are one vector: a gripper's bool beside a float translation counts as 0.0 or 1.0.
    return np.concatenate([np.reshape(part, (len(part), -1)).astype(np.result_type(*parts)) for part in parts], axis=1)


def _observed(raw: RawEpisode, name: str) -> np.ndarray:
    values = np.asarray(_column(raw, name))
    rules.check_values(f"episode {raw.id!r}", name, values, texts=True)
    return values


def _column(raw: RawEpisode, name: str) -> np.ndarray:
    if name not in raw.columns:
        raise SourceError(f"episode {raw.id!r}: no column {name!r}, found {sorted(raw.columns)}")
    return raw.columns[name]
