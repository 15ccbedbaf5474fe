"""Mixing laws: the loss of a domain as a function of the shares of all domains.

The exponential law is that of Data Mixing Laws (Ye et al. 2024): L(r) = c + k exp(sum_j t_j r_j). As shares sum to one,
k goes into t, so c + exp(sum_j t_j r_j) is the same family.

The law of effective data is a power law in the data that a domain gets, its own and what the others are worth to it,
t_j >= 0 for one row of domain j: L(r) = c + (sum_j t_j r_j)^-a. Where only t_i of the domain itself is not zero, it is
BiMix's law for a fixed number of tokens (Ge et al. 2024); for large a it comes near the exponential law.

All fit the logarithm of the loss, as errors are judged relative to the loss: where a domain is learnt only above some
share, its losses differ by factors, and the large ones would else decide alone.
"""

import enum
import warnings
from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from scipy.optimize import least_squares, nnls

Predict = Callable[[Float[np.ndarray, "points domains"]], Float[np.ndarray, "points"]]


class Law(enum.Enum):
    """Families of laws."""

    EXPONENTIAL = "exponential"
    EFFECTIVE_DATA = "effective_data"
    GAUSSIAN_PROCESS = "gaussian_process"
    BOOSTED_TREES = "boosted_trees"
    MEAN = "mean"
    """The mean of the fitted losses: what a law has to beat."""


def fit(law: Law, shares: Float[np.ndarray, "points domains"], losses: Float[np.ndarray, "points"]) -> Predict:
    """Fits one domain's loss.

    Raises:
      ValueError: a loss that is not positive.
      RuntimeError: scikit-learn, which gaussian_process and boosted_trees need, is absent.
    """
    if not np.all(losses > 0):
        raise ValueError(f"laws are of positive losses, found {losses.min()}")
    if law is Law.EXPONENTIAL:
        parameters = fit_exponential(shares, losses)
        return lambda points: exponential(parameters, points)
    if law is Law.EFFECTIVE_DATA:
        coefficients = fit_effective_data(shares, losses)
        return lambda points: effective_data(coefficients, points)
    if law is Law.MEAN:
        return lambda points: np.full(len(points), losses.mean())
    try:
        from sklearn.ensemble import GradientBoostingRegressor
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
    except ImportError as error:
        raise RuntimeError(f"the law {law.value} needs scikit-learn: pip install 'gato-jax[studies]'") from error
    if law is Law.BOOSTED_TREES:
        trees = GradientBoostingRegressor(max_depth=3, n_estimators=200, learning_rate=0.05, random_state=0)
        trees.fit(shares, np.log(losses))
        return lambda points: np.exp(trees.predict(points))
    # Shares act by their ratios: a step from 1 % to 2 % matters as one from 20 % to 40 %.
    features = lambda points: np.log(np.asarray(points) + 1e-2)  # noqa: E731
    kernel = ConstantKernel(1.0) * RBF(np.ones(shares.shape[1]), (0.1, 100.0)) + WhiteKernel(1e-2, (1e-6, 1.0))
    process = GaussianProcessRegressor(kernel, normalize_y=True, random_state=0, n_restarts_optimizer=1)
    with warnings.catch_warnings():
        # A length scale at its upper bound says that a share does not matter to this domain.
        warnings.simplefilter("ignore", ConvergenceWarning)
        process.fit(features(shares), np.log(losses))
    return lambda points: np.exp(process.predict(features(points)))


def exponential(
    parameters: Float[np.ndarray, "parameters"], points: Float[np.ndarray, "points domains"]
) -> Float[np.ndarray, "points"]:
    """c + exp(sum_j t_j r_j), parameters (c, t_1, ..., t_n)."""
    return parameters[0] + np.exp(np.clip(np.asarray(points) @ parameters[1:], -50, 50))


def fit_exponential(
    shares: Float[np.ndarray, "points domains"], losses: Float[np.ndarray, "points"]
) -> Float[np.ndarray, "parameters"]:
    """Least squares of logarithms with a robust loss, from several guesses of the floor c >= 0."""
    best, spread = None, max(float(np.ptp(losses)), 1e-6)

    def jacobian(parameters: np.ndarray) -> np.ndarray:
        predicted = exponential(parameters, shares)
        term = predicted - parameters[0]
        return np.c_[np.ones(len(term)), term[:, None] * shares] / predicted[:, None]

    for below in (0.02, 0.2, 1.0, 5.0):
        floor = max(float(losses.min()) - below * spread, 0.0)
        t = np.linalg.lstsq(shares, np.log(np.maximum(losses - floor, 1e-9)), rcond=None)[0]
        solution = least_squares(
            lambda p: np.log(exponential(p, shares) / losses),
            np.clip([floor, *t], [0.0, *[-49.0] * len(t)], 49.0),
            jac=jacobian,
            bounds=([0.0, *[-50.0] * len(t)], [np.inf, *[50.0] * len(t)]),
            loss="soft_l1",
            f_scale=_robust_scale(losses),
        )
        best = solution if best is None or solution.cost < best.cost else best
    assert best is not None
    return best.x


def effective_data(
    parameters: Float[np.ndarray, "parameters"], points: Float[np.ndarray, "points domains"]
) -> Float[np.ndarray, "points"]:
    """c + (sum_j exp(u_j) r_j)^-a, parameters (c, a, u_1, ..., u_n); exp(u_j) is what a row of domain j is worth."""
    floor, power, worth = parameters[0], parameters[1], np.exp(parameters[2:])
    return floor + np.maximum(np.asarray(points) @ worth, 1e-12) ** -power


def fit_effective_data(
    shares: Float[np.ndarray, "points domains"], losses: Float[np.ndarray, "points"]
) -> Float[np.ndarray, "parameters"]:
    """Least squares of logarithms with a robust loss, from two guesses of the floor c >= 0; power in [0.02, 5]."""
    best, spread = None, max(float(np.ptp(losses)), 1e-6)

    def jacobian(parameters: np.ndarray) -> np.ndarray:
        power, worth = parameters[1], np.exp(parameters[2:])
        data = np.maximum(shares @ worth, 1e-12)
        term = data**-power
        slopes = np.c_[np.ones(len(data)), -term * np.log(data), -power * (term / data)[:, None] * shares * worth]
        return slopes / (parameters[0] + term)[:, None]

    lower, upper = [0.0, 0.02, *[-20.0] * shares.shape[1]], [np.inf, 5.0, *[30.0] * shares.shape[1]]
    for below in (0.1, 1.0):
        floor, power = max(float(losses.min()) - below * spread, 0.0), 0.5
        worth = nnls(shares, np.maximum(losses - floor, 1e-9) ** (-1 / power))[0]
        start = [floor, power, *np.log(np.maximum(worth, 1e-2 * worth.max() + 1e-8))]
        solution = least_squares(
            lambda p: np.log(effective_data(p, shares) / losses),
            np.clip(start, lower, np.minimum(upper, 1e9)),
            jac=jacobian,
            bounds=(lower, upper),
            x_scale="jac",
            loss="soft_l1",
            f_scale=_robust_scale(losses),
            max_nfev=300,
        )
        best = solution if best is None or solution.cost < best.cost else best
    assert best is not None
    return best.x


def _robust_scale(losses: Float[np.ndarray, "points"]) -> float:
    """Residuals beyond a tenth of the range of the logarithms count as outliers."""
    return max(0.1 * float(np.ptp(np.log(losses))), 1e-6)


PARAMETERS = {Law.EXPONENTIAL: fit_exponential, Law.EFFECTIVE_DATA: fit_effective_data}
"""Laws that are a formula, and how their parameters are found."""


def cross_validated(
    law: Law, shares: Float[np.ndarray, "points domains"], losses: Float[np.ndarray, "points"], *, folds: int = 8
) -> Float[np.ndarray, "points"]:
    """Prediction of each point by a law that was fitted without it."""
    fold = np.arange(len(losses)) % min(folds, len(losses))
    predicted = np.empty(len(losses))
    for held_fold in np.unique(fold):
        out = fold == held_fold
        predicted[out] = fit(law, shares[~out], losses[~out])(shares[out])
    return predicted


def refitted(
    law: Law,
    shares: Float[np.ndarray, "points domains"],
    losses: Float[np.ndarray, "points"],
    *,
    samples: int,
    seed: int = 0,
) -> list[Predict]:
    """The law fitted to `samples` bootstrap draws of the points: their spread is the law's uncertainty.

    Equal seeds draw equal points, so that the n-th refits of all domains belong together.
    """
    generator = np.random.default_rng(seed)
    draws = [generator.integers(0, len(losses), len(losses)) for _ in range(samples)]
    return [fit(law, shares[draw], losses[draw]) for draw in draws]
