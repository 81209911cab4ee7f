"""Conditions on `state` that use the partial indexes of `Job`.

SQLite uses a partial index only where the query repeats its condition word for word; the ORM binds the states of
`state__in=…` as parameters, and then the whole table is read. `Job.objects.filter(DEFERRED)` says them literally.
"""

from django.db.models import BooleanField
from django.db.models.expressions import RawSQL

DEFERRED = RawSQL("state IN ('failed', 'scheduled')", (), output_field=BooleanField())
DONE = RawSQL("state IN ('cancelled', 'completed')", (), output_field=BooleanField())
