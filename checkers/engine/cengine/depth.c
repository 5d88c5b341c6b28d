/*
 * Hash-compact depth-first search: 8 bytes a state, so two states may be taken for one; the caller
 * says how likely that is.  With a seed, threads are tried in an order of chance that depends on
 * the seed and the state: searches with different seeds that are cut short see different parts.
 */

struct frame {
	uint8_t state[PC_SIZE];
	uint8_t order[PC_THREADS];
	uint32_t next, moved;
};

struct digests {
	struct array slots;
	uint64_t mask, count;
};

/* The part Python reads; keep in step with _DepthShared in c_search.py. */
struct pc_depth {
	uint64_t states, transitions, projections, depth, memory, height;
	uint32_t thread, faulty;
	uint64_t nr_events;
	struct event *events;
	struct memory m;
	struct array stack, event_room;
	struct digests seen, projected;
	const uint8_t *constants;
	struct watched *watches;
	uint32_t nr_watches, look, is_looking, watch_projection, deadlocked, has_begun;
	uint64_t seed;
	uint8_t scratch[PC_SIZE];
};

static int digests_make(struct memory *m, struct digests *d, uint64_t slots)
{
	struct table t;

	if (!table_make(m, &t, slots))
		return 0;
	*d = (struct digests){t.slots, t.mask, 0};
	return 1;
}

static void digests_put(struct digests *d, uint64_t digest)
{
	uint64_t *slots = d->slots.at, i = digest & d->mask;

	while (slots[i])
		i = (i + 1) & d->mask;
	slots[i] = digest;
	d->count++;
}

/* 1: new, 0: known, -1: no memory. */
static int digests_add(struct memory *m, struct digests *d, uint64_t digest)
{
	uint64_t *slots = d->slots.at, i;
	struct digests bigger;

	digest += !digest;
	for (i = digest & d->mask; slots[i]; i = (i + 1) & d->mask)
		if (slots[i] == digest)
			return 0;
	if ((d->count + 1) * 4 > (d->mask + 1) * 3) {
		if (!digests_make(m, &bigger, (d->mask + 1) * 2))
			return -1;
		for (i = 0; i <= d->mask; i++)
			if (slots[i])
				digests_put(&bigger, slots[i]);
		release(m, &d->slots);
		*d = bigger;
	}
	digests_put(d, digest);
	return 1;
}

static int depth_event(struct pc_depth *s, uint32_t kind, uint32_t which)
{
	if (!reserve(&s->m, &s->event_room, (s->nr_events + 1) * sizeof(struct event)))
		return 0;
	s->events = s->event_room.at;
	s->events[s->nr_events++] = (struct event){kind, which, (uint32_t)s->states};
	return 1;
}

static int depth_look(struct pc_depth *s)
{
	const uint8_t *projection = s->scratch + PC_PROJECTED_START;
	int is_new;

	for (; s->look < s->nr_watches; s->look++) {
		struct watched *w = &s->watches[s->look];

		if (!w->is_pending || !pc_predicate(w->predicate, s->scratch, s->constants))
			continue;
		w->is_pending = 0;
		if (!depth_event(s, EVENT_WATCH, s->look))
			return 0;
	}
	s->is_looking = 0;
	if (!s->watch_projection)
		return 1;
	is_new = digests_add(&s->m, &s->projected, hash_of(projection, PC_PROJECTED_SIZE, 1));
	if (is_new < 0)
		return 0;
	s->projections += (uint64_t)is_new;
	return !is_new || depth_event(s, EVENT_PROJECTION, 0);
}

static void shuffle(struct pc_depth *s, struct frame *f, uint64_t digest)
{
	uint64_t chance = mix(digest, 2 * s->seed + 1);
	unsigned i, j;
	uint8_t other;

	for (i = 0; i < PC_THREADS; i++)
		f->order[i] = (uint8_t)i;
	if (!s->seed)
		return;
	for (i = PC_THREADS; i > 1; i--) {
		chance = mix(chance, 0x2545f4914f6cdd1du);
		j = (unsigned)(chance % i);
		other = f->order[i - 1];
		f->order[i - 1] = f->order[j];
		f->order[j] = other;
	}
}

/* Look at the state in scratch and make it the top of the stack, if it is new. */
static int enter(struct pc_depth *s)
{
	uint64_t digest = hash_of(s->scratch, PC_SIZE, 0);
	int is_new = digests_add(&s->m, &s->seen, digest);
	struct frame *f;

	if (is_new <= 0)
		return is_new == 0;
	if (!reserve(&s->m, &s->stack, (s->height + 1) * sizeof(struct frame)))
		return 0;
	f = (struct frame *)s->stack.at + s->height;
	s->height++;
	s->states++;
	memcpy(f->state, s->scratch, PC_SIZE);
	f->next = f->moved = 0;
	shuffle(s, f, digest);
	if (s->height - 1 > s->depth)
		s->depth = s->height - 1;
	s->look = 0;
	s->is_looking = 1;
	return depth_look(s);
}

static int nobody_can(struct pc_depth *s, const struct frame *f)
{
	unsigned i;

	if (f->moved || s->deadlocked)
		return 1;
	for (i = 0; i < PC_OWN; i++)
		if (f->state[pc_own[i]]) {
			s->deadlocked = 1;
			return depth_event(s, EVENT_DEADLOCK, 0);
		}
	return 1;
}

static int depth_search(struct pc_depth *s, uint64_t turns, uint64_t max_states)
{
	struct frame *f;

	s->nr_events = 0;
	if (!s->has_begun) {
		s->has_begun = 1;
		if (!enter(s))
			return MEMORY;
	} else if (s->is_looking && !depth_look(s)) {
		return MEMORY;
	}
	for (; s->height; turns--) {
		if (s->nr_events)
			return EVENTS;
		if (s->states >= max_states)
			return LIMIT;
		if (!turns)
			return TURN;
		f = (struct frame *)s->stack.at + s->height - 1;
		if (f->next == PC_THREADS) {
			if (!nobody_can(s, f))
				return MEMORY;
			if (s->nr_events)
				return EVENTS;
			s->height--;
			continue;
		}
		s->thread = f->order[f->next++];
		memcpy(s->scratch, f->state, PC_SIZE);
		if (!pc_step(s->thread, s->scratch, s->constants))
			continue;
		f->moved = 1;
		s->transitions++;
		if (!enter(s))
			return MEMORY;
	}
	return s->nr_events ? EVENTS : DONE;
}

int pc_depth_run(struct pc_depth *s, uint64_t turns, uint64_t max_states)
{
	int status;

	if (setjmp(pc_env)) {
		status = s->is_looking ? FAULTY_PREDICATE : FAULT;
		s->faulty = s->look;
	} else {
		status = depth_search(s, turns, max_states);
	}
	s->memory = s->m.used;
	return status;
}

int pc_depth_decide_step(struct pc_depth *s, int decision, const uint8_t *state)
{
	struct frame *f = (struct frame *)s->stack.at + s->height - 1;

	s->nr_events = 0;
	if (decision == DECIDED_WAITS)
		return TURN;
	f->moved = 1;
	if (decision == DECIDED_ERROR)
		return TURN;
	s->transitions++;
	memcpy(s->scratch, state, PC_SIZE);
	if (setjmp(pc_env)) {
		s->faulty = s->look;
		return FAULTY_PREDICATE;
	}
	return !enter(s) ? MEMORY : s->nr_events ? EVENTS : TURN;
}

void pc_depth_decide_watch(struct pc_depth *s, int is_true)
{
	s->nr_events = 0;
	if (is_true)
		s->watches[s->look].is_pending = 0;
	s->look++;
}

/* Go on from another state, which is explored unless it was seen; after a search that is done. */
void pc_depth_restart(struct pc_depth *s, const uint8_t *initial)
{
	s->nr_events = 0;
	s->has_begun = 0;
	memcpy(s->scratch, initial, PC_SIZE);
}

void pc_depth_delete(struct pc_depth *s)
{
	if (!s)
		return;
	release(&s->m, &s->stack);
	release(&s->m, &s->event_room);
	release(&s->m, &s->seen.slots);
	release(&s->m, &s->projected.slots);
	free(s->watches);
	free(s);
}

/* A search from one state; NULL when there is no memory.  constants must outlive it. */
struct pc_depth *pc_depth_new(const uint8_t *constants, uint64_t limit, const uint32_t *predicates,
			      uint32_t nr_watches, int watch_projection, uint64_t seed,
			      const uint8_t *initial)
{
	struct pc_depth *s = calloc(1, sizeof(*s));
	unsigned p;

	if (!s)
		return NULL;
	s->m.limit = limit;
	s->constants = constants;
	s->watch_projection = (uint32_t)watch_projection;
	s->nr_watches = nr_watches;
	s->seed = seed;
	s->watches = calloc(nr_watches + 1, sizeof(*s->watches));
	if (!s->watches || !digests_make(&s->m, &s->seen, 1024) ||
	    !digests_make(&s->m, &s->projected, 64))
		goto fail;
	for (p = 0; p < nr_watches; p++)
		s->watches[p] = (struct watched){predicates[p], 1};
	memcpy(s->scratch, initial, PC_SIZE);
	return s;
fail:
	pc_depth_delete(s);
	return NULL;
}

/* The state on top of the stack, and the threads that led there. */
void pc_depth_path(const struct pc_depth *s, uint8_t *state, uint8_t *threads)
{
	const struct frame *f = s->stack.at;
	uint64_t i;

	memcpy(state, f[s->height - 1].state, PC_SIZE);
	for (i = 0; i + 1 < s->height; i++)
		threads[i] = f[i].order[f[i].next - 1];
}

/* Copy the digests whose high bits are zero: a sample that overlaps as the searches do. */
uint64_t pc_depth_sample(const struct pc_depth *s, unsigned bits, uint64_t *out, uint64_t room)
{
	const uint64_t *slots = s->seen.slots.at;
	uint64_t i, n = 0;

	for (i = 0; i <= s->seen.mask; i++) {
		/* Slots are found by the low bits, so the sample is taken by the high ones. */
		if (!slots[i] || (bits && slots[i] >> (64 - bits)))
			continue;
		if (n < room)
			out[n] = slots[i];
		n++;
	}
	return n;
}
