"""BabyAI levels: what is recorded by default, and what else the bot solves."""

from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.suite import Source, Suite, Task

_DEFAULT = (
    "BabyAI-GoToLocalS5N2-v0", "BabyAI-GoToLocal-v0", "BabyAI-GoToObj-v0", "BabyAI-GoToRedBallGrey-v0",
    "BabyAI-GoToRedBall-v0",
)  # fmt: skip
# Left out, because the bot fails or hangs there: GoToImpUnlock, UnlockToUnlock, KeyInBox, the Carrying variants of
# PutNext and the strict OpenDoorsOrder...Debug levels.
_MORE = (
    "BabyAI-ActionObjDoor-v0", "BabyAI-BlockedUnlockPickup-v0", "BabyAI-BossLevel-v0", "BabyAI-BossLevelNoUnlock-v0",
    "BabyAI-FindObjS5-v0", "BabyAI-FindObjS6-v0", "BabyAI-FindObjS7-v0", "BabyAI-GoTo-v0", "BabyAI-GoToDoor-v0",
    "BabyAI-GoToLocalS6N2-v0", "BabyAI-GoToLocalS6N3-v0", "BabyAI-GoToLocalS6N4-v0", "BabyAI-GoToLocalS7N4-v0",
    "BabyAI-GoToLocalS7N5-v0", "BabyAI-GoToLocalS8N2-v0", "BabyAI-GoToLocalS8N3-v0", "BabyAI-GoToLocalS8N4-v0",
    "BabyAI-GoToLocalS8N5-v0", "BabyAI-GoToLocalS8N6-v0", "BabyAI-GoToLocalS8N7-v0", "BabyAI-GoToObjDoor-v0",
    "BabyAI-GoToObjMaze-v0", "BabyAI-GoToObjMazeOpen-v0", "BabyAI-GoToObjMazeS4-v0", "BabyAI-GoToObjMazeS4R2-v0",
    "BabyAI-GoToObjMazeS5-v0", "BabyAI-GoToObjMazeS6-v0", "BabyAI-GoToObjMazeS7-v0", "BabyAI-GoToObjS4-v0",
    "BabyAI-GoToObjS6-v1", "BabyAI-GoToOpen-v0", "BabyAI-GoToRedBallNoDists-v0", "BabyAI-GoToRedBlueBall-v0",
    "BabyAI-GoToSeq-v0", "BabyAI-GoToSeqS5R2-v0", "BabyAI-KeyCorridor-v0", "BabyAI-KeyCorridorS3R1-v0",
    "BabyAI-KeyCorridorS3R2-v0", "BabyAI-KeyCorridorS3R3-v0", "BabyAI-KeyCorridorS4R3-v0",
    "BabyAI-KeyCorridorS5R3-v0", "BabyAI-KeyCorridorS6R3-v0", "BabyAI-MiniBossLevel-v0",
    "BabyAI-MoveTwoAcrossS5N2-v0", "BabyAI-MoveTwoAcrossS8N9-v0", "BabyAI-OneRoomS12-v0", "BabyAI-OneRoomS16-v0",
    "BabyAI-OneRoomS20-v0", "BabyAI-OneRoomS8-v0", "BabyAI-Open-v0", "BabyAI-OpenDoor-v0", "BabyAI-OpenDoorColor-v0",
    "BabyAI-OpenDoorDebug-v0", "BabyAI-OpenDoorLoc-v0", "BabyAI-OpenDoorsOrderN2-v0", "BabyAI-OpenDoorsOrderN4-v0",
    "BabyAI-OpenRedBlueDoors-v0", "BabyAI-OpenRedBlueDoorsDebug-v0", "BabyAI-OpenRedDoor-v0",
    "BabyAI-OpenTwoDoors-v0", "BabyAI-Pickup-v0", "BabyAI-PickupAbove-v0", "BabyAI-PickupDist-v0",
    "BabyAI-PickupDistDebug-v0", "BabyAI-PickupLoc-v0", "BabyAI-PutNextLocal-v0", "BabyAI-PutNextLocalS5N3-v0",
    "BabyAI-PutNextLocalS6N4-v0", "BabyAI-PutNextS4N1-v0", "BabyAI-PutNextS5N1-v0", "BabyAI-PutNextS5N2-v0",
    "BabyAI-PutNextS6N3-v0", "BabyAI-PutNextS7N4-v0", "BabyAI-Synth-v0", "BabyAI-SynthLoc-v0", "BabyAI-SynthS5R2-v0",
    "BabyAI-SynthSeq-v0", "BabyAI-UnblockPickup-v0", "BabyAI-Unlock-v0", "BabyAI-UnlockLocal-v0",
    "BabyAI-UnlockLocalDist-v0", "BabyAI-UnlockPickup-v0", "BabyAI-UnlockPickupDist-v0",
)  # fmt: skip


def _task(level: str, *, episodes: int = 300, default=False) -> Task:
    short = level.removeprefix("BabyAI-").rpartition("-v")[0]
    name = f"babyai.{_snake(short)}"

    def environment() -> Environment:
        from data_pipelines.suites.babyai.environment import BabyAiEnvironment

        return BabyAiEnvironment(name, level=level)

    def expert():
        from data_pipelines.suites.babyai.expert import BabyAiExpert

        return BabyAiExpert()

    return Task(
        name=name, source=Source.ENVIRONMENT, origin=level, expert="BabyAI bot", requires="minigrid",
        make_environment=environment, make_expert=expert, bar=0.3, episodes=episodes, chunk=300, seconds=0.02,
        time_limit=2.5, default=default,
    )  # fmt: skip


def _snake(words: str) -> str:
    """GoToRedBall -> go_to_red_ball, PutNextS5N2 -> put_next_s5n2."""
    parts: list[str] = []
    for letter in words:
        if not parts or (letter.isupper() and not parts[-1][-1].isdigit()):
            parts.append(letter)
        else:
            parts[-1] += letter
    return "_".join(parts).lower()


SUITE = Suite(
    domain="babyai",
    extra="demo",
    packages=("minigrid",),
    episode_steps=100,
    tasks=(
        *(_task(level, episodes=1000, default=True) for level in _DEFAULT),
        *(_task(level) for level in _MORE),
    ),
)
