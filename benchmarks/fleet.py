"""What more machines bring: 1, 2, 4 and 8 supervisors on one server, each on a host of its own (network namespaces).

    DATABASE_URL=postgres://localhost/any python benchmarks/fleet.py [JOBS]

The scheme of DATABASE_URL chooses the kind of server; a private one is started and removed. Needs root, the programs
of the server, and iproute2. The jobs are `sleep 0.02` with one worker each, so that the machine's cores are not the
limit: one supervisor alone cannot do more than 50 a second. Each job must have run once, or there is no figure. The
rate is from the first start to the last end, as recorded; supervisors are up before the first job is enqueued.
"""

import json
import os
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

JOBS = int(sys.argv[1]) if len(sys.argv) > 1 else 600
FLEETS = (1, 2, 4, 8)
COMMAND = ["sleep", "0.02"]

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.e2e.databases import moment  # noqa: E402
from tests.e2e.site import Site  # noqa: E402
from tests.servers.network import Network, missing  # noqa: E402
from tests.servers.server import MariaDB, Postgres, Server  # noqa: E402
from tests.servers.site import OwnDatabase, OwnSite  # noqa: E402


def main() -> None:
    if lacking := missing():
        raise SystemExit(f"this machine lacks {lacking}")
    network = Network()
    kind = Postgres if os.environ.get("DATABASE_URL", "postgres").startswith("postgres") else MariaDB
    server = kind(host=network.address)
    try:
        for number in range(max(FLEETS)):
            network.machine(f"host{number}")
        rates = {count: _measure(server, network, count) for count in FLEETS}
    finally:
        server.remove()
        network.remove()
    for count, rate in rates.items():
        print(f"{count} supervisors {rate:8.0f} jobs/s {rate / rates[1]:6.2f}")
    print(json.dumps({"server": kind.__name__, "jobs": JOBS, "jobs_per_second": rates}))


def _measure(server: Server, network: Network, count: int) -> float:
    home = Path(tempfile.mkdtemp(prefix="queuectl-bench-"))
    database = OwnDatabase(server, f"fleet{count}")
    database.create()
    if server.scheme == "postgres":
        database.change(f"ALTER DATABASE {database.name} OWNER TO queue")
        database.change("GRANT ALL ON SCHEMA public TO queue")
    Site(home, database).ok("initdb")
    site = OwnSite(home, database)
    for machine in network.machines[:count]:
        machine.start(site)
    site.enqueue(*({"id": f"j{number}", "command": COMMAND} for number in range(JOBS)))
    site.wait_until_settled(600)
    rows = site.rows("SELECT job_id, outcome, started_at, finished_at FROM jobs_attempt")
    assert sorted(row["job_id"] for row in rows) == sorted(f"j{number}" for number in range(JOBS)), "not once each"
    assert {row["outcome"] for row in rows} == {"completed"}
    took: timedelta = max(moment(row["finished_at"]) for row in rows) - min(moment(row["started_at"]) for row in rows)
    site.close()
    return len(rows) / took.total_seconds()


if __name__ == "__main__":
    main()
