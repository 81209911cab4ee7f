"""A pytest plugin: leave out the tests that look into the table, the worker or the adapter of django-tasks-db.

They are about that backend, and known by what they name.
"""

import inspect

NAMES = ("DBTaskResult", "DatabaseAdapter", "DBWorker", "overseer_worker", "worker_id=", "queue_depth", "backend_depth")


def pytest_collection_modifyitems(config, items):
    others = [item for item in items if any(name in inspect.getsource(item.function) for name in NAMES)]
    items[:] = [item for item in items if item not in others]
    config.hook.pytest_deselected(items=others)
