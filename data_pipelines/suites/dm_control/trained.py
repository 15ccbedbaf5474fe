"""Suite tasks that a small trained network demonstrates, in the suite's own bodies."""

from collections.abc import Mapping

from data_pipelines.suites.trained.features import StateFeatures
from data_pipelines.suites.trained.settings import TrainedPolicy

POLICIES: Mapping[str, TrainedPolicy] = {
    "cheetah_run": TrainedPolicy(
        "cheetah_run", StateFeatures(positions=(*range(1, 9),), velocities=(*range(9),)), repeat=4
    ),
    "finger_spin": TrainedPolicy("finger_spin", StateFeatures(positions=(0, 1), turns=(2,), velocities=(0, 1, 2)), 2),
}
"""By the suite's names, domain and task joined by "_"; the weights of each are in the package."""
