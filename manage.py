#!/usr/bin/env python
"""Django's command line for this site."""

import os
import sys

from queuectl_site import cli


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "queuectl_site.settings")
    return cli.guarded(run)


def run() -> None:
    from django.core.management import execute_from_command_line

    cli.read_settings(sys.argv[1:])
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    sys.exit(main())
