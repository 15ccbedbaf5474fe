"""Procgen with all games in the easy mode."""

from data_pipelines.mixtures.table1_names import PROCGEN
from data_pipelines.suites.procgen.tasks import game_suite

SUITE = game_suite("procgen_easy", easy=PROCGEN, counts=False)
