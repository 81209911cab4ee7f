"""Imported once by the server that forks workers, so that N workers cost one import of Django and of the project."""

import django
from django.db import connections

from jobs import worker

worker.leave_signals_to_the_supervisor()
django.setup()
connections.close_all()  # an app that queried the database while it loaded; no fork may share its connection
