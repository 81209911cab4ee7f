"""An audit trail in a round's database: triggers that note each state that a job has been in, whoever changed it.

A table `chaos_step`: job_id, the state it had (NULL: it is new), the state it has now, its fence; `seq` is their order.
"""

from typing import Protocol


class _Changes(Protocol):
    def change(self, statement: str, *parameters: object) -> None: ...


SQLITE = (
    """CREATE TABLE chaos_step (seq INTEGER PRIMARY KEY, job_id TEXT, old TEXT, new TEXT, fence INTEGER)""",
    """CREATE TRIGGER chaos_insert AFTER INSERT ON jobs_job BEGIN
        INSERT INTO chaos_step (job_id, new, fence) VALUES (NEW.id, NEW.state, NEW.fence);
    END""",
    """CREATE TRIGGER chaos_update AFTER UPDATE ON jobs_job WHEN OLD.state <> NEW.state OR OLD.fence <> NEW.fence BEGIN
        INSERT INTO chaos_step (job_id, old, new, fence) VALUES (NEW.id, OLD.state, NEW.state, NEW.fence);
    END""",
)
POSTGRESQL = (
    """CREATE TABLE chaos_step (seq bigserial PRIMARY KEY, job_id text, old text, new text, fence bigint)""",
    """CREATE FUNCTION chaos_note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
        IF TG_OP = 'INSERT' THEN
            INSERT INTO chaos_step (job_id, new, fence) VALUES (NEW.id, NEW.state, NEW.fence);
        ELSIF OLD.state <> NEW.state OR OLD.fence <> NEW.fence THEN
            INSERT INTO chaos_step (job_id, old, new, fence) VALUES (NEW.id, OLD.state, NEW.state, NEW.fence);
        END IF;
        RETURN NULL;
    END $$""",
    """CREATE TRIGGER chaos_note AFTER INSERT OR UPDATE ON jobs_job FOR EACH ROW EXECUTE FUNCTION chaos_note()""",
)
MARIADB = (
    """CREATE TABLE chaos_step (
        seq bigint AUTO_INCREMENT PRIMARY KEY, job_id varchar(64) COLLATE utf8mb4_bin, old varchar(16),
        new varchar(16), fence bigint)""",
    """CREATE TRIGGER chaos_insert AFTER INSERT ON jobs_job FOR EACH ROW
        INSERT INTO chaos_step (job_id, new, fence) VALUES (NEW.id, NEW.state, NEW.fence)""",
    """CREATE TRIGGER chaos_update AFTER UPDATE ON jobs_job FOR EACH ROW
        IF OLD.state <> NEW.state OR OLD.fence <> NEW.fence THEN
            INSERT INTO chaos_step (job_id, old, new, fence) VALUES (NEW.id, OLD.state, NEW.state, NEW.fence);
        END IF""",
)
STATEMENTS = {"sqlite": SQLITE, "postgresql": POSTGRESQL, "mariadb": MARIADB}


def begin(database: _Changes, vendor: str) -> None:
    """Note all that happens from now on."""
    for statement in STATEMENTS[vendor]:
        database.change(statement)
