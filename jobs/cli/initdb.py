"""`queuectl initdb`: the tables."""

import os
from argparse import Namespace

from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS

from jobs import conf
from jobs.cli.output import Output
from jobs.cli.parser import Verbs

OWNER_ONLY_UMASK = 0o077  # who can write a command into the queue runs code as the worker's user


def configure(verbs: Verbs) -> None:
    parser = verbs.add(
        "initdb",
        run,
        summary="create the tables, or bring them up to date",
        about="The same as Django's migrate; safe to repeat. A new SQLite file is private to its owner.",
        examples=("queuectl initdb", "DATABASE_URL=sqlite:////srv/queue.sqlite3 queuectl initdb"),
    )
    parser.set_defaults(needs_database=False, waits_for_locks=True)  # an index of a large table takes its time


def run(_options: Namespace, output: Output) -> int:
    before = os.umask(OWNER_ONLY_UMASK)
    try:
        for alias in dict.fromkeys((DEFAULT_DB_ALIAS, conf.database_alias())):
            call_command("migrate", database=alias, verbosity=0, interactive=False)
    finally:
        os.umask(before)
    output.line("Database initialized successfully.")
    return 0
