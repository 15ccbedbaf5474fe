"""Which public names stand for each control row of Table 1: as many as the paper counts, where there are as many.

The paper counts the tasks of a row and names few of them. Where a public list is longer than its count, the choice is
ours, and the reason stands beside it. Levels, games and bodies beyond a row's tasks join no row.
"""

from collections.abc import Iterable, Mapping, Sequence

from data_pipelines.mixtures.table1_names import (
    ATARI,
    ATARI_EXTENDED_28,
    DM_CONTROL_PIXELS,
    DMLAB,
    MODULAR_RL,
    PROCGEN,
    split_names,
)


def without(names: Iterable[str], *left_out: str) -> tuple[str, ...]:
    """The names but for some of them. Raises `ValueError` where one of those is not there to leave out."""
    names = tuple(names)
    if strangers := sorted(set(left_out) - set(names)):
        raise ValueError(f"expected names of the list, found {strangers}")
    return tuple(name for name in names if name not in left_out)


ATARI_51 = without(ATARI, "boxing", "berzerk", "pitfall", "skiing", "solaris", "surround")
"""The 49 games of Mnih et al. (2015) without boxing, which the paper holds out; Defender, which it names; and of the
other seven of the 57 the two of which RL Unplugged has data, Phoenix and Yars' Revenge."""

BABYAI_46 = split_names("""
    action_obj_door blocked_unlock_pickup boss_level boss_level_no_unlock find_obj_s5 go_to go_to_door go_to_imp_unlock
    go_to_local go_to_local_s5n2 go_to_obj go_to_obj_door go_to_obj_maze go_to_obj_maze_open go_to_open go_to_red_ball
    go_to_red_ball_grey go_to_red_ball_no_dists go_to_red_blue_ball go_to_seq key_corridor mini_boss_level
    move_two_across_s8n9 one_room_s8 open open_door open_door_color open_door_loc open_doors_order_n4
    open_red_blue_doors open_red_door open_two_doors pickup pickup_above pickup_dist pickup_loc put_next_local
    put_next_s4n1 synth synth_loc synth_seq unblock_pickup unlock unlock_local unlock_pickup unlock_to_unlock
""")
"""minigrid's 96 levels are 48 kinds in several sizes. One of each kind, with the size that JAT recorded where the kind
has no plain form, and the quickstart's go_to_local_s5n2; left out are key_in_box, which BabyAI's bot, the paper's
demonstrator, does not solve (ours is a search), and unlock_local_dist and unlock_pickup_dist, which are two others with
more objects."""

DM_CONTROL_30 = (
    *without(DM_CONTROL_PIXELS, "cartpole_swingup"), "manipulator_insert_ball", "manipulator_insert_peg",
    "quadruped_walk",
)  # fmt: skip
"""The suite's 28 benchmarking tasks without cartpole_swingup, which the paper holds out; and those three of the
others of which RL Unplugged has data: two of its control suite, and the quadruped of its Real-World RL suite."""

DM_CONTROL_RANDOM_26 = without(DM_CONTROL_PIXELS, "cartpole_swingup", "cartpole_swingup_sparse")
"""The suite's 28 benchmarking tasks without cartpole_swingup, which the paper holds out, and without its sparse form:
the same body and goal."""

METAWORLD_45 = split_names("""
    basketball button_press button_press_topdown button_press_topdown_wall button_press_wall coffee_button coffee_pull
    coffee_push dial_turn disassemble door_close door_open drawer_close drawer_open faucet_close faucet_open hammer
    handle_press handle_press_side handle_pull handle_pull_side lever_pull peg_insert_side peg_unplug_side
    pick_out_of_hole pick_place pick_place_wall plate_slide plate_slide_back plate_slide_back_side plate_slide_side
    push push_back push_wall reach reach_wall shelf_place soccer stick_pull stick_push sweep sweep_into window_close
    window_open bin_picking
""")
"""The training tasks of Meta-World's ML45. assembly, which is one of them, is held out by the paper: the first of
ML45's five test tasks takes its place."""

SOKOBAN = ("boxoban",)
"""One task in the paper: levels of ten rows with four boxes, as the published Boxoban set has them."""

RGB_STACKING = ("rgb_stacking", "triplet1", "triplet2", "triplet3", "triplet4", "triplet5")
"""One task in the paper, over five test triplets of objects: here each triplet is a task. `rgb_stacking` are imported
episodes."""


def _named(domain: str, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{domain}.{name}" for name in names)


TASKS: Mapping[str, tuple[str, ...]] = {
    # Levels in the public repository: which of them are among the paper's 254 is not known.
    "DM Lab": _named("dmlab", DMLAB),
    "ALE Atari": _named("atari", ATARI_51),
    "ALE Atari Extended": _named("atari_extended", ATARI_EXTENDED_28),
    "Sokoban": _named("sokoban", SOKOBAN),
    "BabyAI": _named("babyai", BABYAI_46),
    "DM Control Suite": _named("dm_control", DM_CONTROL_30),
    # As many as the paper's with cartpole_swingup, which is held out here as in the row above: the paper may not do so.
    "DM Control Suite Pixels": _named("dm_control_pixels", without(DM_CONTROL_PIXELS, "cartpole_swingup")),
    "DM Control Suite Random Small": _named("dm_control_random_small", DM_CONTROL_RANDOM_26),
    "DM Control Suite Random Large": _named("dm_control_random_large", DM_CONTROL_RANDOM_26),
    "Meta-World": _named("metaworld", METAWORLD_45),
    "Procgen Benchmark": _named("procgen", PROCGEN),
    "RGB Stacking simulator": _named("rgb_stacking_sim", RGB_STACKING),
    "Modular RL": _named("modular_rl", MODULAR_RL),
}
"""Row -> our names of its tasks. Rows that are not here were never released in any form that names tasks."""
