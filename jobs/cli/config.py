"""`queuectl config`: retry settings and the like, for all queues or for one."""

from argparse import ArgumentParser, Namespace
from typing import Any

from jobs import clock, conf, durations, queue, stats
from jobs.cli import arguments, history
from jobs.cli.author import author
from jobs.cli.output import Output
from jobs.cli.parser import Verbs
from jobs.cli.table import Cell, Column
from jobs.stats import Origin, Setting

COLUMNS = (
    Column(title="KEY"),
    Column(title="VALUE"),
    Column(title="FROM", optional_rank=2),
    Column(title="MEANING", is_flexible=True, narrowest=60, optional_rank=1),
)
QUEUE_COLUMNS = (Column(title="QUEUE"), Column(title="KEY"), Column(title="VALUE"))
ABOUT = "A job's own value wins, then its queue's, then the one for all queues. max-retries is max_retries."


def configure(verbs: Verbs) -> None:
    noun = verbs.add_noun(
        "config",
        summary="retries, backoff, timeout and retention",
        about=ABOUT,
        examples=("queuectl config list", "queuectl config set max-retries 5"),
    )
    listing = noun.add(
        "list",
        _list,
        summary="show all settings and where they come from",
        examples=("queuectl config list", "queuectl config list --queue mail"),
    )
    _add_queue(listing, "as they hold for this queue")
    arguments.add_json(listing)
    get = noun.add(
        "get",
        _get,
        summary="print one setting",
        examples=("queuectl config get max-retries", "queuectl config get timeout --queue mail --json"),
    )
    _add_key(get)
    _add_queue(get, "as it holds for this queue")
    arguments.add_json(get)
    _configure_writing(noun)
    history.add(noun)


def _configure_writing(noun: Verbs) -> None:
    setting = noun.add(
        "set",
        _set,
        summary="change a setting; running workers see it within a second",
        about=ABOUT,
        examples=("queuectl config set max-retries 5", "queuectl config set timeout 10m --queue mail"),
    )
    _add_key(setting)
    setting.add_argument("value", metavar="VALUE", help="a number, or a duration such as 90s or 1h30m")
    _add_queue(setting, "for this queue only")
    unset = noun.add(
        "unset",
        _unset,
        summary="go back to the value for all queues, or the built-in one",
        examples=("queuectl config unset max-retries", "queuectl config unset timeout --queue mail"),
    )
    _add_key(unset)
    _add_queue(unset, "for this queue only")


def _add_key(parser: ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY", help=", ".join(name.replace("_", "-") for name in conf.KNOBS))


def _add_queue(parser: ArgumentParser, what: str) -> None:
    parser.add_argument("--queue", metavar="QUEUE", type=arguments.queue, help=what)


def _list(options: Namespace, output: Output) -> int:
    settings = stats.settings(queue=options.queue)
    own = stats.queue_settings() if options.queue is None else []
    if options.json:
        output.json([_json(setting) for setting in (*settings, *own)])
        return 0
    output.table(COLUMNS, [_row(setting) for setting in settings])
    if own:
        output.line()
        rows: list[list[Cell | str]] = [
            [Cell(setting.queue or "", "bold"), setting.knob.name, value_text(setting)] for setting in own
        ]
        output.table(QUEUE_COLUMNS, rows)
    return 0


def _row(setting: Setting) -> list[Cell | str]:
    style = "dim" if setting.origin is Origin.BUILT_IN else "cyan"
    return [
        Cell(setting.knob.name, "bold"),
        value_text(setting),
        Cell(_origin(setting), style),
        Cell(setting.knob.help, "dim"),
    ]


def value_text(setting: Setting) -> str:
    """Return the value as it would be set, and in larger units or words where that is easier to read."""
    number = f"{setting.value:.15g}"
    if setting.knob.unit != "seconds":
        return number
    human = (setting.knob.zero if not setting.value else None) or durations.text(setting.value)
    return f"{number}s" if human == f"{number}s" else f"{number}s ({human})"


def _origin(setting: Setting) -> str:
    if setting.origin is Origin.QUEUE:
        return f"queue {setting.queue}"
    return "set for all queues" if setting.origin is Origin.DEFAULTS else "built-in"


def _json(setting: Setting) -> dict[str, Any]:
    knob = setting.knob
    return {
        "key": knob.name,
        "value": setting.value,
        "unit": knob.unit or None,
        "queue": setting.queue,
        "origin": setting.origin,
        "built_in": knob.default,
        "minimum": knob.minimum,
        "maximum": knob.maximum,
    }


def _get(options: Namespace, output: Output) -> int:
    setting = stats.setting(options.key, queue=options.queue)
    if options.json:
        output.json(_json(setting))
        return 0
    output.line(durations.text(setting.value) if setting.knob.unit == "seconds" else f"{setting.value:.15g}")
    output.note(f"{setting.knob.name}: {_origin(setting)}", style="dim")
    return 0


def _set(options: Namespace, output: Output) -> int:
    queue.set_knob(options.key, options.value, queue=options.queue, by=author(), now=clock.now())
    setting = stats.setting(options.key, queue=options.queue)
    output.line(f"{setting.knob.name} = {value_text(setting)} for {_scope(options)}. See all: queuectl config list")
    return 0


def _scope(options: Namespace) -> str:
    return f"queue {options.queue}" if options.queue is not None else "all queues without a value of their own"


def _unset(options: Namespace, output: Output) -> int:
    was_set = queue.unset_knob(options.key, queue=options.queue, by=author(), now=clock.now())
    setting = stats.setting(options.key, queue=options.queue)
    now_is = f"{setting.knob.name} = {value_text(setting)} ({_origin(setting)})"
    output.line(f"{now_is} for {_scope(options)}." if was_set else f"It was not set for {_scope(options)}; {now_is}.")
    return 0
