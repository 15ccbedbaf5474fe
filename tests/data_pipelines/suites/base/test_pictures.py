"""Pictures in another size."""

import numpy as np

from data_pipelines.suites.base.pictures import resized

PICTURE = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


def test_a_pixel_is_the_mean_of_those_that_it_covers():
    smaller = resized(PICTURE, (2, 3))
    assert (smaller.shape, smaller.dtype) == ((2, 3, 3), np.uint8)
    means = PICTURE.reshape(2, 2, 3, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(smaller, means, atol=0.5)


def test_the_same_size_is_a_copy():
    same = resized(PICTURE, (4, 6))
    np.testing.assert_array_equal(same, PICTURE)
    assert not np.shares_memory(same, PICTURE)
