"""Options of acting (Gato, section 2.5)."""

import dataclasses
import enum
from collections.abc import Mapping


class Decode(enum.Enum):
    """How an action token is chosen among the legal ids of its place."""

    ARGMAX = "argmax"
    SAMPLE = "sample"


@dataclasses.dataclass(frozen=True)
class AgentConfig:
    """How an agent remembers and decides.

    Args:
      context_timesteps: timesteps that the agent sees, the current one included; 1 = only the current one, 0 = as many
        whole ones as fit the training window of the task's row group.
      drop_timesteps: oldest timesteps dropped when the window is full, after which what is left is read in again; 0 = a
        quarter of the window, at least one. More means fewer and longer pauses, and a shorter memory right after one.
      decode: domain -> how its actions are chosen. The paper does not say; greedy acting can loop for ever in grid
        worlds, sampling shakes in motor control.
      decode_others: for the domains that `decode` does not name.
      temperature: of sampled actions.
      prompt_tokens: length of a prompt, cut to whole timesteps: the first tokens of a demonstration. 0 = never a
        prompt; prompts are given to `Policy`, from which this cuts.
    """

    context_timesteps: int = 0
    drop_timesteps: int = 0
    decode: Mapping[str, Decode] = dataclasses.field(default_factory=dict)
    decode_others: Decode = Decode.ARGMAX
    temperature: float = 1.0
    prompt_tokens: int = 1024

    def __post_init__(self):
        for name in ("context_timesteps", "drop_timesteps", "prompt_tokens"):
            if getattr(self, name) < 0:
                raise ValueError(f"agent.{name} must not be negative, found {getattr(self, name)}")
        if not self.temperature > 0:
            raise ValueError(
                f"agent.temperature must be positive, found {self.temperature}; for greedy acting set agent.decode"
            )
        wrong = {domain: value for domain, value in self.decode.items() if not isinstance(value, Decode)}
        if wrong:
            raise ValueError(f"agent.decode maps domains to {[d.value for d in Decode]}, found {wrong}")

    def decode_of(self, domain: str) -> Decode:
        return self.decode.get(domain, self.decode_others)
