from django.db import migrations, models
from django.db.models import Q

import jobs.fields


class Migration(migrations.Migration):
    dependencies = [("jobs", "0005_depth")]
    operations = [
        migrations.CreateModel(
            name="ConfigChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("queue", jobs.fields.NameField(max_length=64)),
                ("key", models.CharField(max_length=32)),
                ("before", jobs.fields.JSONTextField(null=True)),
                ("after", jobs.fields.JSONTextField(null=True)),
                ("changed_by", models.CharField(max_length=255)),
                ("changed_at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "change of config",
                "verbose_name_plural": "changes of config",
                "default_permissions": (),
                "indexes": [models.Index(fields=["queue", "id"], name="jobs_configchange_queue")],
                "constraints": [
                    models.CheckConstraint(
                        name="jobs_configchange_named",
                        condition=~Q(queue="") & ~Q(key="") & ~Q(changed_by=""),
                    ),
                    models.CheckConstraint(
                        name="jobs_configchange_changes",
                        condition=Q(before__isnull=False) | Q(after__isnull=False),
                    ),
                ],
            },
        ),
    ]
