"""One `worker start`: a supervisor that claims and records, and the workers that run what it claimed.

Two threads, because a stalled database must not stop the clock. `control` (the main thread) hands out jobs, keeps
workers alive, obeys signals and deadlines. `store` holds the only database connection and makes one transaction after
another. Between them lies the `desk`.
"""

from jobs.supervisor.control import run as run
from jobs.supervisor.options import Options as Options
