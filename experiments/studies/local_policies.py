"""The domains, model and budget of `local_domains`, with shares that mixture controllers set inside the run.

    gato sweep local_policies --data DATA --out POLICIES --workers 2 \\
        --options reference=SWEEP/runs/uniform.s0/result.json
    gato sweep compare POLICIES

SWEEP is a sweep of `local_domains`: its uniform run is DoReMi's reference model.
"""

import dataclasses
import pathlib

from experiments.studies import local_domains
from gato_jax.config import Arms, BanditConfig, ControllerName, DoremiConfig, Measure, MixtureControllerConfig, Reward
from gato_jax.studies import designs
from gato_jax.studies.designs import Point
from gato_jax.studies.study import Study

SEGMENTS = 15
"""Data segments of a run: a mixture controller speaks at the end of each, and the first two have the uniform shares."""


def study(
    *, directory: str | pathlib.Path = "gato-quickstart/data", reference: str, steps: int = 600, width: int = 64
) -> Study:
    """Uniform shares that stay, DoReMi, and a bandit of either reward; three seeds each.

    Args:
      directory: of the recorded data.
      reference: file with the held-out losses of DoReMi's reference model.
      steps, width: of every run, as in `local_domains`.
    """
    fixed = local_domains.study(directory=directory, steps=steps, width=width, design=0, held_out=0)
    segment, uniform = steps // SEGMENTS, designs.uniform(tuple(fixed.domains))
    stream = dataclasses.replace(fixed.base.data.stream, reseed_every=segment)
    base = dataclasses.replace(
        fixed.base,
        name="local_policies",
        data=dataclasses.replace(fixed.base.data, stream=stream),
        # DoReMi goes by held-out losses, so every segment ends with a validation; the others only cost the time of it.
        train=dataclasses.replace(fixed.base.train, evaluate_every=segment),
    )
    doremi = DoremiConfig(reference, step_size=0.2)
    return dataclasses.replace(
        fixed,
        name="local_policies",
        base=base,
        references=(
            Point("uniform", uniform),
            _controlled("doremi", uniform, ControllerName.DOREMI, measure=Measure.VALIDATION, doremi=doremi),
            _controlled("bandit-loss", uniform, ControllerName.BANDIT, bandit=BanditConfig(Reward.LOSS)),
            _controlled(
                "bandit-progress", uniform, ControllerName.BANDIT, bandit=BanditConfig(Reward.PROGRESS, rate=10.0)
            ),
        ),
    )


def _controlled(name: str, shares: designs.Shares, controller: ControllerName, **options) -> Point:
    return Point(name, shares, policy=MixtureControllerConfig(controller, Arms.DOMAIN, **options))
