"""Names of Table 1's tasks that public sources give: games, levels, suites and bodies. None is our own invention.

The paper names few of its tasks. Where a public list is longer than the paper's count, which of it the paper used is
not known; where it is shorter, the others were never released.
"""

from collections.abc import Mapping, Sequence


def split_names(text: str) -> tuple[str, ...]:
    """Names that stand between blanks."""
    return tuple(text.split())


DMLAB = split_names("""
    explore_goal_locations_large explore_goal_locations_small explore_object_locations_large
    explore_object_locations_small explore_object_rewards_few explore_object_rewards_many
    explore_obstructed_goals_large explore_obstructed_goals_small fast_mapping_test fast_mapping_train
    language_answer_quantitative_question language_execute_random_task language_select_described_object
    language_select_located_object lasertag_one_opponent_large lasertag_one_opponent_small
    lasertag_three_opponents_large lasertag_three_opponents_small lt_chasm lt_hallway_slope lt_horseshoe_color
    lt_space_bounce_hard natlab_fixed_large_map natlab_varying_map_randomized natlab_varying_map_regrowth
    nav_maze_random_goal_01 nav_maze_random_goal_02 nav_maze_random_goal_03 nav_maze_static_01 nav_maze_static_02
    nav_maze_static_03 psychlab_arbitrary_visuomotor_mapping psychlab_continuous_recognition
    psychlab_cued_temporal_production psychlab_glass_pattern_detection psychlab_harlow
    psychlab_landoltc_identification psychlab_memory_arbitrary_visuomotor_mapping_holdout_extrapolate
    psychlab_memory_arbitrary_visuomotor_mapping_holdout_interpolate
    psychlab_memory_arbitrary_visuomotor_mapping_train psychlab_memory_change_detection_holdout_extrapolate
    psychlab_memory_change_detection_holdout_interpolate psychlab_memory_change_detection_train
    psychlab_memory_continuous_recognition_holdout_extrapolate
    psychlab_memory_continuous_recognition_holdout_interpolate psychlab_memory_continuous_recognition_train
    psychlab_memory_explore_goal_locations_extrapolate psychlab_memory_explore_goal_locations_holdout_extrapolate
    psychlab_memory_explore_goal_locations_holdout_interpolate psychlab_memory_explore_goal_locations_holdout_large
    psychlab_memory_explore_goal_locations_holdout_small psychlab_memory_explore_goal_locations_interpolate
    psychlab_memory_explore_goal_locations_train_large psychlab_memory_explore_goal_locations_train_small
    psychlab_memory_what_then_where_holdout_interpolate psychlab_memory_what_then_where_train
    psychlab_motion_discrimination psychlab_motion_discrimination_easy psychlab_multiple_object_tracking
    psychlab_multiple_object_tracking_easy psychlab_odd_one_out psychlab_ready_set_go psychlab_sequential_comparison
    psychlab_temporal_bisection psychlab_temporal_discrimination psychlab_visual_search
    psychlab_visuospatial_memory_guided_saccade psychlab_visuospatial_odd_one_out psychlab_visuospatial_pathfinder
    psychlab_visuospatial_pursuit psychlab_visuospatial_visual_match
    psychlab_visuospatial_visually_guided_antisaccade psychlab_visuospatial_visually_guided_prosaccade
    rooms_collect_good_objects_test rooms_collect_good_objects_train rooms_exploit_deferred_effects_test
    rooms_exploit_deferred_effects_train rooms_keys_doors_puzzle rooms_select_nonmatching_object rooms_watermaze
    seekavoid_arena_01 skymaze_irreversible_path_hard skymaze_irreversible_path_varied slow_mapping_test
    slow_mapping_train stairway_to_melon
""")
"""Levels in the repository of DeepMind Lab, without its demos and tests; which of them are among the paper's is
not known."""

ATARI = split_names("""
    alien amidar assault asterix asteroids atlantis bank_heist battle_zone beam_rider berzerk bowling boxing
    breakout centipede chopper_command crazy_climber defender demon_attack double_dunk enduro fishing_derby freeway
    frostbite gopher gravitar hero ice_hockey jamesbond kangaroo krull kung_fu_master montezuma_revenge ms_pacman
    name_this_game phoenix pitfall pong private_eye qbert riverraid road_runner robotank seaquest skiing solaris
    space_invaders star_gunner surround tennis time_pilot tutankham up_n_down venture video_pinball wizard_of_wor
    yars_revenge zaxxon
""")
"""The 57 games of the Arcade Learning Environment's benchmark; the paper has 51 of them and holds out boxing."""

ATARI_EXTENDED = split_names("""
    adventure air_raid atlantis2 backgammon basic_math blackjack carnival casino crossbow darkchambers donkey_kong
    earthworld elevator_action entombed et flag_capture frogger galaxian hangman haunted_house human_cannonball
    journey_escape kaboom keystone_kapers king_kong klax koolaid laser_gates lost_luggage mario_bros miniature_golf
    mr_do othello pacman pitfall2 pooyan sir_lancelot space_war superman tetris tic_tac_toe_3d trondead turmoil
    video_checkers video_chess video_cube word_zapper
""")
"""The other games that the Arcade Learning Environment supports; the paper has 28 of them."""

ATARI_EXTENDED_28 = split_names("""
    adventure air_raid basic_math blackjack casino crossbow et flag_capture frogger galaxian hangman haunted_house
    human_cannonball king_kong lost_luggage mario_bros mr_do othello pacman pooyan space_war superman tic_tac_toe_3d
    turmoil video_checkers video_chess video_cube word_zapper
""")
"""Our choice of as many as the paper has, which names none: those with the most combinations of mode and difficulty,
as the paper draws both for each episode. Each has at least three; Klax, the only other one with three, comes last by
name."""

DM_CONTROL = split_names("""
    acrobot_swingup acrobot_swingup_sparse ball_in_cup_catch cartpole_balance cartpole_balance_sparse
    cartpole_swingup cartpole_swingup_sparse cartpole_three_poles cartpole_two_poles cheetah_run dog_fetch dog_run
    dog_stand dog_trot dog_walk finger_spin finger_turn_easy finger_turn_hard fish_swim fish_upright hopper_hop
    hopper_stand humanoid_cmu_run humanoid_cmu_stand humanoid_cmu_walk humanoid_run humanoid_run_pure_state
    humanoid_stand humanoid_walk lqr_lqr_2_1 lqr_lqr_6_2 manipulator_bring_ball manipulator_bring_peg
    manipulator_insert_ball manipulator_insert_peg pendulum_swingup point_mass_easy point_mass_hard quadruped_escape
    quadruped_fetch quadruped_run quadruped_walk reacher_easy reacher_hard stacker_stack_2 stacker_stack_4
    swimmer_swimmer15 swimmer_swimmer6 walker_run walker_stand walker_walk
""")
"""`dm_control.suite.ALL_TASKS`; the paper has 30 of them and holds out cartpole_swingup."""

DM_CONTROL_PIXELS = split_names("""
    acrobot_swingup acrobot_swingup_sparse ball_in_cup_catch cartpole_balance cartpole_balance_sparse
    cartpole_swingup cartpole_swingup_sparse cheetah_run finger_spin finger_turn_easy finger_turn_hard fish_swim
    fish_upright hopper_hop hopper_stand humanoid_run humanoid_stand humanoid_walk manipulator_bring_ball
    pendulum_swingup point_mass_easy reacher_easy reacher_hard swimmer_swimmer15 swimmer_swimmer6 walker_run
    walker_stand walker_walk
""")
"""`dm_control.suite.BENCHMARKING`, whose 28 tasks are as many as the paper's."""

PROCGEN = split_names("""
    bigfish bossfight caveflyer chaser climber coinrun dodgeball fruitbot heist jumper leaper maze miner ninja
    plunder starpilot
""")
"""The 16 games of the benchmark."""

MODULAR_RL = split_names("""
    cheetah_2_back cheetah_2_front cheetah_3_back cheetah_3_balanced cheetah_3_front cheetah_4_allback
    cheetah_4_allfront cheetah_4_back cheetah_4_front cheetah_5_back cheetah_5_balanced cheetah_5_front
    cheetah_6_back cheetah_6_front cheetah_7_full hopper_3 hopper_4 hopper_5 humanoid_2d_7_left_arm
    humanoid_2d_7_left_leg humanoid_2d_7_lower_arms humanoid_2d_7_right_arm humanoid_2d_7_right_leg
    humanoid_2d_8_left_knee humanoid_2d_8_right_knee humanoid_2d_9_full walker_2_flipped walker_2_main
    walker_3_flipped walker_3_main walker_4_flipped walker_4_main walker_5_flipped walker_5_main walker_6_flipped
    walker_6_main walker_7_flipped walker_7_main
""")
"""The bodies in the repository of Huang et al. (2020), as many as the paper's."""

NAMES: Mapping[str, Sequence[str]] = {
    "DM Lab": [f"dmlab.{name}" for name in DMLAB],
    "ALE Atari": [f"atari.{name}" for name in ATARI],
    "ALE Atari Extended": [f"atari_extended.{name}" for name in ATARI_EXTENDED],
    "Sokoban": ["sokoban.boxoban"],
    "DM Control Suite": [f"dm_control.{name}" for name in DM_CONTROL],
    "DM Control Suite Pixels": [f"dm_control_pixels.{name}" for name in DM_CONTROL_PIXELS],
    "Procgen Benchmark": [f"procgen.{name}" for name in PROCGEN],
    "RGB Stacking simulator": [f"rgb_stacking_sim.triplet{number}" for number in range(1, 6)],
    "Modular RL": [f"modular_rl.{name}" for name in MODULAR_RL],
}
"""Row of Table 1 -> our names of its tasks. The catalog names BabyAI's and Meta-World's; nobody names the others'. The
paper's one task of stacking has many objects; those that are public as a benchmark are five triplets."""
