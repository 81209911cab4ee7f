"""`queuectl web`: the project's site on this machine, for who has no web server at hand and wants to see the admin."""

import os
import secrets
import socket
from argparse import Namespace
from pathlib import Path
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.urls import NoReverseMatch, reverse

from jobs import cli, schema, sql
from jobs.cli import arguments
from jobs.cli.output import Output
from jobs.cli.parser import Verbs
from jobs.database import connection

HOST = "127.0.0.1"  # Django's server for development is not one for others
FIRST_PORT = 8000
PASSWORD_BYTES = 9  # twelve characters


def configure(verbs: Verbs) -> None:
    parser = verbs.add(
        "web",
        run,
        summary="open the admin on this machine",
        about="Serves the project's site to this machine alone until Ctrl-C, by Django's server for development.",
        examples=("queuectl web --log-in me", "queuectl web --port 9000"),
    )
    parser.add_argument(
        "--port", metavar="N", type=arguments.whole(1, 65_535), default=FIRST_PORT, help=f"default: {FIRST_PORT}"
    )
    parser.add_argument(
        "--log-in", metavar="NAME", help="give this superuser a new password, and print it; made if there is none"
    )


def run(options: Namespace, output: Output) -> int:
    path = _dashboard_path()
    if missing := schema.missing():
        text = f"the database {sql.address(connection)} lacks {', '.join(missing)}; first: queuectl initdb"
        raise CommandError(text, returncode=cli.EXIT_FAILED)
    _refuse_taken(options.port)
    password = None if options.log_in is None else _renewed_password(options.log_in)
    output.line(f"Look    http://{HOST}:{options.port}{path}")
    if password is not None:
        output.line(f"Log in  user {options.log_in}, password {password}")
    output.line("Stop    Ctrl-C")
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:  # its greeting says the same, and more
        call_command("runserver", f"{HOST}:{options.port}", use_reloader=False, stdout=nowhere, **_static_files())
    return 0


def _dashboard_path() -> str:
    try:
        return reverse("admin:jobs_dashboard_changelist")
    except NoReverseMatch:
        remedy = 'add path("admin/", admin.site.urls) to them'
        raise CommandError(
            f"this project's URLs do not lead to the admin; {remedy}", returncode=cli.EXIT_FAILED
        ) from None


def _refuse_taken(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as runserver binds: a closing port is free
        try:
            probe.bind((HOST, port))
        except OSError as error:
            reason = f"port {port} cannot be had: {error.strerror}; choose another with --port"
            raise CommandError(reason, returncode=cli.EXIT_FAILED) from None


def _static_files() -> dict[str, Any]:
    """Return what makes `runserver` serve the admin's style without DEBUG, too."""
    return {"insecure_serving": True} if apps.is_installed("django.contrib.staticfiles") else {}


def _renewed_password(name: str) -> str:
    """Give the superuser `name` a new password and return it; the database keeps only its hash."""
    User: Any = get_user_model()  # noqa: N806 - it is a class
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    user = User.objects.filter(**{User.USERNAME_FIELD: name}).first()
    if user is None:
        if set(User.REQUIRED_FIELDS) - {"email"}:
            remedy = "make one with: manage.py createsuperuser"
            raise CommandError(
                f"there is no user {name}, and users here need more; {remedy}", returncode=cli.EXIT_FAILED
            )
        User.objects.create_superuser(**{User.USERNAME_FIELD: name}, password=password)
        return password
    if not user.is_superuser:
        raise CommandError(f"{name} is no superuser, whose password this may renew", returncode=cli.EXIT_FAILED)
    user.set_password(password)
    user.save()
    return password
