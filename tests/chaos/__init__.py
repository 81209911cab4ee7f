"""The randomised fault campaign: `make chaos`, or `python -m tests.chaos --help`.

A round makes a site with a database of its own and several supervisors, gives it a load that bears witness, and breaks
everything in between: in a `storm`, `plan` says what and when, from a seed, and `nemeses` do it; a `sweep` kills at
each database statement. When all is mended and the queue has run dry, `checker` holds the ledger that the jobs wrote
against the database, and against what those were told who enqueued.
"""
