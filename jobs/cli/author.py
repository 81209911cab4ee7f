"""Who runs this command. Not from the environment, in which anybody may say anything."""

import os
import pwd
import socket


def author() -> str:
    """Return the user as the operating system knows them, and the machine: `deploy@web1`."""
    user = os.getuid()
    try:
        name = pwd.getpwuid(user).pw_name
    except KeyError:  # a container may run as a number that has no name
        name = str(user)
    return f"{name}@{socket.gethostname()}"
