"""The queue in Django's admin: browse, search, requeue, cancel, delete, settings, workers. `queue` decides everything.

Every page is an ordinary one under its list, with Django's own permissions; what changes anything is a POST that comes
from a page which said what it would do. A project that uses a skin mixes its ModelAdmin in and registers the result.
"""

from jobs.admin.config import ConfigAdmin as ConfigAdmin
from jobs.admin.dashboard import DashboardAdmin as DashboardAdmin
from jobs.admin.dead import DeadJobAdmin as DeadJobAdmin
from jobs.admin.job import JobAdmin as JobAdmin
from jobs.admin.supervisor import SupervisorAdmin as SupervisorAdmin
