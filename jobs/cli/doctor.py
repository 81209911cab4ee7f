"""`queuectl doctor`: why does nothing run, and why does this job not run?"""

from argparse import Namespace
from typing import Any

from jobs import clock, sql, stats
from jobs.cli import arguments
from jobs.cli.output import Output
from jobs.cli.parser import Verbs
from jobs.cli.table import Cell
from jobs.database import connection
from jobs.stats import Finding, Level, Reason

EXIT_ERRORS = 1
STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.ERROR: "red"}
LEVEL_WIDTH = 9
CHECK_WIDTH = 12


def configure(verbs: Verbs) -> None:
    parser = verbs.add(
        "doctor",
        run,
        summary="find out why nothing runs, or why one job does not",
        about=f"Ends with {EXIT_ERRORS} if it finds an error.",
        examples=("queuectl doctor", "queuectl doctor job1"),
    )
    parser.set_defaults(needs_database=False)  # a missing one is a finding
    parser.add_argument("job", nargs="?", metavar="JOB", help="the id of a job that does not run")
    arguments.add_json(parser)


def run(options: Namespace, output: Output) -> int:
    if options.job is not None:
        sql.check(connection)
        reasons = stats.why_waiting(stats.find_job(options.job), now=clock.now())
        _print_reasons(options.job, reasons, output, as_json=options.json)
        return 0
    # Imported here: it loads every migration of the project.
    from jobs.stats import doctor

    findings = doctor.examine()
    if options.json:
        output.json([_finding_json(finding) for finding in findings])
    else:
        _print_findings(findings, output)
    return EXIT_ERRORS if any(finding.level is Level.ERROR for finding in findings) else 0


def _print_reasons(job_id: str, reasons: list[Reason], output: Output, *, as_json: bool) -> None:
    if as_json:
        output.json([{"code": reason.code, "text": reason.text, "remedy": reason.remedy} for reason in reasons])
        return
    for reason in reasons:
        output.prose(f"{job_id}: {reason.text}.")
        output.remedy(reason.remedy)


def _finding_json(finding: Finding) -> dict[str, Any]:
    return {"level": finding.level, "check": finding.check, "text": finding.text, "remedy": finding.remedy}


def _print_findings(findings: list[Finding], output: Output) -> None:
    for finding in findings:
        level = Cell(f"{finding.level.value:<{LEVEL_WIDTH}}", STYLES[finding.level])
        output.prose(finding.text, label=[level, Cell(f"{finding.check:<{CHECK_WIDTH}}", "bold")])
        output.remedy(finding.remedy, indent=LEVEL_WIDTH + CHECK_WIDTH)
    count = {level: sum(finding.level is level for finding in findings) for level in Level}
    output.line()
    if not count[Level.WARNING] and not count[Level.ERROR]:
        output.line("All is well.", style="green")
        return
    output.line(f"{count[Level.ERROR]} to repair, {count[Level.WARNING]} to know about.")
