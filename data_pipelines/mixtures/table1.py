"""Table 1 of the paper as plain data: 16 control and 8 vision-language rows, and which of our tasks stand for each.

A control row lists its tasks by name (`table1_tasks`), as many as the paper's where so many are public. Patterns take
data sets of others: all of a row that was never released, and imports that are relatives of a row's tasks.

Episodes, tokens and weights are the paper's (section 4, table 1). A row whose data was never released says what a user
can have in its place, or that there is nothing.
"""

import dataclasses
import fnmatch

from data_pipelines.mixtures.table1_tasks import TASKS


@dataclasses.dataclass(frozen=True)
class Row:
    """One data set of the paper.

    Args:
      name: as printed in the paper.
      weight: percent of the sequences.
      patterns: names of data sets that stand for it besides, with `*`.
      public: data or simulators that one can have today.
      tasks: number of tasks, control only.
      episodes, tokens: sizes, control only.
      names: our tasks that stand for it.
      held_out: our names of tasks that the paper keeps out of training (section 5.2).
      expert: whose data the paper has (appendix F, in part from secondary sources).
    """

    name: str
    weight: float
    patterns: tuple[str, ...]
    public: str
    tasks: int | None = None
    episodes: float | None = None
    tokens: float | None = None
    held_out: tuple[str, ...] = ()
    expert: str = "people"
    names: tuple[str, ...] = ()

    def holds(self, task: str) -> bool:
        """Whether a task of ours stands for this row; tasks that the paper holds out do not."""
        if task in self.held_out:
            return False
        return task in self.names or any(fnmatch.fnmatchcase(task, pattern) for pattern in self.patterns)

    @property
    def domains(self) -> tuple[str, ...]:
        """First parts of its tasks' names, each once."""
        return tuple(dict.fromkeys(name.partition(".")[0] for name in (*self.names, *self.patterns)))


_RWRL = (
    *(f"dm_control_random_small.cartpole_swingup_{level}" for level in ("easy", "medium", "hard")),
    *(f"dm_control_random_small.{body}_walk_*" for body in ("humanoid", "quadruped", "walker")),
)
"""Tasks of the Real-World RL suite, as its recipe names them: `<task>_<challenge>`."""

CONTROL = (
    Row(
        "DM Lab", 9.35, (), "TFDS rlu_dmlab_*: 5 of the levels", 254, 16.4e6, 194e9,
        ("dmlab.order_of_apples_forage_simple",),
        expert="IMPALA",
        names=TASKS["DM Lab"],
    ),
    Row(
        "ALE Atari", 9.5, (), "ale-py; TFDS rlu_atari*; JAT's episodes", 51, 63.4e3, 1.26e9,
        ("atari.boxing",),
        expert="Muesli",
        names=TASKS["ALE Atari"],
    ),
    Row(
        "ALE Atari Extended", 10.0, (), "ale-py's modes and difficulties", 28, 28.4e3, 565e6,
        expert="Muesli",
        names=TASKS["ALE Atari Extended"],
    ),
    Row(
        "Sokoban", 1.33, (), "gym-sokoban; no recorded episodes known", 1, 27.2e3, 298e6, expert="Muesli",
        names=TASKS["Sokoban"],
    ),
    Row(
        "BabyAI", 9.06, (), "minigrid and its bot; JAT's episodes", 46, 4.61e6, 22.8e9, expert="BabyAI bot",
        names=TASKS["BabyAI"],
    ),
    Row(
        "DM Control Suite", 4.62, (), "dm-control; TFDS rlu_control_suite", 30, 395e3, 22.5e9,
        ("dm_control.cartpole_swingup",),
        expert="D4PG",
        names=TASKS["DM Control Suite"],
    ),
    Row(
        "DM Control Suite Pixels", 7.07, (), "dm-control, rendered", 28, 485e3, 35.5e9,
        ("dm_control_pixels.cartpole_swingup",),
        expert="MPO from pixels",
        names=TASKS["DM Control Suite Pixels"],
    ),
    Row(
        "DM Control Suite Random Small", 3.04, _RWRL,
        "dm-control with scaled bodies; TFDS rlu_rwrl is close", 26, 10.6e6, 313e9,
        expert="D4PG",
        names=TASKS["DM Control Suite Random Small"],
    ),
    Row(
        "DM Control Suite Random Large", 3.04, (),
        "dm-control with scaled bodies; TFDS rlu_rwrl is close", 26, 26.1e6, 791e9,
        expert="D4PG",
        names=TASKS["DM Control Suite Random Large"],
    ),
    Row(
        "Meta-World", 8.96, (), "metaworld and its scripted policies; JAT's episodes", 45, 94.6e3, 3.39e9,
        ("metaworld.assembly",),
        expert="MPO",
        names=TASKS["Meta-World"],
    ),
    Row(
        "Procgen Benchmark", 5.34, (), "the simulator is public", 16, 1.6e6, 4.46e9, expert="R2D2",
        names=TASKS["Procgen Benchmark"],
    ),
    Row(
        "RGB Stacking simulator", 1.33, (), "the simulator is public", 1, 387e3, 24.4e9,
        expert="the best skill-generalisation agent",
        names=TASKS["RGB Stacking simulator"],
    ),
    Row(
        "RGB Stacking real robot", 1.33, ("rgb_stacking_real.*",), "never released", 1, 15.7e3, 980e6,
        expert="the best sim-to-real agent",
    ),
    Row(
        "Modular RL", 8.23, ("modular_rl.d4rl_*",), "the bodies are public", 38, 843e3, 69.6e9, expert="D4PG",
        names=TASKS["Modular RL"],
    ),
    Row("DM Manipulation Playground", 1.68, ("manipulation.*",), "never released", 4, 286e3, 6.58e9, expert="CRR"),
    Row("Playroom", 1.33, ("playroom.*",), "never released", 1, 829e3, 118e9, expert="not described"),
)  # fmt: skip
"""Printed total: 85.3 %; the printed rows sum to 85.21."""

VISION_LANGUAGE = (
    Row("MassiveText", 6.7, ("text.*",), "never released; TFDS c4, wiki40b, pg19; any text of your own"),
    Row("M3W", 4.0, ("documents.*",), "never released; web documents in the layout of OBELICS"),
    Row("ALIGN", 0.67, ("captions.align*",), "never released; other web captions"),
    Row("MS-COCO Captions", 0.67, ("captions.coco*",), "COCO's files; TFDS coco_captions"),
    Row("Conceptual Captions", 0.67, ("captions.conceptual*",), "its list of addresses, fetched by yourself"),
    Row("LTIP", 0.67, ("captions.ltip*",), "never released; other captions"),
    Row("OKVQA", 0.67, ("vqa.ok_vqa*", "vqa.okvqa*"), "its files, with COCO's pictures"),
    Row("VQAv2", 0.67, ("vqa.vqa_v2*", "vqa.vqav2*"), "its files, with COCO's pictures"),
)
"""Printed total: 14.7 %; the printed rows sum to 14.72."""

ROWS = (*CONTROL, *VISION_LANGUAGE)
