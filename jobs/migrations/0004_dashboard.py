from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("jobs", "0003_task_results")]
    operations = [
        migrations.CreateModel(
            name="Dashboard",
            fields=[],
            options={
                "verbose_name": "dashboard",
                "verbose_name_plural": "dashboard",
                "proxy": True,
                "default_permissions": ("view",),
                "indexes": [],
                "constraints": [],
            },
            bases=("jobs.counter",),
        ),
    ]
