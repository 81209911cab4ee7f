"""Ctrl-C that comes out as something else: a driver that is interrupted may fail while it tidies up."""


def led_to(error: BaseException | None) -> bool:
    """Return whether an interruption is this error, or was being handled when it was raised."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False
