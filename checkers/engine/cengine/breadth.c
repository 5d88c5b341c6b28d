/*
 * Breadth-first search with parents: the loop of bfs.py, in the same order, so that states have
 * the same numbers, and what is found first there is found first here.  It returns to its caller
 * after the expansion of a state in which something happened, and when it needs Python's decision.
 */

/* Evaluate what is watched on the new state. */
static int look(struct pc_search *s)
{
	for (; s->look < s->nr_watches; s->look++) {
		struct watched *w = &s->watches[s->look];

		if (!w->is_pending || !pc_predicate(w->predicate, s->looked_at, s->constants))
			continue;
		w->is_pending = 0;
		if (!add_event(s, EVENT_WATCH, s->look, s->looking_at))
			return 0;
	}
	s->is_looking = 0;
	if (s->new_projection && s->watch_projection) {
		s->projections++;
		if (!add_event(s, EVENT_PROJECTION, 0, s->looking_at))
			return 0;
	}
	return 1;
}

static int begin_look(struct pc_search *s, uint64_t number, uint8_t *state)
{
	s->looking_at = number;
	s->looked_at = state;
	s->look = 0;
	s->is_looking = 1;
	return look(s);
}

/* The thread moved from current to the successor. */
static int arrive(struct pc_search *s, struct successor *n)
{
	int is_new = 0;
	uint32_t target = intern(s, n, &is_new);

	if (target == FULL)
		return 0;
	s->moved = 1;
	s->transitions++;
	if (s->keep_edges) {
		if (!reserve(&s->m, &s->targets, (s->edges + 1) * sizeof(uint32_t)))
			return 0;
		((uint32_t *)s->targets.at)[s->edges++] = target;
		s->degree++;
	}
	if (!is_new)
		return 1;
	((uint32_t *)s->parents.at)[target] = (uint32_t)s->cursor;
	((uint8_t *)s->via.at)[target] = (uint8_t)n->thread;
	s->new_projection = n->has_new_projection;
	return begin_look(s, target, n->state);
}

static int finish(struct pc_search *s)
{
	struct expansion *x = expansion_of(s, s->cursor);
	int at_rest = 1;
	unsigned i;

	for (i = 0; i < PC_OWN; i++)
		at_rest &= x->state[pc_own[i]] == 0;
	if (s->keep_edges) {
		if (!reserve(&s->m, &s->degrees, s->cursor + 1) || !reserve(&s->m, &s->rest, s->cursor + 1))
			return 0;
		((uint8_t *)s->degrees.at)[s->cursor] = (uint8_t)s->degree;
		((uint8_t *)s->rest.at)[s->cursor] = (uint8_t)(at_rest || !s->degree);
	}
	if (!s->moved && !at_rest && !s->deadlocked) {
		s->deadlocked = 1;
		if (!add_event(s, EVENT_DEADLOCK, 0, s->cursor))
			return 0;
	}
	x->is_open = s->is_expanding = 0;
	s->moved = s->degree = s->done = 0;
	s->cursor++;
	return 1;
}

static void begin(struct pc_search *s, struct expansion *x, uint64_t number)
{
	load(s, number, x->state);
#if !PC_WHOLE
	memcpy(x->ids, key_at(s, number), sizeof(x->ids));
	x->hash = ids_hash(x->ids);
#endif
	copy_state(x->next[0].state, x->state, PC_SIZE);
	x->is_open = 1;
	x->made = x->thread = 0;
}

/* Take over the step in the first free successor; 0 when there is no memory. */
static int step_made(struct pc_search *s, struct expansion *x)
{
	struct successor *n = &x->next[x->made];

	n->thread = x->thread;
	copy_state(n[1].state, x->state, PC_SIZE);
	if (!make_key(s, x, n))
		return 0;
	x->made++;
	return 1;
}

/*
 * Make the steps of all threads from x->thread on.  They are looked up afterwards, when the memory
 * that the lookups need is on its way already.  A thread that waits has changed nothing.
 */
static int make_steps(struct pc_search *s, struct expansion *x)
{
	for (; x->thread < PC_THREADS; x->thread++)
		if (pc_step(x->thread, x->next[x->made].state, s->constants) && !step_made(s, x))
			return 0;
	return 1;
}

/* Make the steps of the next state, too, so that memory has time to come.  It keeps its turn. */
static int look_ahead(struct pc_search *s)
{
	struct expansion *x = expansion_of(s, s->cursor + 1);
	int good;

	if (x->is_open || s->cursor + 1 >= s->states)
		return 1;
	begin(s, x, s->cursor + 1);
	s->is_ahead = 1;
	good = make_steps(s, x);
	s->is_ahead = 0;
	return good;
}

static void fetch_vectors(const struct pc_search *s, const struct expansion *x)
{
	const uint64_t *slots = s->table.slots.at;
	uint32_t i;

	for (i = s->done; i < x->made; i++) {
		uint64_t hash = x->next[i].hash, entry = slots[hash & s->table.mask];

		if (entry && entry >> 32 == hash >> 32)
			__builtin_prefetch(key_at(s, (uint32_t)entry - 1));
	}
}

/* Go on with the state at the cursor; 0 when there is no memory. */
static int expand(struct pc_search *s)
{
	struct expansion *x = expansion_of(s, s->cursor);

	if (s->is_looking) {
		if (!look(s))
			return 0;
		s->done++;
	}
	if (!s->has_fault && (!make_steps(s, x) || !look_ahead(s)))
		return 0;
	fetch_vectors(s, x);
	for (; s->done < x->made; s->done++)
		if (!arrive(s, &x->next[s->done]))
			return 0;
	return s->has_fault || finish(s);
}

static int look_at_initials(struct pc_search *s)
{
	while (s->looked < s->initials) {
		if (s->is_looking) {
			if (!look(s))
				return 0;
		} else {
			load(s, s->looked, s->scratch);
			/* Its projection is new unless an earlier initial state has the same. */
			s->new_projection = ((uint8_t *)s->via.at)[s->looked];
			if (!begin_look(s, s->looked, s->scratch))
				return 0;
		}
		s->looked++;
	}
	return 1;
}

static int search(struct pc_search *s, uint64_t turns, uint64_t max_states)
{
	s->nr_events = 0;
	if (s->looked < s->initials) {
		if (!look_at_initials(s))
			return MEMORY;
		if (s->nr_events)
			return EVENTS;
	}
	for (; s->is_expanding || s->cursor < s->states; turns--) {
		if (!s->is_expanding) {
			if (s->cursor == s->level_end) {
				s->depth++;
				s->level_end = s->states;
			}
			if (s->states >= max_states)
				return LIMIT;
			if (!turns)
				return TURN;
			if (!expansion_of(s, s->cursor)->is_open)
				begin(s, expansion_of(s, s->cursor), s->cursor);
			s->is_expanding = 1;
		}
		if (!expand(s))
			return MEMORY;
		if (s->has_fault)
			return FAULT;
		if (s->nr_events)
			return EVENTS;
	}
	return DONE;
}

/* Search on: until done, something happened, or turns states were expanded. */
int pc_run(struct pc_search *s, uint64_t turns, uint64_t max_states)
{
	struct expansion *x;
	int status;

	if (setjmp(pc_env)) {
		if (s->is_looking) {
			s->faulty = s->look;
			s->number = s->looking_at;
			return FAULTY_PREDICATE;
		}
		x = expansion_of(s, s->cursor + s->is_ahead);
		memcpy(x->next[x->made].state, x->state, PC_SIZE);
		s->thread = x->thread;
		s->number = s->cursor;
		s->has_fault = !s->is_ahead;	/* else it will fault again in its turn */
		s->is_ahead = 0;
	}
	status = search(s, turns, max_states);
	s->memory = s->m.used;
	return status;
}

/* Python's decision about the step that faulted. */
int pc_decide_step(struct pc_search *s, int decision, const uint8_t *state)
{
	struct expansion *x = expansion_of(s, s->cursor);

	s->nr_events = 0;
	s->has_fault = 0;
	if (decision == DECIDED_STATE) {
		memcpy(x->next[x->made].state, state, PC_SIZE);
		if (!step_made(s, x))
			return MEMORY;
	} else if (decision == DECIDED_ERROR) {
		s->moved = 1;
	}
	x->thread++;
	return TURN;
}

/* Python's value of the predicate that faulted. */
void pc_decide_watch(struct pc_search *s, int is_true)
{
	s->nr_events = 0;
	if (is_true)
		s->watches[s->look].is_pending = 0;
	s->look++;
}

void pc_delete(struct pc_search *s)
{
	unsigned p;

	if (!s)
		return;
	for (p = 0; p < NR_POOLS; p++) {
		release(&s->m, &s->pools[p].bytes);
		release(&s->m, &s->pools[p].table.slots);
	}
	release(&s->m, &s->table.slots);
	release(&s->m, &s->vectors);
	release(&s->m, &s->parents);
	release(&s->m, &s->via);
	release(&s->m, &s->degrees);
	release(&s->m, &s->targets);
	release(&s->m, &s->rest);
	release(&s->m, &s->event_room);
	release(&s->m, &s->cycle_room);
	free(s->watches);
	free(s);
}

/* A search without states; NULL when there is no memory.  constants must outlive it. */
struct pc_search *pc_new(const uint8_t *constants, uint64_t limit, const uint32_t *predicates,
			 uint32_t nr_watches, int keep_edges, int watch_projection)
{
	struct pc_search *s = calloc(1, sizeof(*s));
	unsigned p;

	if (!s)
		return NULL;
	s->m.limit = limit;
	s->constants = constants;
	s->keep_edges = (uint32_t)keep_edges;
	s->watch_projection = (uint32_t)watch_projection;
	s->nr_watches = nr_watches;
	s->watches = calloc(nr_watches + 1, sizeof(*s->watches));
	if (!s->watches || !table_make(&s->m, &s->table, 1 << 14))
		goto fail;
	for (p = 0; p < nr_watches; p++)
		s->watches[p] = (struct watched){predicates[p], 1};
#if !PC_WHOLE
	s->expansions[0].hash = ids_hash(s->expansions[0].ids);
#endif
	for (p = 0; p < NR_POOLS; p++) {
		s->pools[p].width = PC_WHOLE ? PC_PROJECTED_SIZE : pc_piece[p + 1] - pc_piece[p];
		if (!table_make(&s->m, &s->pools[p].table, 64))
			goto fail;
	}
	return s;
fail:
	pc_delete(s);
	return NULL;
}

/* Add an initial state, before the first run; 0 when there is no memory. */
int pc_add(struct pc_search *s, const uint8_t *state)
{
	struct expansion *x = &s->expansions[0];
	struct successor *n = &x->next[0];
	int is_new = 0;
	uint32_t number;

	memcpy(n->state, state, PC_SIZE);
	if (!make_key(s, x, n))
		return 0;
	number = intern(s, n, &is_new);
	if (number == FULL)
		return 0;
	if (is_new) {
		((uint32_t *)s->parents.at)[number] = FULL;
		((uint8_t *)s->via.at)[number] = (uint8_t)n->has_new_projection;
		s->initials = s->level_end = s->states;
	}
	return 1;
}

void pc_state(struct pc_search *s, uint64_t number, uint8_t *out)
{
	load(s, number, out);
}

/* The state number is reached from and the thread that stepped; FULL for an initial state. */
uint32_t pc_parent(const struct pc_search *s, uint64_t number, uint8_t *thread)
{
	*thread = ((const uint8_t *)s->via.at)[number];
	return ((const uint32_t *)s->parents.at)[number];
}

uint64_t pc_pieces(const struct pc_search *s)
{
	uint64_t total = 0;
	unsigned p;

	for (p = 0; p < NR_POOLS; p++)
		total += s->pools[p].table.count;
	return total;
}

/* For the comparison with Python: one step of one thread, 0 waits, 1 moved, 2 faulted. */
int pc_one_step(const uint8_t *constants, uint32_t thread, uint8_t *state)
{
	if (setjmp(pc_env))
		return 2;
	return pc_step(thread, state, constants);
}

int pc_one_predicate(const uint8_t *constants, uint32_t which, uint8_t *state)
{
	if (setjmp(pc_env))
		return 2;
	return pc_predicate(which, state, constants) != 0;
}
