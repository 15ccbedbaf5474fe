"""How to read the public RLDS data sets: which row of Table 1 each can stand for, what to take, what to beware of."""

import dataclasses
import fnmatch
from collections.abc import Mapping

from data_pipelines.importing.common.errors import SourceError
from data_pipelines.importing.control.episodes import Layout
from data_pipelines.importing.control.options import LastStep
from data_pipelines.spec import Kind


@dataclasses.dataclass(frozen=True)
class Recipe:
    """One family of data sets.

    Args:
      builders: names in the TFDS catalog, with `*`.
      row: of Table 1, "" for none.
      task: how its tasks are named, so that the row's pattern (`table1.ROWS`) holds them.
      observation: key of ours -> column; empty takes all there are.
      leave_out: columns that are no observation: pictures beside the state, embeddings, goals, leaks.
      action: columns; empty takes `action`.
      action_kind: of the action.
      last_step: see `LastStep`.
      traps: what the recipe takes care of, and what it cannot.
    """

    builders: tuple[str, ...]
    row: str
    task: str
    action_kind: Kind
    observation: Mapping[str, str] = dataclasses.field(default_factory=dict)
    leave_out: tuple[str, ...] = ()
    action: tuple[str, ...] = ()
    last_step: LastStep = LastStep.AUTO
    traps: str = ""


RECIPES: Mapping[str, Recipe] = {
    "rlu_atari": Recipe(
        ("rlu_atari", "rlu_atari_checkpoints", "rlu_atari_checkpoints_ordered"), "ALE Atari", "atari.<game>",
        Kind.DISCRETE, {"image": "observation"},
        traps="rewards and returns are clipped: do not compare them with human scores. The episodes are a DQN's whole "
        "replay: use the filter, late checkpoints first. Single gray frames. Boxing is held out in the paper.",
    ),
    "rlu_dmlab": Recipe(
        ("rlu_dmlab_*",), "DM Lab", "dmlab.<level>", Kind.DISCRETE, {"image": "observation/pixels"},
        traps="the last action and reward are left out of the observation. Episodes end by time limit, so is_terminal "
        "is never set. Versions before 1.2.0 have red and blue exchanged.",
    ),
    "rlu_control_suite": Recipe(
        ("rlu_control_suite",), "DM Control Suite", "dm_control.<domain>_<task>", Kind.CONTINUOUS,
        last_step=LastStep.DUMMY,
        traps="rewards were moved to the action that earned them, and the last step's is padding: the last step is "
        "dropped. cartpole_swingup is held out in the paper.",
    ),
    "rlu_locomotion": Recipe(
        ("rlu_locomotion",), "", "locomotion.<body>_<task>", Kind.CONTINUOUS,
        last_step=LastStep.DUMMY,
        traps="the last step is padding and dropped. State and the egocentric camera are both taken: --leave-out "
        "walker/egocentric_camera takes the state alone.",
    ),
    "rlu_rwrl": Recipe(
        ("rlu_rwrl",), "DM Control Suite Random Small", "dm_control_random_small.<task>_<challenge>", Kind.CONTINUOUS,
        last_step=LastStep.DUMMY,
        traps="action, reward and discount of the last step are copies, so it is dropped. A relative of the row, not "
        "the same: bodies are not scaled as in the paper. cartpole_swingup is held out in the paper.",
    ),
    "d4rl_mujoco": Recipe(
        ("d4rl_mujoco_*",), "Modular RL", "modular_rl.d4rl_<body>_<quality>", Kind.CONTINUOUS, {"state": "observation"},
        traps="four of gymnasium's bodies, relatives of the row's. `infos` are left out. discount is 1 everywhere. "
        "Version 1 replays are float64.",
    ),
    "d4rl": Recipe(
        ("d4rl_*",), "", "d4rl.<task>_<quality>", Kind.CONTINUOUS, {"state": "observation"},
        traps="`infos` are left out. discount is 1 everywhere. Version 1 replays are float64.",
    ),
    "robomimic": Recipe(
        ("robomimic_*",), "", "robomimic.<task>_<quality>", Kind.CONTINUOUS,
        traps="float64. `object` is the simulator's state of the objects, which no robot sees: beside pictures, leave "
        "it out (--leave-out object). Actions of its controllers lie in [-1, 1].",
    ),
    "mt_opt": Recipe(
        ("mt_opt",), "", "robot.mt_opt", Kind.CONTINUOUS,
        {"image": "observation/image", "gripper_closed": "observation/gripper_closed",
         "height_to_bottom": "observation/height_to_bottom"},
        action=("action/target_pose", "action/close_gripper", "action/open_gripper", "action/terminate"),
        traps="frames are 512x640, 1,280 patches: --frame-size 256x320 makes them 320. Target poses are not in "
        "[-1, 1].",
    ),
    "open_x_rt1": Recipe(
        ("fractal20220817_data*",), "RGB Stacking real robot", "rgb_stacking_real.rt1", Kind.CONTINUOUS,
        {"image": "observation/image", "instruction": "observation/natural_language_instruction"},
        action=("action/world_vector", "action/rotation_delta", "action/gripper_closedness_action"),
        traps="another robot than the row's. Embeddings are left out. Frames are 256x320, 320 patches: --frame-size "
        "128x160 makes them 80.",
    ),
    "open_x_bridge": Recipe(
        ("bridge", "bridge_*"), "RGB Stacking real robot", "rgb_stacking_real.bridge", Kind.CONTINUOUS,
        traps="another robot than the row's. Actions are not in [-1, 1]: give their range.",
    ),
    "open_x": Recipe(
        ("kuka", "bc_z", "roboturk", "jaco_play", "taco_play", "viola", "language_table", "cmu_*", "berkeley_*",
         "stanford_*", "utokyo_*", "ucsd_*", "austin_*", "columbia_*", "nyu_door_*", "nyu_franka_*", "nyu_rot_*",
         "iamlab_*", "dlr_*", "kaist_*", "asu_*", "utaustin_*", "imperialcollege_*", "maniskill_dataset_*", "uiuc_*",
         "tokyo_*", "toto", "aloha_mobile", "conq_hose_manipulation", "dobbe",
         "eth_agent_affordances", "fmb", "io_ai_tech", "mimic_play", "plex_robosuite", "robo_ai_u_r5e", "robo_set",
         "spoc", "tidybot", "usc_cloth_*", "vima_*", "droid"),
        "RGB Stacking real robot", "rgb_stacking_real.<data set>", Kind.CONTINUOUS,
        traps="another robot than the row's. Embeddings are left out. A last step that is_last is dropped, also where "
        "its action is real (--last-step real keeps it). Actions are rarely in [-1, 1]: give their range. Several "
        "cameras, some with large frames: --frame-size and --leave-out.",
    ),
}  # fmt: skip
"""Facts of TFDS 4.9's builders. What no release of TFDS could tell us is left to the options."""

_NEVER = ("*embedding*",)
"""Columns that no recipe takes: vectors of other people's models."""


def find(builder: str, name: str) -> Recipe | None:
    """The recipe that was asked for: by name, "auto" by the data set's name (None where no recipe knows it), "none".

    Raises:
      SourceError: no such recipe.
    """
    if name == "none":
        return None
    if name == "auto":
        fitting = (
            recipe
            for recipe in RECIPES.values()
            if any(fnmatch.fnmatchcase(builder, pattern) for pattern in recipe.builders)
        )
        return next(fitting, None)
    if name not in RECIPES:
        raise SourceError(f"no recipe {name!r}; expected auto, none or one of {sorted(RECIPES)}")
    return RECIPES[name]


def apply(recipe: Recipe, layout: Layout, columns: tuple[str, ...]) -> tuple[Layout, tuple[str, ...]]:
    """A data set's layout as its recipe has it, and notes of what that does.

    Raises:
      SourceError: the data set has not what the recipe takes.
    """
    name = next(name for name, value in RECIPES.items() if value is recipe)
    taken = recipe.observation or layout.observation
    if missing := sorted({*taken.values(), *recipe.action} - set(columns)):
        raise SourceError(f"recipe {name!r}: no columns {missing}, found {list(columns)}; try --recipe none")

    def out(column: str) -> bool:
        return column in recipe.leave_out or any(fnmatch.fnmatchcase(column, pattern) for pattern in _NEVER)

    left_out = sorted(column for column in taken.values() if out(column))
    notes = [f"recipe {name}: {recipe.traps}"]
    notes += [f"recipe {name}: left out {', '.join(left_out)}"] if left_out else []
    changed = dataclasses.replace(
        layout,
        observation={key: column for key, column in taken.items() if not out(column)},
        action=recipe.action or layout.action,
        last_step=recipe.last_step,
    )
    return changed, tuple(notes)
