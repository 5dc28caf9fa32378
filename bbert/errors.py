"""Exceptions whose message says all: the command line prints it, without its own words."""


class InputError(ValueError):
    """Input that cannot be used; the message names the file, line or option and the mend."""


class RunFailed(RuntimeError):
    """Work that came to grief; the message has one or two lines with the reason and the mend.

    The command line makes it exit code 1 (and of an `InputError` exit code 2).
    """
