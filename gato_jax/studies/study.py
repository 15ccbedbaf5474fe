"""A study: a base experiment, mixtures to try, seeds; and the runs that it amounts to."""

import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_pipelines.mixtures.config import Phase
from gato_jax.config import ControllerName, Distributed, Experiment, MixtureControllerConfig
from gato_jax.config.load import load_module
from gato_jax.studies.designs import Point, Stage

STUDIES = "experiments.studies"
ROLES = ("fit", "held_out", "reference", "proposal")


@dataclasses.dataclass(frozen=True)
class Run:
    """One training run of a study.

    Args:
      name: unique in the study; also its directory.
      role: "fit", "held_out" (never fitted), "reference" or "proposal" (compared at equal tokens).
      point: name of its mixture.
      shares: of the domains; their mean over the run by a schedule, those of the beginning under a mixture controller.
      seed: of parameters and data.
      schedule: the stages of shares that change, with the first.
      policy: mixture controller that changes them.
    """

    name: str
    role: str
    point: str
    shares: Mapping[str, float]
    seed: int
    schedule: tuple[Stage, ...] = ()
    policy: MixtureControllerConfig | None = None


@dataclasses.dataclass(frozen=True)
class Study:
    """What `gato sweep` runs.

    Args:
      name: of the study.
      base: the experiment; its steps and rows are the token budget of every run, its last validation the measure.
      domains: domain -> its tasks, which share the domain's rows equally. Together they are the base's tasks.
      design: mixtures that laws are fitted to.
      held_out: mixtures that laws are tested on.
      references: mixtures to compare a proposal with; they may have schedules or mixture controllers, of which laws
        know nothing.
      seeds: of design and held-out mixtures; a seed is that of parameters and of data.
      reference_seeds: of references and proposals.
      scored: roles whose runs are scored at the end as well (`base.evaluation`): in simulators and by questions.
    """

    name: str
    base: Experiment
    domains: Mapping[str, tuple[str, ...]]
    design: tuple[Point, ...]
    held_out: tuple[Point, ...] = ()
    references: tuple[Point, ...] = ()
    seeds: tuple[int, ...] = (0,)
    reference_seeds: tuple[int, ...] = (0, 1, 2)
    scored: tuple[str, ...] = ()

    def __post_init__(self):
        tasks = sorted(task for members in self.domains.values() for task in members)
        if tasks != sorted(self.base.data.mixture.weights):
            raise ValueError(
                f"study {self.name!r}: domains must hold each task of the base once, found {tasks}, "
                f"expected {sorted(self.base.data.mixture.weights)}"
            )
        if self.base.train.steps is None or not self.base.train.evaluate_every:
            raise ValueError(f"study {self.name!r}: base.train needs steps and evaluate_every: equal tokens, a measure")
        for point in (*self.design, *self.held_out, *self.references):
            if set(point.shares) != set(self.domains):
                point_domains, expected = sorted(point.shares), sorted(self.domains)
                raise ValueError(f"point {point.name!r}: expected shares of {expected}, found {point_domains}")
        if unknown := sorted(set(self.scored) - set(ROLES)):
            raise ValueError(f"study {self.name!r}: scored must name roles of {list(ROLES)}, found {unknown}")
        if moving := [point.name for point in (*self.design, *self.held_out) if point.changes]:
            raise ValueError(f"study {self.name!r}: laws are of shares that stay; make {moving} references")
        if self.base.train.mixture_controller.name is not ControllerName.NONE and self.design:
            raise ValueError(
                f"study {self.name!r}: laws are of shares that stay, and base.train.mixture_controller moves them"
            )
        _check_different((*self.design, *self.held_out), self.name)
        names = [run.name for run in self.runs()]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"study {self.name!r}: two points make the runs {twice}")

    def runs(self) -> list[Run]:
        """In the order in which workers take them."""
        parts = [
            ("reference", self.references, self.reference_seeds),
            ("held_out", self.held_out, self.seeds),
            ("fit", self.design, self.seeds),
        ]
        return [run for role, points, seeds in parts for run in runs_of(role, points, seeds)]

    def experiment(self, run: Run) -> Experiment:
        """The base with the run's shares and seed; all runs of a study share one compiled step."""
        base, stages = self.base, run.schedule or (Stage(0.0, run.shares),)
        phases = tuple(Phase(self._step(run, stage.at), self._weights(stage.shares)) for stage in stages[1:])
        mixture = dataclasses.replace(base.data.mixture, weights=self._weights(stages[0].shares), schedule=phases)
        stream = dataclasses.replace(base.data.stream, seed=run.seed)
        return dataclasses.replace(
            base,
            name=f"{self.name}/{run.name}",
            data=dataclasses.replace(base.data, mixture=mixture, stream=stream),
            train=dataclasses.replace(
                base.train,
                seed=run.seed,
                distributed=Distributed.OFF,
                mixture_controller=run.policy or base.train.mixture_controller,
            ),
        )

    def _weights(self, shares: Mapping[str, float]) -> dict[str, float]:
        """Of tasks: those of a domain share its rows equally."""
        return {task: shares[d] / len(tasks) for d, tasks in self.domains.items() for task in tasks}

    def _step(self, run: Run, at: float) -> int:
        """First step of a stage, at the beginning of a data segment."""
        steps, segment = self.base.train.steps or 0, self.base.data.stream.reseed_every
        step = round(at * steps / segment) * segment
        if not 0 < step < steps:
            raise ValueError(
                f"run {run.name!r}: a stage at {at} of {steps} steps needs segments that are shorter than "
                f"data.stream.reseed_every = {segment}"
            )
        return step


def _check_different(points: tuple[Point, ...], study: str) -> None:
    """A mixture under two names would be its own test: in cross-validation, and among those held out."""
    names: dict[tuple[float, ...], str] = {}
    for point in points:
        shares = tuple(round(point.shares[domain], 9) for domain in sorted(point.shares))
        if (same := names.setdefault(shares, point.name)) != point.name:
            raise ValueError(f"study {study!r}: {same!r} and {point.name!r} are the same mixture; drop one")


def runs_of(role: str, points: tuple[Point, ...], seeds: tuple[int, ...]) -> list[Run]:
    """Every point with every seed."""
    return [
        Run(f"{point.name}.s{seed}", role, point.name, point.mean, seed, point.stages, point.policy)
        for point in points
        for seed in seeds
    ]


def load_study(source: str | Path, **options: Any) -> Study:
    """A study by name in `experiments/studies/` or by path to a Python file with a function `study(**options)`.

    Raises:
      ValueError: no such study (with the names that are there), a file without one, an option that it has not, or one
        that it needs.
    """
    path = Path(source)
    if path.suffix == ".py":
        module = load_module(path, "study")
    else:
        package = importlib.import_module(STUDIES)
        study_names = sorted(entry.name for entry in pkgutil.iter_modules(package.__path__))
        if str(source) not in study_names:
            raise ValueError(f"unknown study {str(source)!r}; here: {study_names}; a path to a .py file works too")
        module = importlib.import_module(f"{STUDIES}.{source}")
    if not hasattr(module, "study"):
        raise ValueError(f"study {source} has no function study()")
    takes = inspect.signature(module.study).parameters
    if unknown := sorted(set(options) - set(takes)):
        raise ValueError(f"study {source} has no option {unknown}; it takes {list(takes)}")
    if missing := [n for n, p in takes.items() if p.default is p.empty and n not in options]:
        raise ValueError(f"study {source} needs the options {missing}; give them as --options {missing[0]}=VALUE")
    try:
        study = module.study(**options)
    except TypeError as error:  # A word where the study counts.
        option_text = ", ".join(f"{name}={value!r}" for name, value in options.items())
        raise ValueError(f"study {source} with {option_text}: {error}") from error
    if not isinstance(study, Study):
        raise ValueError(f"study {source}: expected a Study, found a {type(study).__name__}")
    return study
