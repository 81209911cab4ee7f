"""A module of tasks with a defect: importing it fails, and not with an ImportError."""

raise RuntimeError("this module is broken")
