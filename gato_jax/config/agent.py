"""Options of acting (Gato, section 2.5)."""

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any

from data_pipelines.config_json import encode
from data_pipelines.ranges import Natural, Positive, ShareAboveNone, check_fields


class Decode(enum.Enum):
    """How an action token is chosen among the legal ids of its place.

    `MEAN` takes the bin nearest to the mean of the distribution. It is for continuous actions; discrete ones, whose ids
    have no order, are chosen by `ARGMAX` then.

    Examples:
      >>> import gato_jax
      >>> gato_jax.Decode("sample")
      <Decode.SAMPLE: 'sample'>
    """

    ARGMAX = "argmax"
    SAMPLE = "sample"
    MEAN = "mean"


class FullWindow(enum.Enum):
    """What an agent does when its window is full.

    Example:
      >>> import gato_jax
      >>> gato_jax.FullWindow("reprefill")
      <FullWindow.REPREFILL: 'reprefill'>
    """

    REPREFILL = "reprefill"
    """It drops the oldest timesteps and reads the others in again: the network sees what training showed it."""
    XL_MEMORY = "xl_memory"
    """It drops the oldest timestep and keeps the keys and values of the others as they are, which know of what was
    before them (Transformer-XL's memory, of which the paper says that it helped). A prompt is dropped as well."""


@dataclasses.dataclass(frozen=True)
class Sampling:
    """How tokens are drawn (`Decode.SAMPLE`).

    Args:
      temperature: the scores are divided by it.
      top_k: only so many ids with the best scores; 0 = all.
      top_p: only the best ids whose probabilities together reach this; 1 = all.

    Example:
      >>> import gato_jax
      >>> gato_jax.Sampling(temperature=0.7, top_k=40).top_p
      1.0
    """

    temperature: Positive = 1.0
    top_k: Natural = 0
    top_p: ShareAboveNone = 1.0

    def __post_init__(self):
        check_fields(self, "sampling")

    @property
    def truncates(self) -> bool:
        """Whether some ids are never drawn."""
        return self.top_k > 0 or self.top_p < 1


@dataclasses.dataclass(frozen=True)
class AgentConfig:
    """How an agent remembers and decides.

    Args:
      context_timesteps: timesteps that the agent sees, the current one included; 1 = only the current one, 0 = as many
        whole ones as fit the training window of the task's row group.
      drop_timesteps: oldest timesteps of the episode dropped when the window is full, after which what is left is read
        in again, a prompt first; 0 = a quarter of the window, at least one. More means less to read in each step, and a
        shorter memory after it.
      decode: domain -> how its actions are chosen. The paper does not say; greedy acting can loop for ever in grid
        worlds, sampling shakes in motor control.
      decode_others: for the domains that `decode` does not name.
      temperature: of sampled actions; greedy acting is `Decode.ARGMAX`.
      prompt_tokens: longest prompt, cut to whole timesteps: the first tokens of a demonstration. 0 = never a prompt. A
        prompt takes what `data.stream.prompt_timesteps` says, as in training, and at most half of the window.
      sampling: domain -> how its actions are drawn; others have `temperature` alone.
      full_window: what happens when the window is full. `drop_timesteps` is for `FullWindow.REPREFILL`.

    Examples:
      >>> import gato_jax
      >>> agent = gato_jax.AgentConfig(decode={"babyai": gato_jax.Decode.SAMPLE})
      >>> agent.decode_of("babyai").value, agent.decode_of("metaworld").value
      ('sample', 'argmax')
    """

    context_timesteps: Natural = 0
    drop_timesteps: Natural = 0
    decode: Mapping[str, Decode] = dataclasses.field(default_factory=dict)
    decode_others: Decode = Decode.ARGMAX
    temperature: Positive = 1.0
    prompt_tokens: Natural = 1024
    sampling: Mapping[str, Sampling] = dataclasses.field(default_factory=dict)
    full_window: FullWindow = FullWindow.REPREFILL

    def __post_init__(self):
        check_fields(self, "agent")

    def decode_of(self, domain: str, *, ordered: bool = True) -> Decode:
        """How a domain's actions are chosen. `ordered`: their ids are bins of a range, so that a mean exists."""
        decode = self.decode.get(domain, self.decode_others)
        return Decode.ARGMAX if decode is Decode.MEAN and not ordered else decode

    def sampling_of(self, domain: str) -> Sampling:
        """How a domain's actions are drawn."""
        return self.sampling.get(domain, Sampling(self.temperature))

    def identity(self) -> dict[str, Any]:
        """The options as JSON, by which evaluations are known: newer ones only where they say something."""
        default = encode(AgentConfig())
        newer = ("sampling", "full_window")
        return {key: value for key, value in encode(self).items() if key not in newer or value != default[key]}
