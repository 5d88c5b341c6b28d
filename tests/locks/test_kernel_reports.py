"""Reports of running kernels: what each task has and wants, the circle, what the model says."""

import gzip
from pathlib import Path

import pytest

from powercut.checkers.locks.diagnosis import Diagnosis, _data, diagnosed, read_report
from powercut.checkers.locks.graph import known_classes
from powercut.checkers.locks.model_cycles import RULES
from powercut.checkers.locks.splat import read_splats
from powercut.model.mutants import MUTANTS
from powercut.properties.findings.loader import shipped
from tests.cli.support import Runner, assert_refused

CIRCULAR = """WARNING: possible circular locking dependency detected
6.17.0-test #7 Not tainted
------------------------------------------------------
writer/77 is trying to acquire lock:
ffff888011112222 (jbd2_handle){++++}-{0:0}, at: start_this_handle+0x1/0x2

but task is already holding lock:
ffff888033334444 (&ei->xattr_sem){++++}-{3:3}, at: x_set+0x3/0x4

which lock already depends on the new lock.

the existing dependency chain (in reverse order) is:

-> #1 (&ei->xattr_sem){++++}-{3:3}:
       down_write+0x1/0x2
       x_get+0x1/0x2

-> #0 (jbd2_handle){++++}-{0:0}:
       __lock_acquire+0x1/0x2
       start_this_handle+0x1/0x2

other info that might help us debug this:

 *** DEADLOCK ***
"""
RECURSIVE = """WARNING: possible recursive locking detected
--------------------------------------------
rm/9 is trying to acquire lock:
ffff888011112222 (&sb->s_type->i_mutex_key#8){++++}-{3:3}, at: x_inner+0x1/0x2

but task is already holding lock:
ffff888033334444 (&sb->s_type->i_mutex_key#8/4){++++}-{3:3}, at: x_outer+0x3/0x4
"""
HUNG = Path(__file__).with_name("hung.txt").read_text(encoding="utf-8")
HELD = """INFO: task a:11 blocked for more than 122 seconds.
task:a               state:D stack:0     pid:11    tgid:11    ppid:1      flags:0x00000000
 rwsem_down_write_slowpath+0x1/0x2
 x_one+0x1/0x2
INFO: task b:12 blocked for more than 122 seconds.
task:b               state:D stack:0     pid:12    tgid:12    ppid:1      flags:0x00000000
 __mutex_lock+0x1/0x2
 x_two+0x1/0x2

Showing all locks held in the system:
2 locks held by a/11:
 #0: ffff888011112222 (&sbi->s_orphan_lock){+.+.}-{3:3}, at: x_one+0x1/0x2
 #1: ffff888033334444 (&ei->i_data_sem){++++}-{3:3}, at: x_one+0x3/0x4
2 locks held by b/12:
 #0: ffff888033334444 (&ei->i_data_sem){++++}-{3:3}, at: x_two+0x1/0x2
 #1: ffff888011112222 (&sbi->s_orphan_lock){+.+.}-{3:3}, at: x_two+0x3/0x4
"""
DEPT = """DEPT: Circular dependency has been detected.
6.17.0-test #7
---------------------------------------------------
context A
    [S] lock(pg_locked_map:0)
    [W] folio_wait_writeback(pg_writeback_map:0)
    [E] folio_unlock(pg_locked_map:0)

context B
    [S] (unknown)(<sched>:0)
    [W] __folio_lock(pg_locked_map:0)
    [E] folio_end_writeback(pg_writeback_map:0)

[S]: start of the event context
---------------------------------------------------
"""


def one(text: str) -> Diagnosis:
    (splat,) = read_splats(text)
    return diagnosed(splat)


def test_a_circular_report_in_our_classes() -> None:
    found = one(CIRCULAR)
    assert (found.form, found.circle) == ("circular", ("jbd2_handle", "xattr_sem"))
    (task,) = found.tasks
    assert (task.task, task.holds, task.wants) == ("writer:77", ("xattr_sem",), "jbd2_handle")
    assert (found.verdict, "no xattr_sem" in found.model) == ("cannot see", True)


def test_an_order_that_the_documents_forbid() -> None:
    found = one(CIRCULAR.replace("xattr_sem", "i_data_sem"))
    assert found.verdict == "forbidden"
    assert "i_data_sem before jbd2_handle" in found.model


def test_two_of_one_class_may_be_a_confusion() -> None:
    found = one(RECURSIVE)
    assert (found.form, found.circle) == ("recursive", ("i_rwsem",))
    assert "confusion of two i_rwsem" in found.reality


def test_hung_tasks_wait_in_a_circle_that_the_model_has() -> None:
    found = one(HUNG)
    assert [task.wants for task in found.tasks] == ["folio_writeback", "jbd2_commit", "jbd2_handle"]
    assert found.tasks[1].task == "kworker/0:1:33 (ext4_end_io_rsv_work)"
    assert found.tasks[2].task == "the commit of the locked transaction"
    assert set(found.circle) == {"folio_writeback", "jbd2_commit", "jbd2_handle"}
    assert (found.verdict, found.finding) == ("known", "")
    assert "truncate-under-handle" in found.model


def test_a_commit_that_waits_for_data_is_another_circle() -> None:
    commit = HUNG.replace("ext4_truncate", "jbd2_journal_commit_transaction")
    found = one(commit)
    assert len(found.tasks) == 2
    assert set(found.circle) == {"folio_writeback", "jbd2_commit"}
    assert (found.verdict, found.finding) == ("known", "ordered-log")


def test_locks_that_lockdep_shows_with_hung_tasks() -> None:
    found = one(HELD)
    assert [(task.holds, task.wants) for task in found.tasks] == [
        (("s_orphan_lock",), "i_data_sem"),
        (("i_data_sem",), "s_orphan_lock"),
    ]
    assert set(found.circle) == {"s_orphan_lock", "i_data_sem"}


def test_hung_tasks_without_a_circle() -> None:
    found = one(HUNG.partition("INFO: task kworker")[0])
    assert (found.circle, found.verdict) == ((), "no circle")
    assert "no circle" in found.model


def test_a_report_of_dept() -> None:
    found = one(DEPT)
    assert set(found.circle) == {"folio_lock", "folio_writeback"}
    assert [task.wants for task in found.tasks] == ["folio_writeback", "folio_lock"]


@pytest.mark.parametrize(
    "prefix",
    [
        "[   12.345678] ",
        "<4>[   12.345678] ",
        "[   12.345678][  T201] ",
        "> ",
        "> > [    1.000001] ",
        "Dec  1 04:00:00 box kernel: ",
        "2026-12-01T04:00:00.1+00:00 box kernel: ",
    ],
)
@pytest.mark.parametrize("text", [CIRCULAR, RECURSIVE, HUNG, HELD, DEPT])
def test_prefixes_do_not_matter(prefix: str, text: str) -> None:
    noisy = "".join(f"{prefix}{line}\n" for line in text.splitlines())
    plain, found = one(text), one(noisy)
    assert (found.circle, found.tasks, found.verdict) == (plain.circle, plain.tasks, plain.verdict)


def test_noise_between_the_lines_and_an_end_that_is_cut() -> None:
    lines = HUNG.splitlines()
    noisy = "\n".join(f"{line}\n[   99.000000] usb 1-1: new device" for line in lines)
    assert one(noisy).circle == one(HUNG).circle
    for length in range(len(HUNG)):
        for splat in read_splats(HUNG[:length]):
            diagnosed(splat)


def test_several_reports_of_one_log() -> None:
    forms = [splat.form for splat in read_splats(f"boot\n{CIRCULAR}\nlater\n{HUNG}\n{DEPT}")]
    assert forms == ["circular", "hung tasks", "DEPT"]


def test_a_compressed_mail(tmp_path: Path) -> None:
    path = tmp_path / "mail.gz"
    mail = f"From: a@example.org\nSubject: hung\nContent-Transfer-Encoding: 8bit\n\n{HUNG}"
    path.write_bytes(gzip.compress(mail.encode()))
    assert [found.form for found in read_report(path)] == ["hung tasks"]


def test_what_a_circle_names_exists() -> None:
    entries = _data()["circle"]
    assert {entry["finding"] for entry in entries if "finding" in entry} <= {*shipped()}
    mutants = {mutant.slug for mutant in MUTANTS.values()}
    assert {entry["mutant"] for entry in entries if "mutant" in entry} <= mutants
    assert {entry["rule"] for entry in entries if "rule" in entry} <= {rule.name for rule in RULES}
    names = {name for entry in entries for name in entry["classes"]}
    assert names <= {*known_classes(), "eof_block_write"}


def test_the_command(powercut: Runner, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text(HUNG)
    ended = powercut("locks", "--report", path, "--json")
    document = ended.document
    assert (ended.code, document["verdict"], document["schema"]) == (
        1,
        "violated",
        "powercut.locks-report/1",
    )
    assert document["reports"][0]["verdict"] == "known"
    text = powercut("locks", "--report", path).out
    assert "The model has this circle: the mutant truncate-under-handle" in text
    assert max(map(len, text.splitlines())) <= 100
    path.write_text(CIRCULAR)
    assert powercut("locks", "--report", path).code == 3


def test_what_is_no_report(powercut: Runner, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("all is well\n")
    assert_refused(powercut("locks", "--report", path), "lockdep", "hung tasks", "DEPT")
    assert_refused(powercut("locks", "--report", tmp_path / "none"), "none")
    assert_refused(powercut("locks", "--report", path, "--design", "seed"), "alone")
