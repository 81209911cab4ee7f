"""A screen that is drawn anew in place, for a person who looks on."""

import time
from collections.abc import Callable
from datetime import datetime

from django.utils import timezone

from jobs import moments
from jobs.cli.output import Output


def redraw(show: Callable[[Output], datetime], output: Output, *, every_seconds: float) -> None:
    """Let `show` draw the screen again and again, and return when what it shows was true. Ends by KeyboardInterrupt."""
    # Imported when someone watches: it would double the start of every other command.
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    def whole(screen: Output) -> None:
        as_of = show(screen)
        screen.line()
        screen.line(_as_of(as_of, every_seconds), style="dim")

    with Live(console=Console(), screen=True, auto_refresh=False) as live:
        while True:
            live.update(Text.from_ansi(output.rendered(whole)), refresh=True)
            time.sleep(every_seconds)


def _as_of(now: datetime, every_seconds: float) -> str:
    return f"as of {timezone.localtime(now):%H:%M:%S}, every {moments.rough(every_seconds)}; Ctrl-C ends"
