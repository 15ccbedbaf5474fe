"""The files of a source."""

from pathlib import Path

from data_pipelines.importing.common.errors import SourceError


def file_stamp(root: Path, files: list[Path]) -> dict[str, int]:
    """Sizes of files by their path inside `root`."""
    return {str(path.relative_to(root) if path.is_relative_to(root) else path): path.stat().st_size for path in files}


_SPLITS = ("train", "test", "val", "dev")


def parquet_files(source: Path, split: str) -> list[Path]:
    """Files of a split, in order. Raises `SourceError` when there are none."""
    if source.is_file():
        return [source]
    found = sorted(source.rglob("*.parquet"))
    if not found:
        raise SourceError(f"{source}: expected .parquet files, found none")
    names = {path: str(path.relative_to(source)).lower() for path in found}
    chosen = [path for path in found if split in names[path]]
    # Names that tell no split at all hold the whole data set.
    if not chosen and not any(word in name for word in _SPLITS for name in names.values()):
        return found
    if not chosen:
        raise SourceError(f"{source}: no file with split {split!r} in its name, found {sorted(names.values())[:8]}")
    return chosen
