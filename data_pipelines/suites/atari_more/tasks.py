"""The other games that ale-py plays. Combat, Joust, Maze Craze and Warlords are in its wheel too: it refuses them."""

from data_pipelines.mixtures.table1_names import ATARI_EXTENDED, ATARI_EXTENDED_28
from data_pipelines.suites.atari.tasks import game_suite, game_task

SUITE = game_suite(
    "atari_more", [game_task("atari_more", game) for game in ATARI_EXTENDED if game not in ATARI_EXTENDED_28]
)
