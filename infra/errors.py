"""The family of errors a person may see; each is translated once, at the boundary (exit code or HTTP status)."""


class PlatformError(Exception):
    """A fault in words that tell a person what to do. `exit_code` follows sysexits.h."""

    exit_code = 1


class SettingsError(PlatformError):
    """A setting is unknown, misspelled or out of range."""

    exit_code = 78


class UnavailableError(PlatformError):
    """A server that is needed does not answer."""

    exit_code = 69


class InputError(PlatformError):
    """Input given by a person or an exchange cannot be understood."""

    exit_code = 65


class FencedError(PlatformError):
    """Another process has taken over the thing that this one writes."""

    exit_code = 75
