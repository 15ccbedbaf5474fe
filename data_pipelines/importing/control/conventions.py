"""From a source's conventions to ours: which action a reward belongs to, and whether the last step is real.

Ours are RLDS's: step t holds observation t, the action taken there and its reward; the last step's action is a
placeholder. (RL Unplugged, d4rl, Minari, LeRobot and JAT each differ in one of these.)
"""

from collections.abc import Mapping

import numpy as np

from data_pipelines.importing.common.errors import SourceError
from data_pipelines.importing.control.episodes import Demonstration, Layout, RawEpisode
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
    for name in (*observation.values(), *action, *([reward] if reward else [])):
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
    )


def interpret(raw: RawEpisode, layout: Layout) -> Demonstration | None:
    """The episode in our conventions, in the source's dtypes; None when it has no action at all.

    Raises:
      SourceError: columns that do not belong together, by their lengths.
    """
    action = _action(raw, layout)
    observation = {key: _column(raw, name) for key, name in layout.observation.items()}
    lengths = {key: len(values) for key, values in observation.items()}
    total = next(iter(lengths.values()))
    if len(set(lengths.values())) > 1 or total not in (len(action), len(action) + 1):
        raise SourceError(
            f"episode {raw.id!r}: expected as many observations as actions, or one more; found {len(action)} actions "
            f"and observations {lengths}"
        )
    shifted = layout.rewards is Rewards.SHIFTED
    rewards = np.zeros(len(action) + 1) if layout.reward is None else _column(raw, layout.reward)
    if layout.reward is not None and len(rewards) not in (len(action), len(action) + 1):
        raise SourceError(f"episode {raw.id!r}: expected {len(action)} rewards, found {len(rewards)}")
    has_last = total == len(action) + 1
    count = len(action)
    if not has_last and count and (_is_dummy(raw, layout) or (shifted and layout.reward is not None)):
        has_last, count = True, count - 1
    elif shifted and len(rewards) <= count:
        has_last, count = True, count - 1  # Nothing tells what the last action brought.
    if count < 1:
        return None
    last = {key: _column(raw, name)[-1:] for key, name in layout.last_observation.items()}
    repeated = not has_last and set(last) != set(observation)
    if not has_last:
        observation = {key: np.concatenate([values, last.get(key, values[-1:])]) for key, values in observation.items()}
    flags = None if layout.is_terminal is None else np.asarray(_column(raw, layout.is_terminal), bool)
    return Demonstration(
        id=raw.id,
        observation={key: values[: count + 1] for key, values in observation.items()},
        action=action[:count],
        reward=rewards[1 : count + 1] if shifted else rewards[:count],
        terminal=bool(flags[-1]) if flags is not None and len(flags) else bool(raw.terminal),
        repeated=repeated,
    )


def _is_dummy(raw: RawEpisode, layout: Layout) -> bool:
    if layout.last_step is LastStep.AUTO:
        return layout.is_last is not None and bool(_column(raw, layout.is_last)[-1])
    return layout.last_step is LastStep.DUMMY


def _action(raw: RawEpisode, layout: Layout) -> np.ndarray:
    parts = [_column(raw, name) for name in layout.action]
    if len(parts) == 1:
        return parts[0]
    lengths = [len(part) for part in parts]
    if len(set(lengths)) > 1:
        raise SourceError(f"episode {raw.id!r}: action columns {list(layout.action)} have lengths {lengths}")
    # Joined columns are one vector: a gripper's bool beside a float translation counts as 0.0 or 1.0.
    return np.concatenate([np.reshape(part, (len(part), -1)).astype(np.result_type(*parts)) for part in parts], axis=1)


def _column(raw: RawEpisode, name: str) -> np.ndarray:
    if name not in raw.columns:
        raise SourceError(f"episode {raw.id!r}: no column {name!r}, found {sorted(raw.columns)}")
    return raw.columns[name]
