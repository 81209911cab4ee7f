#!/usr/bin/env python
"""Django's command line for this site."""

import os
import sys

from queuectl_site import cli, home


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "queuectl_site.settings")
    return cli.guarded(run)


def run() -> None:
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import OperationalError

    cli.read_settings(sys.argv[1:])
    try:
        execute_from_command_line(sys.argv)
    except OperationalError as error:
        if not isinstance(error.__cause__, home.DatabaseMissing):
            raise
        raise ImproperlyConfigured(str(error)) from error


if __name__ == "__main__":
    sys.exit(main())
