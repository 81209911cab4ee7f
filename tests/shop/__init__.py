"""An app of a project, with tasks that can be found."""
