"""The queue's pages with the look of unfold's lists."""

import unfold.admin
from django.contrib import admin

import jobs.admin
from jobs.models import Config, Dashboard, DeadJob, Job, Supervisor

for model in (Config, Dashboard, DeadJob, Job, Supervisor):
    admin.site.unregister(model)


@admin.register(Job)
class JobAdmin(jobs.admin.JobAdmin, unfold.admin.ModelAdmin):
    pass


@admin.register(DeadJob)
class DeadJobAdmin(jobs.admin.DeadJobAdmin, unfold.admin.ModelAdmin):
    pass


@admin.register(Config)
class ConfigAdmin(jobs.admin.ConfigAdmin, unfold.admin.ModelAdmin):
    pass


@admin.register(Supervisor)
class SupervisorAdmin(jobs.admin.SupervisorAdmin, unfold.admin.ModelAdmin):
    pass


@admin.register(Dashboard)
class DashboardAdmin(jobs.admin.DashboardAdmin, unfold.admin.ModelAdmin):
    pass
