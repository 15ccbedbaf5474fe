"""Plans between their knots."""

import numpy as np

from data_pipelines.suites.planners.mppi import _interpolation


def test_interpolation_joins_knots_and_holds_the_last():
    weights = _interpolation(np.array([0.0, 1.0]), np.array([0.0, 0.25, 1.0, 3.0]))
    np.testing.assert_allclose(weights, [[1, 0], [0.75, 0.25], [0, 1], [0, 1]])
