"""What all episodes of a source have in common: kinds, shapes, ranges, returns. One pass."""

import collections
import dataclasses
from typing import Any

import numpy as np

from data_pipelines.importing.control.episodes import Demonstration, as_text, is_encoded_image
from data_pipelines.importing.control.findings import Doubt
from data_pipelines.importing.control.frames import FrameError, check_frames, frame_size
from data_pipelines.importing.control.options import BadEpisodes, ControlOptions
from data_pipelines.spec import Kind

ACTION = "action"
_MOST_TEXTS = 10_000
_LEAST_FRAME_SIDE = 12
"""Arrays of bytes with a shorter side are grids of symbols (BabyAI's view is 7x7x3), not pictures."""


@dataclasses.dataclass
class ItemStatistics:
    """What was seen of one item of the observation, or of the action, at the N steps that have actions.

    Args:
      kind: inferred, or as the user says.
      dtypes, shapes: every one found, without time; of pictures, height, width and channels.
      low, high: least and greatest of each value, flattened; of texts and pictures, empty.
      whole: whether all values are whole numbers.
      texts: distinct ones, up to ten thousand.
      example: id of the first episode whose shape or dtype was another one.
    """

    kind: Kind
    dtypes: list[str] = dataclasses.field(default_factory=list)
    shapes: list[tuple[int, ...]] = dataclasses.field(default_factory=list)
    low: list[float] = dataclasses.field(default_factory=list)
    high: list[float] = dataclasses.field(default_factory=list)
    whole: bool = True
    texts: list[str] = dataclasses.field(default_factory=list)
    example: str = ""

    @property
    def range(self) -> tuple[float, float]:
        """Least and greatest of all values."""
        return min(self.low, default=0.0), max(self.high, default=0.0)

    def add(self, episode: str, values: np.ndarray) -> None:
        """Counts [N, ...] values in. Raises `FrameError` for pictures that are none."""
        shape: tuple[int, ...] = values.shape[1:]
        dtype = str(values.dtype)
        if self.kind is Kind.TEXT:
            shape, dtype = values.shape[1:], "str"
            known_texts = set(self.texts)
            fresh = {as_text(value) for value in values.ravel()} - known_texts
            self.texts += sorted(fresh)[: _MOST_TEXTS - len(known_texts)]
        elif self.kind is Kind.IMAGE:
            shape = frame_size(values)
            dtype = "uint8" if values.dtype == object else dtype
        if shape not in self.shapes or dtype not in self.dtypes:
            self.example = self.example or (episode if self.shapes else "")
            self.shapes += [] if shape in self.shapes else [shape]
            self.dtypes += [] if dtype in self.dtypes else [dtype]
        if self.kind not in (Kind.TEXT, Kind.IMAGE) and values.dtype.kind in "biuf" and len(self.shapes) == 1:
            flat = values.reshape(len(values), -1)
            if not len(self.low):
                self.low, self.high = [float("inf")] * flat.shape[1], [float("-inf")] * flat.shape[1]
            self.low = np.minimum(self.low, flat.min(axis=0)).tolist()
            self.high = np.maximum(self.high, flat.max(axis=0)).tolist()
            self.whole = self.whole and (values.dtype.kind in "biu" or bool((values == np.round(values)).all()))


@dataclasses.dataclass
class Doubted:
    """A doubt that episodes share: in how many, and of the first of them its id and the doubt."""

    episodes: int
    first: str
    doubt: Doubt


@dataclasses.dataclass
class Survey:
    """Statistics of a source's episodes. Frames are decoded only where broken ones are to be left out.

    Args:
      options: what the user decided; kinds and the rule for NaN.
      items: key, or "action" -> statistics.
      returns, steps: of every episode, None in returns where an episode is left out.
      skipped: reason -> episodes that are left out.
      damaged: NaN and Inf: (episode, key, step) of the first twenty.
      repeated, terminal: episodes whose last observation is repeated; that their environment ended.
      broken: (episode, what) of episodes that cannot be read as the rest are; the first twenty.
      doubts: what the episodes' doubts say -> in how many, and the first.
    """

    options: ControlOptions
    items: dict[str, ItemStatistics] = dataclasses.field(default_factory=dict)
    returns: list[float | None] = dataclasses.field(default_factory=list)
    steps: list[int] = dataclasses.field(default_factory=list)
    skipped: dict[str, int] = dataclasses.field(default_factory=collections.Counter)
    damaged: list[tuple[str, str, int]] = dataclasses.field(default_factory=list)
    repeated: int = 0
    terminal: int = 0
    broken: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    doubts: dict[str, Doubted] = dataclasses.field(default_factory=dict)

    @property
    def episodes(self) -> int:
        """All that were seen."""
        return len(self.returns)

    @property
    def usable(self) -> list[float]:
        """Returns of the episodes that are not left out, in their order."""
        return [value for value in self.returns if value is not None]

    def leave_out(self, reason: str) -> None:
        """Counts an episode that cannot be used."""
        self.returns.append(None)
        self.steps.append(0)
        self.skipped[reason] = self.skipped.get(reason, 0) + 1

    def add(self, demonstration: Demonstration) -> None:
        """Counts one episode in."""
        place = bad_value(demonstration)
        if place is not None:
            if len(self.damaged) < 20:
                self.damaged.append((demonstration.id, *place))
            self.leave_out(f"NaN or Inf in {place[0]!r}")
            return
        if self.leaves_out and (what := self._unreadable(demonstration)) is not None:
            key, error = what
            self._tell(demonstration.id, key, error)
            self.leave_out(f"broken values in {key!r}")
            return
        values = {key: array[:-1] for key, array in demonstration.observation.items()}
        for key, array in {**values, ACTION: demonstration.action}.items():
            if key not in self.items:
                self.items[key] = ItemStatistics(self.options.kinds.get(key) or infer_kind(array))
            try:
                self.items[key].add(demonstration.id, array)
            except (FrameError, UnicodeDecodeError) as error:
                self._tell(demonstration.id, key, error)
        self.returns.append(demonstration.episode_return)
        self.steps.append(demonstration.steps)
        self.repeated += demonstration.repeated
        self.terminal += demonstration.terminal
        for doubt in demonstration.doubts:
            name = f"{doubt.key}: {doubt.what}"
            doubted = self.doubts.setdefault(name, Doubted(0, demonstration.id, doubt))
            doubted.episodes += 1

    def _tell(self, episode: str, key: str, error: Exception) -> None:
        if len(self.broken) < 20:
            self.broken.append((episode, f"{key!r}: {error}"))

    def _unreadable(self, demonstration: Demonstration) -> tuple[str, Exception] | None:
        """Key and error of the first frames or texts that cannot be decoded, also of the last observation."""
        for key, values in demonstration.observation.items():
            kind = self.options.kinds.get(key) or infer_kind(values)
            try:
                if kind is Kind.IMAGE and values.dtype == object:
                    check_frames(values)
                elif kind is Kind.TEXT:
                    for value in values.ravel():
                        as_text(value)
            except (FrameError, UnicodeDecodeError) as error:
                return key, error
        return None

    def to_json(self) -> dict[str, Any]:
        """For a file that an interrupted import goes on from."""
        plain = {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name != "options"}
        items = {key: {**dataclasses.asdict(item), "kind": item.kind.value} for key, item in self.items.items()}
        doubts = {name: dataclasses.asdict(doubted) for name, doubted in self.doubts.items()}
        return {**plain, "items": items, "skipped": dict(self.skipped), "doubts": doubts}

    @classmethod
    def from_json(cls, data: dict[str, Any], options: ControlOptions) -> "Survey":
        items = {
            key: ItemStatistics(
                **{**item, "kind": Kind(item["kind"]), "shapes": [tuple(shape) for shape in item["shapes"]]}
            )
            for key, item in data["items"].items()
        }
        damaged = [(episode, key, step) for episode, key, step in data["damaged"]]
        broken = [(episode, what) for episode, what in data["broken"]]
        doubts = {
            name: Doubted(**{**doubted, "doubt": Doubt(**doubted["doubt"])})
            for name, doubted in data.get("doubts", {}).items()
        }
        return cls(options, **{**data, "items": items, "damaged": damaged, "broken": broken, "doubts": doubts})

    @property
    def leaves_out(self) -> bool:
        """Whether episodes with NaN, Inf, or broken frames and texts are left out."""
        return self.options.bad_episodes is BadEpisodes.LEAVE_OUT

    @property
    def refuses_damaged(self) -> bool:
        """Whether NaN and Inf stop the import."""
        return bool(self.damaged) and not self.leaves_out


def bad_value(demonstration: Demonstration) -> tuple[str, int] | None:
    """Key and step of the first NaN or Inf of an episode, None without any. The last observation is never used."""
    arrays = {key: values[:-1] for key, values in demonstration.observation.items()}
    arrays |= {ACTION: demonstration.action, "reward": demonstration.reward}
    for key, values in arrays.items():
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            finite = np.isfinite(values).reshape(len(values), -1).all(axis=1)
            return key, int(np.argmin(finite))
    return None


def infer_kind(values: np.ndarray) -> Kind:
    """Kind of [T, ...] values from their dtype and shape."""
    if values.dtype == object or values.dtype.kind in "US":
        first = values.ravel()[0] if values.size else ""
        return Kind.IMAGE if is_encoded_image(first) else Kind.TEXT
    if values.dtype == np.uint8 and values.ndim in (3, 4):
        pictured = values.ndim == 3 or values.shape[3] in (1, 3, 4)
        if pictured and min(values.shape[1:3]) >= _LEAST_FRAME_SIDE:
            return Kind.IMAGE
    return Kind.DISCRETE if values.dtype.kind in "biu" else Kind.CONTINUOUS
