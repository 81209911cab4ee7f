"""A job queue in the project's own database. Imports nothing: it runs before the app registry is ready."""

__version__ = "0.1.0"
