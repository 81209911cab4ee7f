"""The `queuectl` console script: the management command of the same name, with this site as its default project.

`manage.py` shares its manners: a site that cannot start is one line on stderr, a reader that went away is no error.
"""

import argparse
import os
import sys
from collections.abc import Callable

from django.core.exceptions import ImproperlyConfigured

import jobs

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it
EXIT_BROKEN_PIPE = 141  # 128 + SIGPIPE


def main() -> int:
    """Run the console script and return its exit code."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "queuectl_site.settings")
    return guarded(_run)


def guarded(run: Callable[[], None]) -> int:
    """Call `run` and return the exit code; what a user can cause ends in a line, never in a traceback."""
    try:
        try:
            run()
        finally:  # also when argparse exits after a page of help
            sys.stdout.flush()
    except ImproperlyConfigured as error:
        return _fail(error)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _silence_stdout()
        return EXIT_BROKEN_PIPE
    return 0


def read_settings(argv: list[str]) -> None:
    """Read the settings module that `argv` or the environment names. Raise ImproperlyConfigured."""
    from django.conf import settings

    _adopt_default_options(argv)
    try:
        settings.INSTALLED_APPS  # noqa: B018  (the first access reads the module)
    except ImportError as error:
        raise ImproperlyConfigured(f"cannot load {os.environ['DJANGO_SETTINGS_MODULE']}: {error}") from error


def _adopt_default_options(argv: list[str]) -> None:
    """Obey `--settings` and `--pythonpath`, which the command itself would see too late."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--settings")
    parser.add_argument("--pythonpath")
    try:
        options, _ = parser.parse_known_args(argv)
    except argparse.ArgumentError:
        return  # an option without its value: the command says so
    if options.settings:
        os.environ["DJANGO_SETTINGS_MODULE"] = options.settings
    if options.pythonpath:
        sys.path.insert(0, options.pythonpath)


def _run() -> None:
    if sys.argv[1:] == ["--version"]:  # answered without Django, in a few hundredths of a second
        print(f"queuectl {jobs.__version__}")
        return
    read_settings(sys.argv[1:])
    import django

    django.setup()
    from jobs.management.commands.queuectl import Command

    Command().run_from_argv(["queuectl", "queuectl", *sys.argv[1:]])


def _fail(error: ImproperlyConfigured) -> int:
    message = " ".join(str(error).split())
    print(f"queuectl: {message}", file=sys.stderr)
    return EXIT_FAILED


def _silence_stdout() -> None:
    """Point stdout at nothing, or the interpreter would complain about the closed pipe when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
