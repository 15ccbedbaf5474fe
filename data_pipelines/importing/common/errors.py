"""What an import refuses."""


class SourceError(ValueError):
    """A source is not in the layout its format promises. The message names the path, the expected and the found."""


class ImportingError(RuntimeError):
    """An import cannot go on; the message says what was found."""
