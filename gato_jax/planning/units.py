"""Bytes and seconds as a person reads them."""


def gib(size: float) -> str:
    """Bytes as GiB, small ones as MiB."""
    return f"{size / 2**30:.2f} GiB" if size >= 2**27 else f"{size / 2**20:.1f} MiB"


def mb(size: float) -> str:
    """Bytes as MB."""
    return f"{size / 1e6:,.1f}"


def ms(seconds: float | None) -> str:
    """Seconds as milliseconds."""
    return "?" if seconds is None else f"{1000 * seconds:,.1f} ms"
