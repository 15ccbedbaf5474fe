"""Options of the training loop."""

import dataclasses
import enum

from gato_jax.config.mixture_control import PolicyConfig


class Distributed(enum.Enum):
    """How the processes of a run find each other, through `jax.distributed`."""

    LOCAL = "local"
    """One process; or those of `train.coordinator` or `JAX_COORDINATOR_ADDRESS` where set."""
    CLUSTER = "cluster"
    """`jax.distributed.initialize()` finds the other hosts (TPU slices, GKE, SLURM, Open MPI)."""
    OFF = "off"
    """One process, whatever the environment says."""


class OnDamaged(enum.Enum):
    """What to do about a latest checkpoint that is truncated, incomplete or changed on disk."""

    STOP = "stop"
    """An error names it, its files, and the checkpoint before it."""
    LAST_GOOD = "last_good"
    """It is renamed to `damaged-<step>`, and the run goes on from the newest whole one."""


class OnNan(enum.Enum):
    """What to do about a batch whose loss or gradients are not finite. Either way `not_finite/` says what it held."""

    STOP = "stop"
    """The run ends with an error; the last checkpoint is from before."""
    SKIP = "skip"
    """Parameters and optimizer stay as they are, and the run goes on; 20 such batches in a row end it."""


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """Length, logging, checkpoints.

    Args:
      steps: length of the run; None = as many as `minutes` holds.
      minutes: wall-clock budget, turned into `steps` once from 20 timed steps and written into the run's resolved
        config before step 0; resuming reads it there.
      seed: parameters, augmentation and stochastic depth. The data has its own, `data.stream.seed`.
      dtype: type in which the network computes, "float32" or "bfloat16"; parameters stay float32.
      log_every: steps between records in metrics.jsonl and TensorBoard.
      checkpoint_every: steps between checkpoints; the last step is always saved.
      checkpoint_minutes: minutes after a checkpoint at which the next is saved too; None = steps alone decide. With
        several hosts the time is looked at every `log_every` steps.
      keep: latest checkpoints kept.
      keep_every: checkpoints at multiples of this step are never deleted; 0 = only the latest are kept.
      on_damaged: see `OnDamaged`.
      on_nan: see `OnNan`.
      evaluate_every: steps between validation losses of the tasks that have a validation split; 0 = never.
      evaluate_rows: rows of each task in one validation.
      hash_batches: write a hash of the batch with every record.
      peak_tflops: matrix FLOPs per second of one device / 1e12, for MFU; None = the published bfloat16 peak of the
        device. Where none is known, the records have no MFU.
      wandb: Weights & Biases project ("project" or "entity/project") that gets the records too; needs the extra
        `wandb`, and WANDB_MODE=offline where there is no network.
      profile: first step and number of steps of a profiler trace in the run's `profile/`, such as 100 5.
      distributed: see `Distributed`.
      coordinator: "host:port" of the first process, where nothing can be detected; also `JAX_COORDINATOR_ADDRESS`.
      processes: number of processes; also `JAX_NUM_PROCESSES`.
      process: index of this one; also `JAX_PROCESS_ID`.
      wait_minutes: how long a process waits for the others at start-up and at barriers.
      stall_minutes: a step, or another part of the loop, that takes longer has all stacks written to `stalls/`.
      policy: changes the mixture's weights as the run goes on; see `PolicyConfig`.
    """

    steps: int | None = None
    minutes: float | None = None
    seed: int = 0
    dtype: str = "float32"
    log_every: int = 10
    checkpoint_every: int = 1000
    checkpoint_minutes: float | None = None
    keep: int = 2
    keep_every: int = 0
    on_damaged: OnDamaged = OnDamaged.STOP
    on_nan: OnNan = OnNan.STOP
    evaluate_every: int = 0
    evaluate_rows: int = 64
    hash_batches: bool = True
    peak_tflops: float | None = None
    wandb: str | None = None
    profile: tuple[int, int] | None = None
    distributed: Distributed = Distributed.LOCAL
    coordinator: str | None = None
    processes: int | None = None
    process: int | None = None
    wait_minutes: float = 10.0
    stall_minutes: float = 10.0
    policy: PolicyConfig = dataclasses.field(default_factory=PolicyConfig)

    def __post_init__(self):
        if self.steps is None and self.minutes is None:
            raise ValueError("train.steps and train.minutes are both None: one of them must bound the run")
        if self.steps is not None and self.steps < 1:
            raise ValueError(f"train.steps must be positive, found {self.steps}")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"train.seed must be in [0, 2^32), found {self.seed}")
        for name in ("minutes", "checkpoint_minutes", "wait_minutes", "stall_minutes", "peak_tflops"):
            if getattr(self, name) is not None and getattr(self, name) <= 0:
                raise ValueError(f"train.{name} must be positive, found {getattr(self, name)}")
        if self.profile is not None and (self.profile[0] < 0 or self.profile[1] < 1):
            raise ValueError(
                f"train.profile must be a first step >= 0 and a number of steps >= 1, found {self.profile}"
            )
        if self.wandb is not None and not all(self.wandb.split("/")[:2]):
            raise ValueError(f'train.wandb must be "project" or "entity/project", found {self.wandb!r}')
        for name in ("log_every", "checkpoint_every", "keep", "evaluate_rows"):
            if getattr(self, name) < 1:
                raise ValueError(f"train.{name} must be positive, found {getattr(self, name)}")
        for name in ("evaluate_every", "keep_every"):
            if getattr(self, name) < 0:
                raise ValueError(f"train.{name} must not be negative, found {getattr(self, name)}")
        if self.process is not None and not 0 <= self.process < (self.processes or self.process + 1):
            raise ValueError(f"train.process must be in [0, train.processes = {self.processes}), found {self.process}")
        if self.dtype not in ("float32", "bfloat16"):
            raise ValueError(f'train.dtype must be "float32" or "bfloat16", found {self.dtype!r}')
        if self.policy.controlled_by_validation and not self.evaluate_every:
            raise ValueError("train.policy.measure is validation, but train.evaluate_every is 0: there is no such loss")
