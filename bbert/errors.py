"""The one exception that is the user's to mend: the command line makes it exit code 2."""


class InputError(ValueError):
    """Input that cannot be used; the message names the file, line or option and the mend."""
