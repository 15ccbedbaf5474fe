"""A reader of HLO text: computations, their instructions in scheduled order, shapes."""

import dataclasses
import functools
import math
import re
from collections.abc import Mapping

BYTES = {
    "pred": 1, "s4": 0.5, "u4": 0.5, "s8": 1, "u8": 1, "s16": 2, "u16": 2, "s32": 4, "u32": 4, "s64": 8, "u64": 8,
    "f8e4m3fn": 1, "f8e5m2": 1, "bf16": 2, "f16": 2, "f32": 4, "f64": 8, "c64": 8, "c128": 16,
}  # fmt: skip
_ARRAY = re.compile(r"\b([a-z]+[0-9]*[a-z0-9]*)\[([0-9,]*)\]")
_INSTRUCTION = re.compile(r"  (ROOT )?%?([\w.\-]+) = ")
_COMPUTATION = re.compile(r"(ENTRY )?%?([\w.\-]+) \(.*-> .*\{$")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NAME = re.compile(r"%([\w.\-]+)")


@dataclasses.dataclass(frozen=True)
class Array:
    """One array of a shape. Layout and memory space are not kept."""

    dtype: str
    dims: tuple[int, ...]

    @property
    def bytes(self) -> float:
        return math.prod(self.dims) * BYTES.get(self.dtype, 0)


@dataclasses.dataclass(frozen=True)
class Instruction:
    """One line of a computation."""

    name: str
    opcode: str
    type_text: str
    operands: tuple[str, ...]
    attributes: str
    """All that follows the operands."""
    literal: str = ""
    """What stands between the parentheses of a constant."""
    is_root: bool = False

    @property
    def arrays(self) -> tuple[Array, ...]:
        """The result's arrays; one, unless it is a tuple."""
        return tuple(
            Array(dtype, tuple(int(side) for side in dims.split(",") if side))
            for dtype, dims in _ARRAY.findall(self.type_text)
        )

    def attribute(self, name: str) -> str | None:
        """The value of `name=` up to the next space or comma outside brackets."""
        match = re.search(rf"(?:^|[ ,]){name}=", self.attributes)
        if match is None:
            return None
        depth, start = 0, match.end()
        for index in range(start, len(self.attributes)):
            letter = self.attributes[index]
            if letter in "{[(":
                depth += 1
            elif letter in "}])":
                depth -= 1
            elif depth == 0 and letter in ", ":
                return self.attributes[start:index]
        return self.attributes[start:]

    def called(self, name: str) -> str | None:
        """The computation that attribute `name` points to."""
        value = self.attribute(name)
        return None if value is None else value.lstrip("%")


@dataclasses.dataclass(frozen=True)
class Computation:
    """Instructions in order; on an accelerator the order is the schedule."""

    name: str
    instructions: tuple[Instruction, ...]

    @functools.cached_property
    def by_name(self) -> Mapping[str, Instruction]:
        return {one.name: one for one in self.instructions}

    def __getitem__(self, name: str) -> Instruction:
        return self.by_name[name]

    def __contains__(self, name: str) -> bool:
        return name in self.by_name

    @property
    def root(self) -> Instruction:
        return next(one for one in self.instructions if one.is_root)


@dataclasses.dataclass(frozen=True)
class Module:
    """A whole program."""

    entry: Computation
    computations: Mapping[str, Computation]


def parse(text: str) -> Module:
    """HLO text as `compiled.as_text()` prints it.

    Raises:
      ValueError: no entry computation, or an instruction that cannot be read.
    """
    computations: dict[str, Computation] = {}
    entry, current, pending = None, None, ""
    instructions: list[Instruction] = []
    for line in text.splitlines():
        if pending:
            # A kernel's metadata may span lines, and hold lines that look like the end of a computation.
            pending += "\n" + line
        elif current is None:
            if match := _COMPUTATION.match(line):
                current, instructions = match[2], []
                entry = current if match[1] else entry
            continue
        elif line == "}":
            computations[current] = Computation(current, tuple(instructions))
            current = None
            continue
        elif _INSTRUCTION.match(line):
            pending = line
        else:
            continue
        if _complete(pending):
            instructions.append(_instruction(pending))
            pending = ""
    if pending or entry is None or entry not in computations:
        raise ValueError(f"HLO text: expected a whole ENTRY computation, found {len(computations)} computations")
    return Module(computations[entry], computations)


def _complete(line: str) -> bool:
    bare = _STRING.sub("", line)
    return '"' not in bare and bare.count("{") == bare.count("}") and bare.count("(") == bare.count(")")


def _instruction(line: str) -> Instruction:
    match = _INSTRUCTION.match(line)
    assert match is not None
    start = match.end()
    end = _close(line, start) if line[start] == "(" else line.index(" ", start)
    opening = line.index("(", end)
    closing = _close(line, opening)
    inside = line[opening + 1 : closing - 1]
    opcode = line[end:opening].strip()
    return Instruction(
        name=match[2],
        opcode=opcode,
        type_text=line[start:end],
        operands=() if opcode == "constant" else tuple(_NAME.findall(inside)),
        attributes=line[closing:].lstrip(", "),
        literal=inside if opcode in ("constant", "parameter") else "",
        is_root=match[1] is not None,
    )


def _close(text: str, start: int) -> int:
    """Index behind the parenthesis that closes the one at `start`."""
    depth = 0
    for index in range(start, len(text)):
        if text[index] == "(":
            depth += 1
        elif text[index] == ")":
            depth -= 1
            if depth == 0:
                return index + 1
    raise ValueError(f"HLO text: no closing parenthesis in {text[:200]!r}")
