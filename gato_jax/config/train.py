"""Options of the training loop."""

import dataclasses
import enum

from data_pipelines.config_json import old_names_work
from data_pipelines.ranges import Count, Minutes, Natural, Positive, Seed, check_fields
from gato_jax.config.mixture_control import MixtureControllerConfig


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


@old_names_work
@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """Length, logging, checkpoints.

    Args:
      steps: length of the run; None = as many as `minutes` holds.
      minutes: wall-clock budget, turned into `steps` once from 20 timed steps and written into the run's resolved
        config before step 0; resuming reads it there.
      init_from: run, checkpoint or export whose weights the run begins with, else fresh ones. Only the weights are
        read, and only when the run begins: a run that goes on needs them no more. Also `gato train X --init-from`.
      init_digest: SHA-256 of these weights, written into the run's resolved config; other weights are refused.
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
      mixture_controller: changes the mixture's weights as the run goes on; see `MixtureControllerConfig`.

    Examples:
      >>> import gato_jax
      >>> gato_jax.TrainConfig(steps=200, checkpoint_every=50).steps
      200
    """

    steps: Count | None = None
    minutes: Minutes | None = None
    seed: Seed = 0
    init_from: str | None = None
    init_digest: str | None = None
    dtype: str = "float32"
    log_every: Count = 10
    checkpoint_every: Count = 1000
    checkpoint_minutes: Minutes | None = None
    keep: Count = 2
    keep_every: Natural = 0
    on_damaged: OnDamaged = OnDamaged.STOP
    on_nan: OnNan = OnNan.STOP
    evaluate_every: Natural = 0
    evaluate_rows: Count = 64
    hash_batches: bool = True
    peak_tflops: Positive | None = None
    wandb: str | None = None
    profile: tuple[Natural, Count] | None = None
    distributed: Distributed = Distributed.LOCAL
    coordinator: str | None = None
    processes: Count | None = None
    process: Natural | None = None
    wait_minutes: Minutes = 10.0
    stall_minutes: Minutes = 10.0
    mixture_controller: MixtureControllerConfig = dataclasses.field(default_factory=MixtureControllerConfig)

    def __post_init__(self):
        check_fields(self, "train")
        if self.steps is None and self.minutes is None:
            raise ValueError("train.steps and train.minutes are both None: one of them must bound the run")
        if self.init_digest is not None and self.init_from is None:
            raise ValueError(f"train.init_digest {self.init_digest} needs train.init_from, which is None")
        if self.init_from == "":
            raise ValueError("train.init_from must name a run or an export, or be None, found ''")
        if self.wandb is not None and not all(self.wandb.split("/")[:2]):
            raise ValueError(f'train.wandb must be "project" or "entity/project", found {self.wandb!r}')
        if self.process is not None and not 0 <= self.process < (self.processes or self.process + 1):
            raise ValueError(f"train.process must be in [0, train.processes = {self.processes}), found {self.process}")
        if self.dtype not in ("float32", "bfloat16"):
            raise ValueError(f'train.dtype must be "float32" or "bfloat16", found {self.dtype!r}')
        if self.mixture_controller.controlled_by_validation and not self.evaluate_every:
            raise ValueError(
                "train.mixture_controller.measure is validation, but train.evaluate_every is 0: there is no such loss"
            )
