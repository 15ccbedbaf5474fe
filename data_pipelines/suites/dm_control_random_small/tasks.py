"""Bodies that differ from the suite's by the factors that the paper's appendix gives for "Random Small"."""

from data_pipelines.suites.dm_control.factors import Factors
from data_pipelines.suites.dm_control.perturbed_tasks import perturbed_suite

SUITE = perturbed_suite("dm_control_random_small", Factors(smaller=(0.9, 0.95), larger=(1.05, 1.1)))
