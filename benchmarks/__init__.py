"""The same work that does nothing, through this queue and through others, alternating in one run: `make bench`.

systems/*.py            one file for each system; its head says what it needs, where it runs, how it is tuned
catalogue.py venvs.py   read those heads; make an environment for each
stores.py               SQLite, PostgreSQL, MariaDB, Redis: a fresh place for each run
side.py  mark.py        what runs in a system's own environment: enqueue there, leave a mark in its workers
session.py  marks.py    the harness's end of that: start, ask, stop; prove that each job left one mark
backlog.py  waiting.py  what is measured of every system: enqueueing and draining; pickup, idle time, memory
raw.py  shell.py  growth.py   the bare drivers; shell jobs; what a million rows cost
tables.py  plots.py     results as Markdown and as SVG
soak/                   an hour of mixed load on each database: `make soak`
fleet.py  wal_race.py   many machines; SQLite's WAL-reset race
"""
