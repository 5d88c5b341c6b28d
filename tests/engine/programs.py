"""Toy programs in the model's language, one for every construct the engine has to get right."""

from typing import Annotated

from powercut.model.language import Array, Bit, Byte, Len, Max, Path, Program, Struct, Thread

# Two counters: a grid of states, known by hand.


class Counters(Struct):
    """One counter a thread."""

    count: Annotated[Array[int], Len("threads"), Max("rounds")]


def count_up(k: Counters, t: int) -> Path[None]:
    """Count to four, one at a time."""
    for _ in range(4):
        yield
        k.count[t] += 1


COUNTERS = Program(Counters, (Thread("counter", count_up, "threads"),))


# A lost update.


class Total(Struct):
    """A number that everyone adds to."""

    total: Annotated[int, Max("threads")]


def add_one(k: Total, _: int) -> Path[None]:
    """Read, be preempted, write."""
    yield  # read
    old = k.total
    yield  # write back
    k.total = old + 1


RACE = Program(Total, (Thread("adder", add_one, "threads"),))


def add_one_and_look(k: Total, _: int) -> Path[None]:
    """Read, be preempted, write, and insist that nothing was lost."""
    yield
    old = k.total
    yield
    assert k.total == old, "lost update"
    k.total = old + 1


ASSERTING_RACE = Program(Total, (Thread("adder", add_one_and_look, "threads"),))


# A condition that cannot always be evaluated.


class Halls(Struct):
    """Two halls, and somebody who may ask for a third."""

    wanted: Annotated[int, Max(2)]
    hall: Annotated[Array[Bit], Len(2)]
    steps: Byte


def ask(k: Halls, _: int) -> Path[None]:
    """Ask for every hall in turn, then for none."""
    yield
    k.wanted = 1
    yield
    k.wanted = 2
    yield
    k.wanted = 0


def guest(k: Halls, _: int) -> Path[None]:
    """Wait for a hall that may not exist."""
    yield lambda: k.hall[k.wanted]


def stroll(k: Halls, _: int) -> Path[None]:
    """Take steps whatever the others do."""
    yield
    k.steps += 1
    yield
    k.steps += 1
    k.hall[0] = 1


HALLS = Program(Halls, (Thread("guest", guest), Thread("ask", ask), Thread("stroll", stroll)))


# Peterson's mutual exclusion.


class Peterson(Struct):
    """Two processes, two flags and a turn."""

    flag: Annotated[Array[Bit], Len(2)]
    turn: Bit
    inside: Annotated[int, Max(2)]


def peterson(k: Peterson, me: int) -> Path[None]:
    """Enter the critical section twice."""
    other = 1 - me
    for _ in range(2):
        yield
        k.flag[me] = 1
        yield
        k.turn = other
        yield lambda: k.flag[other] == 0 or k.turn == me
        k.inside += 1
        yield
        k.inside -= 1
        k.flag[me] = 0


def impatient(k: Peterson, me: int) -> Path[None]:
    """Peterson without the turn: both may get in."""
    other = 1 - me
    yield lambda: k.flag[other] == 0
    yield
    k.flag[me] = 1
    k.inside += 1
    yield
    k.inside -= 1
    k.flag[me] = 0


def crowded(k: Peterson) -> int:
    """Two processes are inside at once."""
    return k.inside > 1


def someone_waits(k: Peterson) -> int:
    """Both have raised their flag."""
    return k.flag[0] and k.flag[1]


PETERSON = Program(Peterson, (Thread("process", peterson, 2),))
IMPATIENT = Program(Peterson, (Thread("process", impatient, 2),))


# Two locks, taken in both orders or in one.


class Lock(Struct):
    """A lock: the number of its owner plus one, or zero."""

    owner: Annotated[int, Max("threads")]


class Locks(Struct):
    """Two locks and a switch that makes everyone take them in one order."""

    ordered: "Switch"
    lock: Annotated[Array[Lock], Len(2)]


class Switch(Struct):
    """What stays the same during a run."""

    on: Bit


def take(k: Locks, lock: Lock, me: int) -> Path[None]:
    """Wait for ``lock`` and take it."""
    yield lambda: lock.owner == 0  # wait for the lock
    lock.owner = me + 1


def release(k: Locks, lock: Lock) -> None:
    """Give ``lock`` back."""
    lock.owner = 0


def take_both(k: Locks, t: int) -> Path[None]:
    """Take both locks, the thread's own first unless there is an order."""
    mine = 0 if k.ordered.on else t
    first = k.lock[mine]
    second = k.lock[1 - mine]
    yield from take(k, first, t)
    yield from take(k, second, t)
    release(k, first)
    release(k, second)


LOCKS = Program(Locks, (Thread("task", take_both, "threads"),), constant="ordered")


# A bounded number of retries, after which someone else polls for ever.


class Retry(Struct):
    """A resource that is busy now and then."""

    busy: Bit
    ready: Bit


def poll(k: Retry, _: int) -> Path[None]:
    """Poll until it is ready."""
    while k.ready == 0:
        yield


def make_ready(k: Retry, _: int) -> Path[None]:
    """Try twice, then give up."""
    for _attempt in range(2):
        yield
        if k.busy == 0:
            k.ready = 1
            return


def hog(k: Retry, _: int) -> Path[None]:
    """Be busy for a while."""
    yield
    k.busy = 1
    yield
    k.busy = 0


RETRY = Program(Retry, (Thread("poller", poll), Thread("maker", make_ready), Thread("hog", hog)))
RETRY_ALONE = Program(Retry, (Thread("poller", poll), Thread("maker", make_ready)))


# Producer and consumer; a consumer without work is no deadlock if it is a daemon.


class Queue(Struct):
    """A queue of two items."""

    length: Annotated[int, Max(2)]
    taken: Annotated[int, Max(3)]


def produce(k: Queue, _: int) -> Path[None]:
    """Put three items in."""
    for _item in range(3):
        yield lambda: k.length < 2
        k.length += 1


def consume(k: Queue, _: int) -> Path[None]:
    """Take items out, for ever."""
    while True:
        yield lambda: k.length
        k.length -= 1
        yield
        k.taken = k.taken + 1


QUEUE = Program(Queue, (Thread("producer", produce), Thread("consumer", consume, daemon=True)))
QUEUE_WITHOUT_DAEMON = Program(Queue, (Thread("producer", produce), Thread("consumer", consume)))


# Pointers to structs that live across yields and calls.


class Cell(Struct):
    """What a slot holds."""

    value: Annotated[int, Max("clients")]


class Slot(Struct):
    """A slot of the pool, used by one client at a time."""

    user: Annotated[int, Max("clients")]
    cell: Cell


class Pool(Struct):
    """Two slots."""

    slot: Annotated[Array[Slot], Len(2)]


class Clients(Struct):
    """A pool, and the largest value anyone saw."""

    largest: Annotated[int, Max("clients")]
    pool: Pool


def free_slot(k: Clients) -> Slot:
    """Return the first free slot."""
    for i in range(2):
        if k.pool.slot[i].user == 0:
            return k.pool.slot[i]
    assert k.pool.slot[0].user == 0, "no slot is free"
    return k.pool.slot[0]


def slot_is_free(k: Clients) -> int:
    """Tell whether a slot is free."""
    return min(k.pool.slot[0].user, k.pool.slot[1].user) == 0


def acquire(k: Clients, me: int) -> Path[Slot]:
    """Wait for a free slot and return it."""
    yield lambda: slot_is_free(k)
    slot = free_slot(k)
    slot.user = me + 1
    return slot


def fill(k: Clients, slot: Slot, value: int) -> Path[int]:
    """Put a value into a slot and read it back later."""
    cell = slot.cell
    yield
    cell.value = value
    yield
    return cell.value


def client(k: Clients, me: int) -> Path[None]:
    """Use a slot once."""
    mine = yield from acquire(k, me)
    got = yield from fill(k, mine, me + 1)
    k.largest = max(k.largest, got)
    mine.cell.value = 0
    mine.user = 0


POOL = Program(Clients, (Thread("client", client, "clients"),))


# Loops: break, continue, early return, and yields in between.


class Scan(Struct):
    """What a scan looks at while others change it."""

    stop: Bit
    finished: Bit
    count: Annotated[int, Max(6)]
    skip: Annotated[Array[Bit], Len(3)]


def scan(k: Scan, _: int) -> Path[None]:
    """Leave the loops in every way there is."""
    for i in range(3):
        if k.skip[i] == 1:
            continue
        yield
        if k.stop == 1:
            break
        for j in range(2):
            if j == 1 and i == 1:
                break
            yield
            k.count += 1
        if k.count >= 5:
            return
    k.finished = 1


def stop_scan(k: Scan, _: int) -> Path[None]:
    """Stop the scan at some time."""
    yield
    k.stop = 1


def skip_some(k: Scan, _: int) -> Path[None]:
    """Skip the second and then the third round."""
    for i in range(1, 3):
        yield
        k.skip[i] = 1


SCAN = Program(
    Scan, (Thread("scan", scan), Thread("stopper", stop_scan), Thread("skipper", skip_some))
)


# Loops without a yield, inside a step and across steps.


class Claims(Struct):
    """Numbers that were claimed."""

    done: Annotated[int, Max(2)]
    claimed: Annotated[Array[Bit], Len(7)]


def gcd(k: Claims, a: int, b: int) -> int:
    """Return the greatest common divisor."""
    while b:
        rest = a % b
        a = b
        b = rest
    return a


def claim(k: Claims, _: int) -> Path[None]:
    """Claim the numbers up to six that have nothing in common with six."""
    n = 0
    while n < 6:
        n += 1
        if k.claimed[n] or gcd(k, n, 6) > 1:
            continue
        k.claimed[n] = 1
        yield
        k.done += 1


CLAIMS = Program(Claims, (Thread("claimer", claim, 2),))


# A disk with a cache: constants, and a part that a crash keeps.


class DiskConf(Struct):
    """What stays the same during a run."""

    versions: Byte


class Platter(Struct):
    """What survives."""

    block: Annotated[Array[int], Len(2), Max(2)]


class Disk(Struct):
    """A volatile cache in front of a platter; ``lost`` counts nothing but is laid out behind."""

    conf: DiskConf
    cache: Annotated[Array[int], Len(2), Max(2)]
    platter: Platter
    flushes: Bit


def write_block(k: Disk, b: int) -> Path[None]:
    """Write every version of one block."""
    for v in range(k.conf.versions):
        yield
        k.cache[b] = v + 1


def flush_cache(k: Disk, _: int) -> Path[None]:
    """Make the cache stable, block by block."""
    while True:
        yield lambda: k.cache[0] != k.platter.block[0] or k.cache[1] != k.platter.block[1]
        for b in range(2):
            if k.cache[b] == k.platter.block[b]:
                continue
            yield
            k.platter.block[b] = k.cache[b]


DISK = Program(
    Disk,
    (Thread("writer", write_block, 2), Thread("flusher", flush_cache, daemon=True)),
    constant="conf",
    projected="platter",
)


# Expressions: augmented assignment, conditional expressions, nested ifs, assertions.


class Level(Struct):
    """Numbers to compute with."""

    level: Annotated[int, Max(5)]
    marks: Annotated[int, Max(7)]


LIMIT = 5


def raise_level(k: Level, t: int) -> Path[None]:
    """Raise the level twice, by different amounts, and mark what happened."""
    step: int = 2 if t == 0 else 1
    for i in range(2):
        yield
        k.level = min(k.level + step, LIMIT)
        if k.level > 2:
            if t == 0:
                k.level -= 1
            elif not k.marks & 1 << t:
                k.marks |= 1 << t
            else:
                k.marks ^= 1
        elif i == 1 and 0 < k.level <= LIMIT:
            k.marks = k.marks | 4
        assert k.level <= LIMIT, "the level is bounded"


LEVELS = Program(Level, (Thread("raiser", raise_level, 2),))


# Names and values that are easy to get wrong when source becomes flat code.


class Names(Struct):
    """Where the results go."""

    conf: Switch
    out: Annotated[Array[int], Len("threads"), Max(200)]
    seen: Annotated[int, Max(200)]


def awkward_names(k: Names, F: int, C0: int) -> int:
    """Use the names that generated code uses, too."""
    S = F + 1
    C = S * 2
    h_awkward_names = C + C0
    return h_awkward_names + k.conf.on


def reassigned(k: Names, n: int) -> Path[int]:
    """Take an alias of a parameter that changes afterwards."""
    before = n + 1
    n = 7
    yield
    return before * 10 + n


def awkward(k: Names, T: int) -> Path[None]:
    """Assign the thread number; use a value of an earlier round after its source has changed."""
    k.out[T] = 1
    yield
    t = T
    first = 0
    for round_ in range(2):
        now = k.out[t] + round_
        if round_ == 0:
            first = now + 1
        yield
        k.out[t] = first * 10 + now
    T = yield from reassigned(k, first)
    k.out[t] = awkward_names(k, T, first)


def stale_alias(k: Names, _: int) -> Path[None]:
    """Use an alias in a later round than the one that made it."""
    turn = 0
    while turn < 2:
        now = k.seen
        if turn == 0:
            kept = now + 3
        yield
        k.seen = kept + turn
        turn += 1


NAMES = Program(
    Names, (Thread("awkward", awkward, "threads"), Thread("stale", stale_alias)), constant="conf"
)
