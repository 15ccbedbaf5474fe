"""Options of acting (Gato, section 2.5)."""

import dataclasses
import enum
from collections.abc import Mapping

from data_pipelines.ranges import Natural, Positive, check_fields


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


@dataclasses.dataclass(frozen=True)
class AgentConfig:
    """How an agent remembers and decides.

    Args:
      context_timesteps: timesteps that the agent sees, the current one included; 1 = only the current one, 0 = as many
        whole ones as fit the training window of the task's row group.
      drop_timesteps: oldest timesteps of the episode dropped when the window is full, after which what is left is read
        in again, a prompt first; 0 = a quarter of the window, at least one. More means fewer and longer pauses, and a
        shorter memory right after one.
      decode: domain -> how its actions are chosen. The paper does not say; greedy acting can loop for ever in grid
        worlds, sampling shakes in motor control.
      decode_others: for the domains that `decode` does not name.
      temperature: of sampled actions; greedy acting is `Decode.ARGMAX`.
      prompt_tokens: longest prompt, cut to whole timesteps: the first tokens of a demonstration. 0 = never a prompt. A
        prompt takes what `data.stream.prompt_timesteps` says, as in training, and at most half of the window.

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

    def __post_init__(self):
        check_fields(self, "agent")

    def decode_of(self, domain: str, *, ordered: bool = True) -> Decode:
        """How a domain's actions are chosen. `ordered`: their ids are bins of a range, so that a mean exists."""
        decode = self.decode.get(domain, self.decode_others)
        return Decode.ARGMAX if decode is Decode.MEAN and not ordered else decode
