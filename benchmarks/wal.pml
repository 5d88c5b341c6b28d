/*
 * The protocol of wal.py, step for step: one d_step is what stands between two yields there.
 * WRITERS, ROUNDS and SLOTS come from the command line.  Locals are zeroed where they are dead, as
 * the engine does, so that both count the same states.  A writer that is done stays at its first
 * step for ever instead of dying: the death of a process would be a step of its own in SPIN.
 */
byte lock, head, flushed, applied, home;
byte entry[SLOTS];

active [WRITERS] proctype writer()
{
	byte round, seq;
end:	do
	:: d_step {
		round < ROUNDS && lock == 0 && head - applied < SLOTS ->
		lock = _pid + 1; seq = head
	   };
	   d_step { entry[seq % SLOTS] = _pid + 1; head = seq + 1; lock = 0 };
	   d_step { flushed > seq -> round++; seq = 0 }
	od
}

active proctype flusher()
{
	byte target;
end:	do
	:: d_step { flushed < head -> target = head };
	   d_step { flushed = target; target = 0 }
	od
}

active proctype checkpointer()
{
	byte value;
end:	do
	:: d_step { applied < flushed -> value = entry[applied % SLOTS] };
	   d_step { home = value; value = 0; applied++ }
	od
}
