"""One adapter per suite behind `dm_env`, found by name through `catalog`."""

from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.catalog import make

__all__ = ["Environment", "make"]
