"""The error of a name that stands for several mixtures.

SeqIO's registries hand out what they hold and ask nobody. The rows of several row groups have several shapes, so no
mixture can hold them all: its name is held by a note, and the registry's dictionary raises what the note says.
"""

import seqio


class SeveralGroups(seqio.Mixture):
    """Stands in the registry for mixtures that cannot be one.

    Args:
      name: what people look up.
      mixtures: the names that they may have meant.
      tasks: of all of them.
    """

    def __init__(self, name: str, mixtures: list[str], tasks: list[seqio.Task]):
        super().__init__(name, tasks, default_rate=1.0)
        self._message = (
            f"{name!r} has several row groups, whose rows differ in shape, so it is no mixture by itself; expected one "
            f"of {mixtures}"
        )

    def error(self) -> ValueError:
        return ValueError(self._message)


class _Registry(dict):
    """SeqIO's dictionary of mixtures, which refuses to hand out a `SeveralGroups`."""

    def __getitem__(self, name):
        mixture = super().__getitem__(name)
        if isinstance(mixture, SeveralGroups):
            raise mixture.error()
        return mixture


def add_note(name: str, mixtures: list[str], tasks: list[seqio.Task]) -> None:
    """Makes looking up `name` an error that lists the mixtures."""
    seqio.MixtureRegistry.add_provider(name, SeveralGroups(name, mixtures, tasks))
    if not isinstance(seqio.MixtureRegistry._REGISTRY, _Registry):
        seqio.MixtureRegistry._REGISTRY = _Registry(seqio.MixtureRegistry._REGISTRY)
