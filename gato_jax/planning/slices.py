"""Chips and the slices that exist of them: what can be asked for by name, and what each device has.

`v3:16x16`, `v4:4x8x8`, `v5e:16x16`, `v5p:8x8x8`, `v6e:16x16`, `tpu7x:4x4x8`; `a100:8`, `h100:8`; `cpu:8`. The TPU
compiler accepts shapes that nobody can rent (v5e:16x32), so names are checked here against the real ones.
"""

import dataclasses
import difflib
import itertools
import math
from collections.abc import Mapping, Sequence

GIB = 2**30


@dataclasses.dataclass(frozen=True)
class Chip:
    """One kind of accelerator. A device is what JAX calls one: a core on v2, v3 and tpu7x, else a whole chip.

    Args:
      platform: "tpu", "gpu" or "cpu".
      devices_per_chip: JAX devices of one chip.
      memory: bytes that the compiler lets one device use.
      peak: bf16 FLOP/s of one device; 0 = not known.
      clock: Hz of its matrix units, which turns the compiler's cycles into seconds; 0 = no cycles.
      memory_rate: bytes/s between a device and its memory.
      link_rate: bytes/s of one link between chips, one way.
      dimensions: of the torus.
      largest: chips of the largest slice.
      chips_per_host: in slices of more than one host.
      device_kind: what JAX calls the device, and thereby how a running program is told apart.
      topology_options: of `get_topology_desc`.
    """

    name: str
    platform: str = "tpu"
    devices_per_chip: int = 1
    memory: float = 0.0
    peak: float = 0.0
    clock: float = 0.0
    memory_rate: float = 0.0
    link_rate: float = 0.0
    dimensions: int = 2
    largest: int = 256
    chips_per_host: int = 4
    device_kind: str = ""
    topology_options: Mapping[str, str] = dataclasses.field(default_factory=dict)


# Where the figures come from, and how sure they are:
# memory       what the compiler itself allows, read from its out-of-memory errors (libtpu 0.0.52): sure
# peak         the vendor's published figure per chip, divided by the devices of a chip: sure
# clock        not readable from the compiler; published or derived from peak and the size of the matrix units:
#              v3, v4, v5e, v5p fairly sure, v6e and tpu7x least sure
# memory_rate  the vendor's published figure per chip, divided likewise: sure
# link_rate    an assumption in the model of the network, from published totals per chip: good to a factor of 1.5
CHIPS: Mapping[str, Chip] = {
    chip.name: chip
    for chip in (
        Chip(
            "v2", "tpu", 2, 7.48 * GIB, 45e12 / 2, 0.7e9, 700e9 / 2, 62e9, 2, 256, device_kind="TPU v2"
        ),  # peak 45 TFLOP/s per chip
        Chip("v3", "tpu", 2, 15.48 * GIB, 123e12 / 2, 0.94e9, 900e9 / 2, 82e9, 2, 1024, device_kind="TPU v3"),
        Chip(
            "v4", "tpu", 1, 30.75 * GIB, 275e12, 1.05e9, 1228e9, 45e9, 3, 4096, device_kind="TPU v4",
            # Real v4 jobs see both cores as one device.
            topology_options={"chip_config_name": "megacore"},
        ),
        Chip("v5e", "tpu", 1, 15.75 * GIB, 197e12, 1.5e9, 819e9, 45e9, 2, 256, device_kind="TPU v5 lite"),
        Chip("v5p", "tpu", 1, 95.73 * GIB, 459e12, 1.75e9, 2765e9, 90e9, 3, 8960, device_kind="TPU v5"),
        Chip("v6e", "tpu", 1, 31.24 * GIB, 918e12, 1.75e9, 1640e9, 90e9, 2, 256, device_kind="TPU v6 lite"),
        # Its links were not measured by us or read from a table: v5p's figure stands in.
        Chip("tpu7x", "tpu", 2, 94.74 * GIB, 2307e12 / 2, 2.2e9, 7380e9 / 2, 90e9, 3, 9216, device_kind="TPU7x"),
        # No compiler for them here: the published memory, dense bf16 peak and memory rate of the SXM boards.
        Chip("a100", "gpu", memory=80e9, peak=312e12, memory_rate=2039e9, dimensions=1, chips_per_host=8),
        Chip("h100", "gpu", memory=80e9, peak=989e12, memory_rate=3350e9, dimensions=1, chips_per_host=8),
        Chip("h200", "gpu", memory=141e9, peak=989e12, memory_rate=4800e9, dimensions=1, chips_per_host=8),
        Chip("b200", "gpu", memory=180e9, peak=2250e12, memory_rate=7700e9, dimensions=1, chips_per_host=8),
        Chip("cpu", "cpu", dimensions=1, chips_per_host=2**20),
    )
}  # fmt: skip

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
