"""Ranges, constraints and classifiers of the package agree, for every Python that it runs on."""

import pathlib
import re
import runpy
import sys

import pytest
import setuptools
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import gato_jax

ROOT = pathlib.Path(__file__).parents[1]
CONSTRAINTS = {"3.11": "constraints.txt", "3.12": "constraints-3.12.txt", "3.13": "constraints-3.13.txt"}
UNPINNED = {"tpu", "cuda", "beam", "export", "studies", "vizdoom"}
"""Extras that these files need not hold: what is the same in `test`, or has a file of its own."""

pytestmark = pytest.mark.skipif(
    not (ROOT / "setup.py").exists(), reason="tests outside the tree: the wheel holds no setup.py"
)


def setup(python=sys.version_info[:2]):
    """The arguments of `setuptools.setup` on a Python."""
    arguments = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(setuptools, "setup", lambda **given: arguments.update(given))
        patch.setattr(sys, "version_info", python)
        runpy.run_path(str(ROOT / "setup.py"))
    return arguments


@pytest.fixture(scope="module")
def package():
    return setup()


def pins(name):
    lines = (ROOT / name).read_text().splitlines()
    pairs = (line.split("==") for line in lines if not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pairs}


@pytest.mark.parametrize("python", CONSTRAINTS)
def test_the_pinned_versions_are_in_range(package, python):
    environment = {"python_version": python, "sys_platform": "linux", "platform_machine": "x86_64"}
    extras = [extra for extra in package["extras_require"] if extra not in UNPINNED]
    lines = [*package["install_requires"], *(line for extra in extras for line in package["extras_require"][extra])]
    requirements = [Requirement(line) for line in lines]
    pinned = pins(CONSTRAINTS[python])
    assert len(requirements) > 40
    for requirement in requirements:
        name = canonicalize_name(requirement.name)
        if requirement.marker and not requirement.marker.evaluate(environment):
            others = [other for other in requirements if canonicalize_name(other.name) == name]
            assert len(others) > 1 or name not in pinned, f"{name} is not for Python {python}, but pinned"
        else:
            assert name in pinned, f"{name} has no pin for Python {python}"
            assert requirement.specifier.contains(pinned[name]), f"{requirement}, pinned {pinned[name]}"


def test_jax_is_admitted_from_0_10_to_0_12(package):
    (jax,) = [Requirement(line) for line in package["install_requires"] if re.match(r"jax\b", line)]
    admitted = [version for version in ("0.9.2", "0.10.2", "0.11.2", "0.12.0.1", "0.13.0") if version in jax.specifier]
    assert admitted == ["0.10.2", "0.11.2", "0.12.0.1"]
    assert pins("constraints.txt")["jax"].startswith("0.10.")
    assert pins("constraints-3.12.txt")["jax"].startswith("0.12.")


def test_other_pythons_are_refused_by_name(package):
    admitted = SpecifierSet(package["python_requires"])
    assert [minor for minor in range(8, 20) if f"3.{minor}.1" in admitted] == [11, 12, 13]
    shown = [line.rpartition(" ")[2] for line in package["classifiers"] if "Python :: 3." in line]
    assert shown == list(CONSTRAINTS)
    assert package["version"] == gato_jax.__version__


@pytest.mark.parametrize("python", [(3, 10), (3, 14)])
def test_setup_itself_says_which_pythons_there_are(python):
    with pytest.raises(SystemExit, match=rf"runs on Python 3\.11, 3\.12 and 3\.13; this is Python 3\.{python[1]}"):
        setup(python)
