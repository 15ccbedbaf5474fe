"""Bodies that differ from the suite's by the factors that the paper's appendix gives for "Random Large"."""

from data_pipelines.suites.dm_control.factors import Factors
from data_pipelines.suites.dm_control.perturbed_tasks import perturbed_suite

SUITE = perturbed_suite("dm_control_random_large", Factors(smaller=(0.6, 0.8), larger=(1.2, 1.4)))
