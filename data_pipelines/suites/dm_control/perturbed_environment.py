"""Suite tasks whose bodies differ from episode to episode: other gears, joints, sizes and densities."""

from collections.abc import Callable, Mapping
from typing import Any

import mujoco
import numpy as np
from dm_control import suite
from dm_control.suite import manipulator, swimmer

from data_pipelines.suites.dm_control.environment import DmControlEnvironment
from data_pipelines.suites.dm_control.factors import Factors
from data_pipelines.suites.dm_control.tasks import EPISODE_STEPS, suite_names

_MODELS: Mapping[str, Callable[[], tuple[Any, Mapping[str, Any]]]] = {
    "manipulator_bring_ball": lambda: manipulator.make_model(use_peg=False, insert=False),
    "swimmer_swimmer6": lambda: swimmer.get_model_and_assets(6),
    "swimmer_swimmer15": lambda: swimmer.get_model_and_assets(15),
}
"""XML and assets of tasks whose domain builds several models; the others have `get_model_and_assets`."""

_CONSTANT = ("tex_", "mesh_", "skin_", "hfield_", "text_", "name")
"""Beginnings of the names of a model's arrays that are large, and that no factor changes."""

_TEXELS = 8
"""Side of the textures of models that are never drawn: making the suite's takes 20 times as long as all the rest."""

_STATISTICS = ("meaninertia", "meanmass", "meansize", "extent", "center")
_STREAM = 5
"""Keeps these draws apart from others of the same seed."""


class PerturbedEnvironment(DmControlEnvironment):
    """One suite task; the seed of an episode gives its body, and then its start.

    Every actuator's gear, every joint's damping, stiffness and range, and every size and density of a geometry of a
    moving body is multiplied by a factor of its own.

    Args:
      name: of the task.
      task: ours in `DM_CONTROL`.
      factors: which there may be.
    """

    def __init__(self, name: str, *, task: str, factors: Factors):
        domain, suite_task = suite_names(task)
        super().__init__(name, domain=domain, task=suite_task, episode_steps=EPISODE_STEPS)
        make_model = _MODELS.get(task) or getattr(suite, domain).get_model_and_assets
        self._body = Body(*make_model())
        self._factors = factors

    def _prepare(self, seed: int) -> None:
        rng = np.random.default_rng([seed, _STREAM])
        copy_model(self._body.scaled(lambda: self._factors.draw(rng)), self.physics.model.ptr)
        super()._prepare(seed)


class Body:
    """A model in its XML's terms. Compiled anew, it has the masses, inertias and bounds that belong to its sizes.

    Args:
      xml, assets: as a domain of the suite gives them.
    """

    def __init__(self, xml: str | bytes, assets: Mapping[str, Any]):
        text = xml.decode() if isinstance(xml, bytes) else xml
        files = {name: file.encode() if isinstance(file, str) else file for name, file in assets.items()}
        self._spec = mujoco.MjSpec.from_string(text, include=files)
        for texture in self._spec.textures:
            texture.width = texture.height = _TEXELS
        # The compiler warns of this attribute and asks for the function instead.
        self._total_mass, self._spec.compiler.settotalmass = self._spec.compiler.settotalmass, -1.0
        model = self._spec.compile()
        moving = [geom for geom in self._spec.geoms if model.body_weldid[model.geom_bodyid[geom.id]]]
        # (element, attributes that one factor scales).
        scalable: list[tuple[Any, tuple[str, ...]]] = [
            *((actuator, ("gear",)) for actuator in self._spec.actuators),
            *((joint, (name,)) for joint in self._spec.joints for name in ("damping", "stiffness", "range")),
            *((geom, ("size",)) for geom in moving),
            # A geometry may say its mass instead, and a body its mass and inertia.
            *((geom, ("density", "mass")) for geom in moving),
            *((body, ("mass", "inertia")) for body in self._spec.bodies if body.explicitinertial),
        ]
        self._base = [(one, {name: np.array(getattr(one, name)) for name in names}) for one, names in scalable]

    def scaled(self, draw: Callable[[], float]) -> mujoco.MjModel:
        """The model with every value multiplied by a factor of its own. A sum of masses that the XML fixes stays."""
        for element, values in self._base:
            factor = draw()
            for name, value in values.items():
                setattr(element, name, value * factor)
        model = self._spec.compile()
        if self._total_mass > 0.0:
            mujoco.mj_setTotalmass(model, self._total_mass)
            mujoco.mj_setConst(model, mujoco.MjData(model))
        return model


def copy_model(source: mujoco.MjModel, target: mujoco.MjModel) -> None:
    """Makes a model equal to another of the same XML, in place: views, cameras and simulations of it stay."""
    for name in model_arrays(source):
        getattr(target, name)[...] = getattr(source, name)
    for name in _STATISTICS:
        setattr(target.stat, name, getattr(source.stat, name))


def model_arrays(model: mujoco.MjModel) -> list[str]:
    """Names of the arrays of a model that factors may change."""
    names = (name for name in dir(model) if not name.startswith(("_", *_CONSTANT)))
    return [name for name in names if isinstance(value := getattr(model, name), np.ndarray) and value.size]
