"""The only writer of job state. Every interface parses, calls one function here, and formats what it returns.

`enqueue`, `claim` and the rest live in private modules by subject; this is their one import path.
"""

from jobs.queue._config import Policies as Policies
from jobs.queue._config import load_policies as load_policies
from jobs.queue._config import pause as pause
from jobs.queue._config import resume as resume
from jobs.queue._config import set_knob as set_knob
from jobs.queue._config import unset_knob as unset_knob
from jobs.queue._counters import CounterKey as CounterKey
from jobs.queue._counters import Counts as Counts
from jobs.queue._counters import count as count
from jobs.queue._enqueue import enqueue as enqueue
from jobs.queue._enqueue import enqueue_many as enqueue_many
from jobs.queue._enqueue import new_id as new_id
from jobs.queue._people import CANCEL as CANCEL
from jobs.queue._people import DELETE as DELETE
from jobs.queue._people import DISCARD as DISCARD
from jobs.queue._people import REQUEUE as REQUEUE
from jobs.queue._people import RETRY_DEAD as RETRY_DEAD
from jobs.queue._people import Report as Report
from jobs.queue._people import Verb as Verb
from jobs.queue._people import apply_to_all as apply_to_all
from jobs.queue._people import cancel as cancel
from jobs.queue._people import change_settings as change_settings
from jobs.queue._people import delete as delete
from jobs.queue._people import discard as discard
from jobs.queue._people import requeue as requeue
from jobs.queue._people import retry_dead as retry_dead
from jobs.queue._prune import prune as prune
from jobs.queue._rescue import rescue as rescue
from jobs.queue._supervisors import Requests as Requests
from jobs.queue._supervisors import forget_old as forget_old
from jobs.queue._supervisors import gone_with_jobs as gone_with_jobs
from jobs.queue._supervisors import heartbeat as heartbeat
from jobs.queue._supervisors import live_others as live_others
from jobs.queue._supervisors import mark_lost as mark_lost
from jobs.queue._supervisors import mark_stopped as mark_stopped
from jobs.queue._supervisors import register as register
from jobs.queue._supervisors import request_stop as request_stop
from jobs.queue._supervisors import requests as requests
from jobs.queue._turn import Ended as Ended
from jobs.queue._turn import Recorded as Recorded
from jobs.queue._turn import cancels_asked as cancels_asked
from jobs.queue._turn import claim as claim
from jobs.queue._turn import log as log
from jobs.queue._turn import next_due_at as next_due_at
from jobs.queue._turn import note_running as note_running
from jobs.queue._turn import open_queues as open_queues
from jobs.queue._turn import promote as promote
from jobs.queue._turn import record as record
