"""Moving house: the queue of another database is brought into the configured one. Called by `queuectl move`.

`examine` looks at both and refuses what would not end well, `move` copies and hands over, `compare` looks again. All
of it may be interrupted and repeated: see `queue._move`, which writes the jobs.
"""

from jobs.moving._comparing import Compared as Compared
from jobs.moving._comparing import compare as compare
from jobs.moving._examining import Preview as Preview
from jobs.moving._examining import count_unsigned as count_unsigned
from jobs.moving._examining import examine as examine
from jobs.moving._moving import Moved as Moved
from jobs.moving._moving import move as move
from jobs.moving._places import Place as Place
from jobs.moving._places import Route as Route
from jobs.moving._places import route as route
