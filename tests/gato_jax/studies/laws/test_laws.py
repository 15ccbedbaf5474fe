"""Each family on losses that it should describe."""

import numpy as np
import pytest

from gato_jax.studies import designs
from gato_jax.studies.laws import laws

DOMAINS = ("one", "two", "three")
SHARES = np.asarray([[p.shares[name] for name in DOMAINS] for p in designs.sobol(DOMAINS, 32, least=0.03)])
HELD = np.asarray([[p.shares[name] for name in DOMAINS] for p in designs.dirichlet(DOMAINS, 50, seed=9, least=0.03)])


def errors(law, losses):
    return np.abs(laws.cross_validated(law, SHARES, losses, folds=4) / losses - 1)


@pytest.mark.parametrize("law", [laws.Law.GAUSSIAN_PROCESS, laws.Law.BOOSTED_TREES])
def test_regressors_beat_the_mean(law):
    pytest.importorskip("sklearn")
    losses = 1 + np.exp(SHARES @ np.asarray([-3, 0.5, 0.2]))
    assert np.median(errors(law, losses)) < np.median(errors(laws.Law.MEAN, losses)) / 2


def test_parameters_of_the_formulas_are_found_again():
    parameters = np.asarray([1.0, -3.0, 0.5, 0.2])
    refitted = laws.fit_exponential(SHARES, laws.exponential(parameters, SHARES))
    np.testing.assert_allclose(laws.exponential(refitted, HELD), laws.exponential(parameters, HELD), rtol=1e-4)
    parameters = np.asarray([1.0, 0.4, 1.5, -1.0, -2.0])
    refitted = laws.fit_effective_data(SHARES, laws.effective_data(parameters, SHARES))
    np.testing.assert_allclose(refitted, parameters, rtol=0.05)


def test_effective_data_describes_small_shares_better_than_an_exponential():
    """Why the family is there: where a domain is rare, its loss rises faster than an exponential."""
    exact = lambda shares: 2 + 0.5 * (3 * shares @ np.asarray([1, 0.05, 0.1])) ** -0.5  # noqa: E731
    noise = 1 + 0.003 * np.random.default_rng(0).standard_normal(len(SHARES))
    worst = {
        law: np.abs(laws.fit(law, SHARES, exact(SHARES) * noise)(HELD) / exact(HELD) - 1).max()
        for law in (laws.Law.EFFECTIVE_DATA, laws.Law.EXPONENTIAL)
    }
    assert worst[laws.Law.EFFECTIVE_DATA] < worst[laws.Law.EXPONENTIAL] / 1.5


def test_refits_spread_with_the_noise():
    exact = laws.effective_data(np.asarray([1.0, 0.4, 1.5, -1.0, -2.0]), SHARES)
    spreads = []
    for noise in (0.001, 0.02):
        noisy = exact * (1 + noise * np.random.default_rng(0).standard_normal(len(exact)))
        again = laws.refitted(laws.Law.EFFECTIVE_DATA, SHARES, noisy, samples=6)
        spreads.append(np.std([refit(HELD) for refit in again], axis=0).mean())
    assert spreads[1] > 3 * spreads[0] > 0
