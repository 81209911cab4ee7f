from django.db import migrations, models

import jobs.fields


class Migration(migrations.Migration):
    dependencies = [("jobs", "0002_postgresql_hot_tables")]
    operations = [
        migrations.AddField("attempt", "exception_class", models.CharField(max_length=255, null=True)),
        migrations.AddField("attempt", "progress", models.FloatField(null=True)),
        migrations.AddField("attempt", "progress_message", models.TextField(null=True)),
        migrations.AddField("job", "backend", models.CharField(max_length=64, null=True)),
        migrations.AddField("job", "backoff_base", models.FloatField(null=True)),
        migrations.AddField("job", "backoff_max_seconds", models.FloatField(null=True)),
        migrations.AddField("job", "return_value", jobs.fields.JSONTextField(null=True)),
    ]
