"""Simulators in worker processes, which step at the same time while one policy acts in all of them.

A request is a line of JSON and the actions' bytes; an answer a line of JSON and the observations' bytes. A process that
dies or hangs costs the episodes of its rows, and is replaced when they are reset.
"""

import contextlib
import json
import os
import selectors
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import dm_env
import numpy as np

from data_pipelines.spec import Kind, TaskSpec
from data_pipelines.suites.base.environment import nest
from data_pipelines.suites.outside.process import ended, python_path
from gato_jax.evaluation.simulators.local import Observation, Step

SECONDS = 300.0
"""A step or a reset that takes longer has hung."""


class Remote:
    """Simulators of one task in several processes.

    Args:
      task: its name.
      spec: of a task that is played outside this package; whoever gives it has consent to open it.
      count: simulators.
      processes: they are dealt to.
      opengl: what draws in them.

    Raises:
      RuntimeError: a process cannot open the task.
    """

    def __init__(self, task: str, spec: TaskSpec | None = None, *, count: int, processes: int, opengl: str):
        self._opening = {"task": task, "spec": json.loads(spec.to_json()) if spec is not None else None}
        self._opengl = opengl
        shares = np.array_split(np.arange(count), max(1, min(processes, count)))
        self._where = {int(row): (at, place) for at, share in enumerate(shares) for place, row in enumerate(share)}
        self._sizes = [len(share) for share in shares]
        begun = [_Child({**self._opening, "count": size}, opengl) for size in self._sizes]
        self._children: list[_Child | None] = list(begun)
        try:
            self.spec, *_ = [child.opened() for child in begun]
        except RuntimeError:
            self.close()
            raise

    def __len__(self) -> int:
        return len(self._where)

    def reset(self, rows: Sequence[int], seeds: Sequence[int]) -> list[Observation]:
        for at in sorted({self._where[row][0] for row in rows}):
            if self._children[at] is None:
                child = self._children[at] = _Child({**self._opening, "count": self._sizes[at]}, self._opengl)
                child.opened()
        answers = self._ask("reset", rows, [int(seed) for seed in seeds], [])
        failed = [answer["error"] for answer in answers if "error" in answer]
        if failed:
            raise RuntimeError(f"task {self.spec.name!r}: no episode could be started: {failed[0]}")
        return [answer["observation"] for answer in answers]

    def step(self, rows: Sequence[int], actions: Sequence[np.ndarray]) -> list[Step]:
        return [self._step(answer) for answer in self._ask("step", rows, [], actions)]

    def close(self) -> None:
        for child in self._children:
            if child is not None:
                child.end()

    def _ask(
        self, what: str, rows: Sequence[int], seeds: Sequence[int], actions: Sequence[np.ndarray]
    ) -> list[dict[str, Any]]:
        """Asks all processes, then listens to all: they work side by side."""
        asked: dict[int, list[int]] = {}
        for index, row in enumerate(rows):
            asked.setdefault(self._where[row][0], []).append(index)
        found: list[dict[str, Any]] = [{} for _ in rows]
        gone: dict[int, str | None] = {}
        for at, indices in asked.items():
            request: dict[str, Any] = {"do": what, "places": [self._where[rows[i]][1] for i in indices]}
            if seeds:
                request["seeds"] = [seeds[i] for i in indices]
            own = [actions[i] for i in indices] if actions else []
            gone[at] = self._guard(at, lambda child, request=request, own=own: child.send(request, own))
        for at, indices in asked.items():
            answers = gone[at] or self._guard(at, lambda child: child.answer())
            for place, index in enumerate(indices):
                found[index] = answers[place] if isinstance(answers, list) else {"error": answers}
        return found

    def _guard(self, at: int, call: Any) -> Any:
        """What a process says, or why it says nothing: then it is gone."""
        child = self._children[at]
        if child is None:
            return "its process had ended"
        try:
            return call(child)
        except (_Gone, BrokenPipeError) as error:
            self._children[at] = None
            return child.end() or str(error)

    def _step(self, answer: Mapping[str, Any]) -> Step:
        if "error" in answer:
            return Step(None, error=str(answer["error"]))
        kind = dm_env.StepType.LAST if answer["last"] else dm_env.StepType.MID
        timestep = dm_env.TimeStep(kind, answer["reward"], answer["discount"], answer["observation"])
        return Step(timestep, answer["success"])


class _Gone(RuntimeError):
    """A process that has ended or hangs."""


class _Child:
    """One process. Its standard error goes nowhere: what it has to say is in its answers."""

    def __init__(self, opening: Mapping[str, Any], opengl: str):
        environment = {**os.environ, "PYTHONPATH": python_path(), "MUJOCO_GL": opengl, "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "gato_jax.evaluation.simulators.child"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment,
            start_new_session=True,
        )  # fmt: skip
        self._selector = selectors.DefaultSelector()
        assert self._process.stdout is not None
        self._selector.register(self._process.stdout, selectors.EVENT_READ)
        self._buffer = b""
        self._write(json.dumps(opening).encode() + b"\n")

    def opened(self) -> TaskSpec:
        """The task's spec. Raises `RuntimeError` where it could not be opened."""
        header = json.loads(self._take(until=b"\n"))
        if "error" in header:
            raise RuntimeError(header["error"])
        self._spec = TaskSpec.from_dict(header["spec"])
        return self._spec

    def send(self, request: Mapping[str, Any], actions: Sequence[np.ndarray] = ()) -> None:
        item = self._spec.action
        data = b"".join(np.ascontiguousarray(action, item.dtype).tobytes() for action in actions)
        self._write(json.dumps(request).encode() + b"\n" + data)

    def _write(self, data: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def answer(self) -> list[dict[str, Any]]:
        """What came of each place that was asked. Raises `_Gone`."""
        header = json.loads(self._take(until=b"\n"))
        for entry in header:
            if "texts" in entry:
                entry["observation"] = self._observation(entry.pop("texts"))
        return header

    def end(self) -> str:
        """Ends the process; returns how it had ended by itself, "" where it had not."""
        code = self._process.poll()
        self._process.kill()
        self._process.wait()
        self._selector.close()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):  # What was left to be sent.
                    pipe.close()
        return f"its process {ended(code)}" if code else ""

    def _observation(self, texts: Mapping[str, Any]) -> dict[str, Any]:
        leaves: dict[tuple[str, ...], Any] = {}
        for item in self._spec.observation:
            if item.kind is Kind.TEXT:
                leaves[item.path] = texts[item.key]
                continue
            size = int(np.prod(item.shape)) * np.dtype(item.dtype).itemsize
            leaves[item.path] = np.frombuffer(self._take(size=size), item.dtype).reshape(item.shape)
        return nest(leaves)

    def _take(self, *, size: int = 0, until: bytes = b"") -> bytes:
        """So many bytes, or all up to and with a mark."""
        while (until and until not in self._buffer) or len(self._buffer) < size:
            if not self._selector.select(SECONDS):
                raise _Gone(f"its process said nothing for {SECONDS:g} s")
            assert self._process.stdout is not None
            more = os.read(self._process.stdout.fileno(), 1 << 20)
            if not more:
                self._process.wait()
                raise _Gone("its process has ended")
            self._buffer += more
        end = self._buffer.index(until) + 1 if until else size
        taken, self._buffer = self._buffer[:end], self._buffer[end:]
        return taken


def action_size(spec: TaskSpec) -> int:
    """Bytes of one action."""
    return int(np.prod(spec.action.shape)) * np.dtype(spec.action.dtype).itemsize


def encoded(spec: TaskSpec, observation: Observation) -> tuple[dict[str, Any], bytes]:
    """Texts by key, and the bytes of everything else in the order of the spec."""
    texts, data = {}, []
    for item in spec.observation:
        node: Any = observation
        for part in item.path:
            node = node[part]
        if item.kind is Kind.TEXT:
            texts[item.key] = str(node)
        else:
            data.append(np.ascontiguousarray(node, item.dtype).reshape(item.shape).tobytes())
    return texts, b"".join(data)
