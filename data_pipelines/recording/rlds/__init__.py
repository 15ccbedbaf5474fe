"""Episodes as RLDS files, with EnvLogger where it can be imported."""
