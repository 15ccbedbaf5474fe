"""What is known of DeepMind Lab's levels without the simulator: their files, what they show and what is done there."""

from data_pipelines.spec import ItemSpec, Kind, TaskSpec

FRAME_SIZE = (72, 96)
"""Height and width of the frames, those of IMPALA's public code and of the public data `rlu_dmlab_*`."""

FRAME_SKIP = 4
EPISODE_STEPS = 9_000
"""Ten minutes at 60 frames a second: episodes are cut then. Levels end most of their episodes earlier."""

ACTIONS = {
    "forward": (0, 0, 0, 1, 0, 0, 0),
    "backward": (0, 0, 0, -1, 0, 0, 0),
    "strafe_left": (0, 0, -1, 0, 0, 0, 0),
    "strafe_right": (0, 0, 1, 0, 0, 0, 0),
    "look_left": (-20, 0, 0, 0, 0, 0, 0),
    "look_right": (20, 0, 0, 0, 0, 0, 0),
    "forward_look_left": (-20, 0, 0, 1, 0, 0, 0),
    "forward_look_right": (20, 0, 0, 1, 0, 0, 0),
    "fire": (0, 0, 0, 0, 1, 0, 0),
}
"""Pixels of looking right and down, strafing right, moving forward, firing, jumping, crouching: the nine actions of
IMPALA's public code (Espeholt et al. 2018). Which ones the paper's agent had is not known."""

_DMLAB30 = ("explore_", "language_", "lasertag_", "natlab_", "rooms_", "skymaze_")
_DMLAB30_PSYCHLAB = (
    "psychlab_arbitrary_visuomotor_mapping", "psychlab_continuous_recognition", "psychlab_sequential_comparison",
    "psychlab_visual_search",
)  # fmt: skip
_FOLDERS = {
    "psychlab_memory_": "contributed/psychlab/memory_suite_01/",
    "psychlab_visuospatial_": "contributed/psychlab/visuospatial_suite/",
    "psychlab_": "contributed/psychlab/",
}


def level_path(level: str) -> str:
    """Where a level's script lies in `game_scripts/levels` of DeepMind Lab's sources, without its ending."""
    if level == "psychlab_landoltc_identification":  # Our names have no capitals.
        return "contributed/psychlab/landoltC_identification"
    if level.startswith(_DMLAB30) or level in _DMLAB30_PSYCHLAB:
        return f"contributed/dmlab30/{level}"
    if level.startswith(("fast_mapping_", "slow_mapping_")):
        return f"contributed/fast_mapping/{level}"
    for prefix, folder in _FOLDERS.items():
        if level.startswith(prefix):
            return folder + level.removeprefix(prefix)
    return level


def task_spec(name: str, level: str) -> TaskSpec:
    """Frames, and the instruction where the level gives one."""
    frame = ItemSpec("frame", Kind.IMAGE, (*FRAME_SIZE, 3), "uint8")
    instruction = ItemSpec("instruction", Kind.TEXT, (), "str")
    return TaskSpec(
        name=name,
        observation=(frame, instruction) if level.startswith("language_") else (frame,),
        action=ItemSpec("action", Kind.DISCRETE, (), "int32", num_values=len(ACTIONS)),
        max_episode_steps=EPISODE_STEPS,
    )
