"""Where a database is, in the words of a message."""

from django.db.backends.base.base import BaseDatabaseWrapper

VENDOR_NAMES = {"mysql": "mariadb"}


def address(connection: BaseDatabaseWrapper) -> str:
    """Return the beginning of a database's URL, without user and password; of a file, its path."""
    name, host, port = (str(connection.settings_dict.get(key) or "") for key in ("NAME", "HOST", "PORT"))
    if connection.vendor == "sqlite":
        return name
    vendor = VENDOR_NAMES.get(connection.vendor, connection.vendor)
    return f"{vendor}://{host}{f':{port}' if port else ''}/{name}"
