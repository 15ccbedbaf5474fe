"""As many Atari games beside the benchmark's as the paper has, with modes and difficulties that the seed draws."""

from data_pipelines.mixtures.table1_names import ATARI_EXTENDED_28
from data_pipelines.suites.atari.tasks import game_suite, game_task

SUITE = game_suite(
    "atari_extended", [game_task("atari_extended", game, random_mode=True) for game in ATARI_EXTENDED_28]
)
