"""Chips and the slices that exist of them: what can be asked for by name, and what each device has.

`v3:16x16`, `v4:4x8x8`, `v5e:16x16`, `v5p:8x8x8`, `v6e:16x16`, `tpu7x:4x4x8`; `a100:8`, `h100:8`; `cpu:8`. The TPU
compiler accepts shapes that nobody can rent (v5e:16x32), so names are checked here against the real ones.
"""

import dataclasses
import difflib
import itertools
import math
from collections.abc import Sequence

from gato_jax.chips import CHIPS, Chip

# Slices of a square torus, by the vendor's lists of accelerator types; a whole pod last.
FLAT = {
    "v2": ("2x2", "4x4", "4x8", "8x8", "8x16", "16x16"),
    "v3": ("2x2", "4x4", "4x8", "8x8", "8x16", "16x16", "16x32", "32x32"),
    "v5e": ("1x1", "2x2", "2x4", "4x4", "4x8", "8x8", "8x16", "16x16"),
    "v6e": ("1x1", "2x2", "2x4", "4x4", "4x8", "8x8", "8x16", "16x16"),
}
# Below one cube of 4x4x4, the shapes inside it.
SMALL_CUBES = ("2x2x1", "2x2x2", "2x2x4", "2x4x4")


@dataclasses.dataclass(frozen=True)
class Slice:
    """Devices that one job can have: `slices` times a shape of one chip."""

    chip: Chip
    shape: tuple[int, ...]
    slices: int = 1

    @property
    def name(self) -> str:
        """As the command line spells it; also the compiler's name of one slice."""
        return f"{self.chip.name}:{'x'.join(map(str, self.shape))}"

    @property
    def chips(self) -> int:
        return math.prod(self.shape) * self.slices

    @property
    def devices(self) -> int:
        return self.chips * self.chip.devices_per_chip

    @property
    def wraps(self) -> tuple[bool, ...]:
        """Per side, whether its last chip is linked to its first.

        Cubes of 4x4x4 are joined by switches that close every side; flat slices have only the links of their pod,
        which close the sides that are as long as the pod's.
        """
        if self.chip.dimensions == 2:
            pod = all_shapes(self.chip)[-1]
            return tuple(side == pod[0] for side in self.shape)
        return (self.chip.dimensions == 3 and all(side % 4 == 0 for side in self.shape),) * len(self.shape)

    @property
    def hosts(self) -> int:
        chips = math.prod(self.shape)
        one_host = chips <= self.chip.chips_per_host or (chips == 8 and self.chip.name in ("v5e", "v6e"))
        return self.slices * (1 if one_host else -(-chips // self.chip.chips_per_host))


def find_slice(name: str, *, slices: int = 1) -> Slice:
    """The slice of that name.

    Raises:
      ValueError: no such chip or shape, with the nearest ones that exist; `slices` not possible there.
    """
    kind, _, text = name.partition(":")
    if kind not in CHIPS:
        near = difflib.get_close_matches(kind.split("-")[0].replace("lite", "").replace("pod", ""), CHIPS, n=3)
        raise ValueError(
            f"topology {name!r}: no chip {kind!r}; expected {' or '.join(near or CHIPS)}, a colon and a shape, "
            f"such as v3:16x16, v5p:8x8x8 or h100:8"
        )
    chip = CHIPS[kind]
    if slices < 1 or (slices > 1 and chip.platform != "tpu"):
        raise ValueError(f"--slices must be positive, and 1 for {kind}, found {slices}")
    parts = text.split("x")
    shape = tuple(int(part) for part in parts) if all(part.isdecimal() for part in parts) else ()
    if len(shape) != chip.dimensions or not _exists(chip, shape):
        raise ValueError(f"topology {name!r}: no such slice of {kind}; nearest that exist: {_nearest(chip, shape)}")
    return Slice(chip, shape, slices)


def _exists(chip: Chip, shape: Sequence[int]) -> bool:
    text = "x".join(map(str, shape))
    if chip.platform != "tpu":
        return shape[0] >= 1
    if chip.dimensions == 2:
        return text in FLAT[chip.name]
    if text in SMALL_CUBES:
        return True
    return all(side > 0 and side % 4 == 0 for side in shape) and (
        list(shape) == sorted(shape) and math.prod(shape) <= chip.largest
    )


def _nearest(chip: Chip, shape: Sequence[int]) -> str:
    if chip.platform != "tpu":
        return f"{chip.name}:1, {chip.name}:8, {chip.name}:64"
    chips = max(1, math.prod(shape)) if shape else 1
    distance = lambda one: abs(math.log(math.prod(one) / chips))  # noqa: E731
    return ", ".join(f"{chip.name}:{'x'.join(map(str, one))}" for one in sorted(all_shapes(chip), key=distance)[:3])


def all_shapes(chip: Chip) -> list[tuple[int, ...]]:
    """Every shape that exists of a TPU."""
    if chip.dimensions == 2:
        return [tuple(map(int, text.split("x"))) for text in FLAT[chip.name]]
    cubes = [shape for shape in itertools.combinations_with_replacement(range(4, 37, 4), 3) if _exists(chip, shape)]
    return [*(tuple(map(int, text.split("x"))) for text in SMALL_CUBES), *cubes]
