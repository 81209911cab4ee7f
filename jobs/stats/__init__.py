"""Every number that anyone shows: command line, admin and metrics ask here, so they cannot disagree. Reads only.

The cost does not depend on how many jobs there are: counts stop at `COUNT_MAX`, totals come from the per-minute
counters, lists follow an index. The subjects live in private modules; this is their one import path. Apart from it is
`stats.doctor`, which loads every migration and would slow down the start of all else.
"""

from jobs.stats._counts import COUNT_MAX as COUNT_MAX
from jobs.stats._counts import CappedCount as CappedCount
from jobs.stats._counts import Counts as Counts
from jobs.stats._counts import count_dead as count_dead
from jobs.stats._counts import count_dead_exactly as count_dead_exactly
from jobs.stats._counts import count_jobs as count_jobs
from jobs.stats._counts import count_jobs_exactly as count_jobs_exactly
from jobs.stats._depths import Peak as Peak
from jobs.stats._depths import depth_over_time as depth_over_time
from jobs.stats._findings import Finding as Finding
from jobs.stats._findings import Level as Level
from jobs.stats._health import Health as Health
from jobs.stats._health import Verdict as Verdict
from jobs.stats._health import judge as judge
from jobs.stats._history import Change as Change
from jobs.stats._history import config_history as config_history
from jobs.stats._lists import attempt_summaries as attempt_summaries
from jobs.stats._lists import attempts as attempts
from jobs.stats._lists import dead_jobs as dead_jobs
from jobs.stats._lists import find_job as find_job
from jobs.stats._lists import newest_jobs as newest_jobs
from jobs.stats._lists import states_of as states_of
from jobs.stats._queues import Pause as Pause
from jobs.stats._queues import QueueView as QueueView
from jobs.stats._queues import pauses as pauses
from jobs.stats._queues import queues as queues
from jobs.stats._settings import Origin as Origin
from jobs.stats._settings import Setting as Setting
from jobs.stats._settings import queue_settings as queue_settings
from jobs.stats._settings import setting as setting
from jobs.stats._settings import settings as settings
from jobs.stats._status import Status as Status
from jobs.stats._status import status as status
from jobs.stats._supervisors import Liveness as Liveness
from jobs.stats._supervisors import SupervisorView as SupervisorView
from jobs.stats._supervisors import liveness as liveness
from jobs.stats._supervisors import orphans as orphans
from jobs.stats._supervisors import serving as serving
from jobs.stats._supervisors import supervisors as supervisors
from jobs.stats._totals import Totals as Totals
from jobs.stats._totals import count_completed as count_completed
from jobs.stats._totals import totals as totals
from jobs.stats._totals import totals_by_queue as totals_by_queue
from jobs.stats._totals import totals_over_time as totals_over_time
from jobs.stats._waits import Wait as Wait
from jobs.stats._waits import oldest_waits as oldest_waits
from jobs.stats._why import Reason as Reason
from jobs.stats._why import why_waiting as why_waiting
