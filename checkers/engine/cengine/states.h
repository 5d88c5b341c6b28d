/*
 * The states of a breadth-first search: what is kept of each, how one is cut into numbered pieces
 * and put together again, and the table that knows it by its hash.
 */

enum { DONE, TURN, EVENTS, LIMIT, MEMORY, FAULT, FAULTY_PREDICATE };
enum { EVENT_WATCH, EVENT_PROJECTION, EVENT_DEADLOCK };
enum { DECIDED_ERROR, DECIDED_WAITS, DECIDED_STATE };

struct event {
	uint32_t kind, which, number;
};

struct watched {
	uint32_t predicate, is_pending;
};

/* States of a few words are stored whole; only their projections are numbered then. */
#ifndef PC_WHOLE
#define PC_WHOLE (PC_SIZE <= 32)
#endif
#if PC_WHOLE
#define KEY_SIZE PC_SIZE
#define NR_POOLS 1
#else
#define KEY_SIZE (PC_PIECES * sizeof(uint32_t))
#define NR_POOLS PC_PIECES
#endif

/* A step that was made and is not looked up yet. */
struct successor {
	uint64_t hash;
	uint32_t thread, has_new_projection;
#if !PC_WHOLE
	uint32_t ids[PC_PIECES];
#endif
	uint8_t state[PC_SIZE];
};

/* The steps from one state.  thread is the next one to run. */
struct expansion {
	uint32_t is_open, thread, made;
#if !PC_WHOLE
	uint32_t ids[PC_PIECES];
	uint64_t hash;			/* of ids */
#endif
	uint8_t state[PC_SIZE];
	struct successor next[PC_THREADS + 1];
};

/* The part Python reads; keep in step with _Shared in c_search.py. */
struct pc_search {
	uint64_t states, transitions, projections, depth, memory, edges;
	uint64_t cursor;		/* the state being expanded */
	uint32_t thread;		/* of the fault */
	uint32_t faulty;		/* the watch that faulted */
	uint64_t number;		/* the state it faulted on */
	uint64_t nr_events;
	struct event *events;
	uint64_t nr_cycle;
	uint32_t *cycle;
	/* from here on it is ours alone */
	struct memory m;
	struct array vectors, parents, via, degrees, targets, rest, event_room, cycle_room;
	struct table table;
	struct pool pools[NR_POOLS];
	const uint8_t *constants;
	struct watched *watches;
	uint32_t nr_watches, look, is_looking, keep_edges, watch_projection;
	uint64_t looked, initials, level_end, looking_at, new_projection;
	uint32_t moved, is_expanding, deadlocked, degree, has_fault, done, is_ahead;
	uint8_t *looked_at;		/* the state whose predicates are evaluated */
	uint8_t scratch[PC_SIZE];
	struct expansion expansions[2];	/* of the state at the cursor and, if open, of the next */
};

static inline struct expansion *expansion_of(struct pc_search *s, uint64_t number)
{
	return &s->expansions[number % 2];
}

static inline uint8_t *key_at(const struct pc_search *s, uint64_t number)
{
	return (uint8_t *)s->vectors.at + number * KEY_SIZE;
}

static int add_event(struct pc_search *s, uint32_t kind, uint32_t which, uint64_t number)
{
	if (!reserve(&s->m, &s->event_room, (s->nr_events + 1) * sizeof(struct event)))
		return 0;
	s->events = s->event_room.at;
	s->events[s->nr_events++] = (struct event){kind, which, (uint32_t)number};
	return 1;
}

#if PC_WHOLE

#define KEY_OF(n) ((n)->state)

static uint64_t state_hash_at(const void *owner, uint32_t number)
{
	return hash_of(key_at(owner, number), PC_SIZE, 0);
}

/* Hash n->state; 0 when there is no memory. */
static int make_key(struct pc_search *s, const struct expansion *x, struct successor *n)
{
	const uint8_t *piece = n->state + PC_PROJECTED_START;
	int is_new = 0;

	n->hash = hash_of(n->state, PC_SIZE, 0);
	__builtin_prefetch((uint64_t *)s->table.slots.at + (n->hash & s->table.mask));
	if (s->watch_projection && PC_PROJECTED_SIZE &&
	    !(x->is_open && !differ(piece, x->state + PC_PROJECTED_START, PC_PROJECTED_SIZE)) &&
	    pool_number(&s->m, &s->pools[0], piece, PC_PROJECTED_SIZE, &is_new) == FULL)
		return 0;
	n->has_new_projection = (uint32_t)is_new;
	return 1;
}

static void load(struct pc_search *s, uint64_t number, uint8_t *out)
{
	copy_state(out, key_at(s, number), PC_SIZE);
}

#else

#define KEY_OF(n) ((const uint8_t *)(n)->ids)

/* What a piece adds to the hash of a state; so one that changes is exchanged in it. */
static inline uint64_t id_hash(uint32_t id, unsigned piece)
{
	return mix(id, 0x9d2c5680efc60001u * (2 * piece + 1));
}

static inline uint64_t ids_hash(const uint32_t *ids)
{
	uint64_t h = 0;
	unsigned p;

	for (p = 0; p < PC_PIECES; p++)
		h += id_hash(ids[p], p);
	return h;
}

static uint64_t state_hash_at(const void *owner, uint32_t number)
{
	uint32_t ids[PC_PIECES];

	memcpy(ids, key_at(owner, number), sizeof(ids));
	return ids_hash(ids);
}

/* Cut n->state into numbered pieces; 0 when there is no memory. */
static int make_key(struct pc_search *s, const struct expansion *x, struct successor *n)
{
	unsigned p;
	uint64_t h = x->hash;

	n->has_new_projection = 0;
PC_UNROLL
	for (p = 0; p < PC_PIECES; p++) {
		const uint8_t *piece = n->state + pc_piece[p];
		size_t width = pc_piece[p + 1] - pc_piece[p];
		int is_new = 0;

		n->ids[p] = x->ids[p];
		if (x->is_open && !differ(piece, x->state + pc_piece[p], width))
			continue;
		n->ids[p] = pool_number(&s->m, &s->pools[p], piece, width, &is_new);
		if (n->ids[p] == FULL)
			return 0;
		h += id_hash(n->ids[p], p) - id_hash(x->ids[p], p);
		if ((int)p == PC_PROJECTED_PIECE)
			n->has_new_projection = (uint32_t)is_new;
	}
	n->hash = h;
	__builtin_prefetch((uint64_t *)s->table.slots.at + (n->hash & s->table.mask));
	return 1;
}

static void load(struct pc_search *s, uint64_t number, uint8_t *out)
{
	uint32_t ids[PC_PIECES];
	unsigned p;

	memcpy(ids, key_at(s, number), sizeof(ids));
PC_UNROLL
	for (p = 0; p < PC_PIECES; p++) {
		size_t width = pc_piece[p + 1] - pc_piece[p];

		memcpy(out + pc_piece[p], (uint8_t *)s->pools[p].bytes.at + ids[p] * width, width);
	}
}

#endif

/* Store the successor unless it is known; FULL when there is no memory for it. */
static uint32_t intern(struct pc_search *s, const struct successor *n, int *is_new)
{
	uint64_t i, entry;
	const uint64_t *slots;
	uint32_t number;

	if (table_is_full(&s->table) && !table_grow(&s->m, &s->table, state_hash_at, s) &&
	    table_is_crowded(&s->table))
		return FULL;
	slots = s->table.slots.at;
	for (i = n->hash & s->table.mask; (entry = slots[i]) != 0; i = (i + 1) & s->table.mask) {
		number = (uint32_t)entry - 1;
		if (entry >> 32 == n->hash >> 32 &&
		    !differ(key_at(s, number), KEY_OF(n), KEY_SIZE))
			return number;
	}
	number = (uint32_t)s->states;
	if (number == FULL - 1 ||
	    !reserve(&s->m, &s->vectors, ((size_t)number + 1) * KEY_SIZE) ||
	    !reserve(&s->m, &s->parents, ((size_t)number + 1) * sizeof(uint32_t)) ||
	    !reserve(&s->m, &s->via, (size_t)number + 1))
		return FULL;
	copy_state(key_at(s, number), KEY_OF(n), KEY_SIZE);
	table_put(&s->table, n->hash, number);
	s->states++;
	*is_new = 1;
	return number;
}
