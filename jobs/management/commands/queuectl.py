"""`manage.py queuectl …`, and the `queuectl` script: hands over to `jobs.cli`."""

import argparse
import gc
import sys
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError
from django.core.management.base import handle_default_options
from django.db import connections

import jobs
from jobs import cli
from jobs.cli import arguments, process
from jobs.cli.output import Output
from jobs.cli.parser import RootParser


class Command(BaseCommand):
    help = "A job queue in the database this project already has."
    requires_system_checks = ()  # they import every URL and model of the project; `doctor` and `check` are for that

    def create_parser(self, prog_name: str, subcommand: str, **_: Any) -> RootParser:  # type: ignore[override]
        """Return our own parser; Django's has other manners for errors and help."""
        prog = Path(prog_name).name
        parser = RootParser(
            prog=subcommand if prog in ("", subcommand) else f"{prog} {subcommand}",
            parents=[arguments.common()],
            is_interactive=bool(self._called_from_command_line),
        )
        parser.add_argument("--version", action="version", version=f"queuectl {jobs.__version__}")
        parser.set_defaults(
            no_color=False, force_color=False, traceback=False, verbosity=1, settings=None, pythonpath=None
        )
        cli.configure(parser)
        return parser

    def run_from_argv(self, argv: list[str]) -> None:
        """Run as a process of its own, and end it with the verb's exit code."""
        self._called_from_command_line = True
        process.prepare_streams()
        options = process.parse(self.create_parser(argv[0], argv[1]), argv[2:])
        handle_default_options(options)
        process.limit_patience(options)
        try:
            code = process.run(options)
        finally:
            connections.close_all()
            gc.freeze()  # or Python would look through all it imported for garbage, a sixth of a short command's time
        sys.exit(code)

    def handle(self, *_: Any, **options: Any) -> None:
        """Run inside another program, by `call_command`; any exit code but 0 is a CommandError that carries it."""
        output = Output(self.stdout, self.stderr, color=False if options["no_color"] else None)
        code = cli.execute(argparse.Namespace(**options), output)
        if code:
            raise CommandError(f"queuectl ended with exit code {code}", returncode=code)
