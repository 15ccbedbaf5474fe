"""Sweep directories with made-up losses, written as workers write them."""

import json

import numpy as np

from data_pipelines.config_json import encode
from gato_jax.studies import designs
from gato_jax.studies.study import runs_of

DOMAINS = ("babyai", "dm_control", "metaworld", "text", "vqa")


def exact(shares):
    """Losses by a power law in effective data: floors of 0.5 to 5 nats, some transfer between neighbours."""
    row = np.asarray([shares[name] for name in DOMAINS])
    floors, amounts, powers = np.asarray([[0.5, 5, 3.5, 4, 0.6], [0.3, 0.6, 0.8, 0.5, 0.2], [0.5, 0.3, 0.4, 0.3, 0.6]])
    worth = np.eye(5) + 0.1 * np.eye(5, k=1) + 0.05 * np.eye(5, k=-1)
    return floors + amounts * (5 * worth @ row) ** -powers


def points(count=40, held=8):
    return (
        designs.sobol(DOMAINS, count, seed=0, least=0.04),
        designs.dirichlet(DOMAINS, held, seed=1, least=0.05),
        (
            designs.Point("uniform", designs.uniform(DOMAINS)),
            designs.Point("skewed", designs.normalised(dict(zip(DOMAINS, (1, 4, 2, 8, 16), strict=True)))),
        ),
    )


def finish(out, runs, *, noise=0.002, losses=exact):
    """Writes the results of some runs."""
    for run in runs:
        generator = np.random.default_rng([run.seed, *run.name.encode()])
        reached = losses(run.shares) * (1 + noise * generator.standard_normal(len(DOMAINS)))
        of_domains = dict(zip(DOMAINS, map(float, reached), strict=True))
        result = {
            **encode(run),
            "losses": {f"{name}.task": {"loss": loss, "measured": "validation"} for name, loss in of_domains.items()},
            "domain_losses": of_domains,
            "rows": {
                f"{name}.task": {"rows": 1000, "share": share, "planned": share, "p": 1.0, "within": True}
                for name, share in run.shares.items()
            },
            "steps": 100,
            "seconds": 60.0,
        }
        directory = out / "runs" / run.name
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "result.json").write_text(json.dumps(result))


def sweep(out, *, noise=0.002, losses=exact, design=None, seeds=(0, 1, 2)):
    """A finished sweep of 40 mixtures, 8 held out, and 2 references with three seeds."""
    fitted, held, references = points()
    runs = [*runs_of("reference", references, seeds), *runs_of("held_out", held, (0,))]
    runs += runs_of("fit", fitted if design is None else design, (0,))
    out.mkdir(parents=True, exist_ok=True)
    domains = {name: [f"{name}.task"] for name in DOMAINS}
    plan = {"study": "made", "domains": domains, "runs": [encode(run) for run in runs]}
    (out / "plan.json").write_text(json.dumps(plan))
    finish(out, runs, noise=noise, losses=losses)
    return out
