/*
 * Livelock, as cycles.py defines it: a shortest cycle through the first state that lies on one and
 * from which no run comes to rest.  Sweeps against the order of exploration settle nearly all states
 * in the first pass, so no predecessor lists are needed.
 */

static int settle(const struct pc_search *s, uint8_t *ends)
{
	const uint32_t *edge = (const uint32_t *)s->targets.at + s->edges;
	const uint8_t *degrees = s->degrees.at;
	uint64_t number = s->states;
	int changed = 0;
	unsigned n;

	while (number-- > 0) {
		edge -= degrees[number];
		if (ends[number])
			continue;
		for (n = 0; n < degrees[number]; n++)
			if (ends[edge[n]])
				break;
		if (n < degrees[number])
			changed = ends[number] = 1;
	}
	return changed;
}

/* Fill the cycle through start, first state repeated; nr_cycle stays 0 if there is none. */
static int cycle_through(struct pc_search *s, const uint64_t *first, uint32_t *from,
			 uint32_t *queue, uint32_t start)
{
	uint64_t head = 0, tail = 0, i;
	uint32_t source, target, back;
	const uint32_t *targets = s->targets.at;

	queue[tail++] = start;
	while (head < tail) {
		source = queue[head++];
		for (i = first[source]; i < first[source + 1]; i++) {
			target = targets[i];
			if (from[target] != FULL)
				continue;
			from[target] = source;
			if (target == start)
				goto found;
			queue[tail++] = target;
		}
	}
	for (i = 0; i < tail; i++)
		from[queue[i]] = FULL;
	return 1;
found:
	s->nr_cycle = 2;
	for (back = from[start]; back != start; back = from[back])
		s->nr_cycle++;
	if (!reserve(&s->m, &s->cycle_room, s->nr_cycle * sizeof(uint32_t)))
		return 0;
	s->cycle = s->cycle_room.at;
	s->cycle[s->nr_cycle - 1] = start;
	back = from[start];
	for (i = s->nr_cycle - 1; i-- > 0; back = from[back])
		s->cycle[i] = back;
	return 1;
}

static int search_cycles(struct pc_search *s, const uint8_t *ends)
{
	struct array first = {0}, from = {0}, queue = {0};
	const uint8_t *degrees = s->degrees.at;
	uint64_t number, *starts;
	int good = 0;

	if (!reserve(&s->m, &first, (s->states + 1) * sizeof(uint64_t)) ||
	    !reserve(&s->m, &from, s->states * sizeof(uint32_t)) ||
	    !reserve(&s->m, &queue, (s->states + 1) * sizeof(uint32_t)))
		goto out;
	starts = first.at;
	starts[0] = 0;
	for (number = 0; number < s->states; number++)
		starts[number + 1] = starts[number] + degrees[number];
	memset(from.at, 0xff, s->states * sizeof(uint32_t));
	good = 1;
	for (number = 0; good && !s->nr_cycle && number < s->states; number++)
		if (!ends[number])
			good = cycle_through(s, starts, from.at, queue.at, (uint32_t)number);
out:
	release(&s->m, &first);
	release(&s->m, &from);
	release(&s->m, &queue);
	return good;
}

/* After an exhausted search that kept its edges; MEMORY if there is not enough of it. */
int pc_find_cycle(struct pc_search *s)
{
	uint8_t *ends = s->rest.at;
	uint64_t number;
	int status = DONE;

	s->nr_cycle = 0;
	while (settle(s, ends))
		;
	for (number = 0; number < s->states; number++)
		if (!ends[number])
			break;
	if (number < s->states && !search_cycles(s, ends))
		status = MEMORY;
	s->memory = s->m.used;
	return status;
}
