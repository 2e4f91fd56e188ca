"""What goes wrong through no fault of ours: each error says what came, what was expected and what to do."""


class NasError(Exception):
    """The base of every error this package raises on purpose."""


class BadInput(NasError, ValueError):  # noqa: N818
    """A name, number, file or space that cannot be used; the message says what can."""


class MissingExtra(NasError, ImportError):  # noqa: N818
    """An optional library is not installed; the message holds the line that installs it."""


class RunError(NasError, RuntimeError):
    """A run that cannot go on: a full disk, a corrupt folder, a store of something else."""
