"""Enqueueing from the admin: what the site names as a command, or the project has as a task, and nothing else."""

from jobs.admin.enqueue.page import SOURCES as SOURCES
from jobs.admin.enqueue.page import choose as choose
from jobs.admin.enqueue.page import fill_in as fill_in
from jobs.admin.enqueue.page import may as may
