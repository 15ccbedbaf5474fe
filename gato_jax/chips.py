"""Kinds of accelerators: their published peaks, memories and links."""

import dataclasses
from collections.abc import Mapping

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
