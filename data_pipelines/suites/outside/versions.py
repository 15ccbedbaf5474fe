"""Versions of the packages that hold a world from outside."""

import importlib.metadata


def package_versions(module: str) -> dict[str, str]:
    """Distribution -> version, of those that install the package of a module; empty where none does."""
    owners = importlib.metadata.packages_distributions().get(module.partition(".")[0], ())
    return {name: importlib.metadata.version(name) for name in sorted(set(owners))}
