"""Long runs: a mixed load for an hour on each database, looked at every ten seconds: `make soak`.

kinds.py     the kinds of jobs, and how often each of them must run
work.py      what they do
load.py      a process that enqueues them, and does what people do: retry and discard dead jobs, cancel, look
reader.py    a process that reads the admin's pages
site.py      one database with its supervisors, load and reader: start, stop
sampling.py  what is measured of the processes and the database
latency.py   what the jobs' marks tell: pickup, and that each job ran as often as it must
judging.py   what counts as flat
showing.py   results as Markdown and as SVG
"""
