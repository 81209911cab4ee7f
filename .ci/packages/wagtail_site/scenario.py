"""Wagtail: its search index, its reference index, the purging of its cache and the removal of files are tasks.

Run in a site made by `wagtail start`; the worker is a process of its own.
"""

from pathlib import Path

import project
from django.core.files.base import ContentFile
from django_tasks import TaskResultStatus, default_task_backend
from home.models import HomePage, Illustrated
from wagtail.documents.models import Document
from wagtail.images.models import Image
from wagtail.images.tests.utils import get_test_image_file
from wagtail.models import ReferenceIndex

from jobs.models import Job
from wagtail_site.cache import PURGED


def run_all() -> set[str]:
    """Have the worker run what is due; return the names of the tasks. Each must have succeeded."""
    waiting = list(Job.objects.filter(state="pending").values_list("id", flat=True))
    project.drain()
    results = [default_task_backend.get_result(id_) for id_ in waiting]
    project.equal({result.status.value for result in results}, {TaskResultStatus.SUCCESSFUL.value})
    project.equal(Job.objects.exclude(state="completed").count(), 0)
    return {result.task.name for result in results}


def found(words: str) -> list[int]:
    return [page.pk for page in Illustrated.objects.search(words)]


picture = Image.objects.create(title="A picture", file=get_test_image_file())
leaflet = Document.objects.create(title="A leaflet", file=ContentFile(b"%PDF", name="leaflet.pdf"))
page = Illustrated(title="Illustrated", slug="illustrated", picture=picture, leaflet=leaflet)
HomePage.objects.get(depth=2).add_child(instance=page)
page.save_revision().publish()
project.equal((ReferenceIndex.get_references_to(picture).count(), found("illustrated")), (0, []))

project.equal(run_all(), {"insert_or_update_object_task", "purge_urls_from_cache_task", "update_reference_index_task"})
project.equal(found("illustrated"), [page.pk])
for target in (picture, leaflet):
    project.equal({reference.object_id for reference in ReferenceIndex.get_references_to(target)}, {str(page.pk)})
project.equal("http://localhost/illustrated/" in PURGED.read_text().splitlines(), True)
project.equal("Illustrated" in project.page(f"/admin/images/usage/{picture.pk}/"), True)

files = [Path(picture.file.path), Path(leaflet.file.path)]
picture.delete()
leaflet.delete()
project.equal([file.exists() for file in files], [True, True])

project.equal("delete_file_from_storage_task" in run_all(), True)
project.equal([file.exists() for file in files], [False, False])
