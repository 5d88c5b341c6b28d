/*
 * Growing arrays within a memory limit, and two hash tables over them.  Sizes are constants wherever
 * they can be: what is inlined with one compares and hashes a few words without a call or a loop.
 *
 * A state is stored as one number a piece: equal pieces are stored once.  Pieces change one or two
 * at a time, so a few thousand different ones stand for millions of states, which take 4 bytes a
 * piece instead of the whole vector, and nothing is lost.
 */

#define PC_UNROLL _Pragma("GCC unroll 64")

struct memory {
	size_t used, limit;
};

struct array {
	void *at;
	size_t capacity;	/* in bytes */
};

/* Make room for size bytes; 0 when the limit or the system says no. */
static int reserve(struct memory *m, struct array *a, size_t size)
{
	size_t wanted = a->capacity + a->capacity / 4 + 4096;
	void *moved;

	if (size <= a->capacity)
		return 1;
	if (wanted < size)
		wanted = size;
	if (m->used - a->capacity + wanted > m->limit)
		wanted = size;
	if (m->used - a->capacity + wanted > m->limit)
		return 0;
	moved = realloc(a->at, wanted);
	if (!moved)
		return 0;
	m->used += wanted - a->capacity;
	a->at = moved;
	a->capacity = wanted;
	return 1;
}

static void release(struct memory *m, struct array *a)
{
	free(a->at);
	m->used -= a->capacity;
	a->at = NULL;
	a->capacity = 0;
}

/* Fold the 128-bit product: every bit of x reaches the low and the high half. */
static inline uint64_t mix(uint64_t x, uint64_t odd)
{
	unsigned __int128 wide = (unsigned __int128)(x ^ odd) * 0xa0ce1f7d3b9654e5u;

	return (uint64_t)wide ^ (uint64_t)(wide >> 64);
}

PC_INLINE uint64_t load_word(const uint8_t *bytes, size_t size)
{
	uint64_t word = 0;
	size_t i;

	if (size >= 8)
		memcpy(&word, bytes, 8);
	else
		for (i = 0; i < size; i++)
			word |= (uint64_t)bytes[i] << 8 * i;
	return word;
}

PC_INLINE uint64_t hash_of(const uint8_t *bytes, size_t size, uint64_t seed)
{
	uint64_t h = seed + size;
	size_t i;

PC_UNROLL
	for (i = 0; i + 8 <= size; i += 8)
		h = mix(h ^ load_word(bytes + i, 8), 0x5bd1f3a7c96e2d81u);
	h = mix(h ^ load_word(bytes + i, size - i), 0x3c79ac492ba7b653u);
	return mix(h, 0x6f1e9d3584b2c7a9u);
}

/* Tell whether size bytes differ. */
PC_INLINE int differ(const uint8_t *a, const uint8_t *b, size_t size)
{
	uint64_t d = 0;
	size_t i;

	if (size < 8)
		return load_word(a, size) != load_word(b, size);
PC_UNROLL
	for (i = 0; i + 8 < size; i += 8)
		d |= load_word(a + i, 8) ^ load_word(b + i, 8);
	d |= load_word(a + size - 8, 8) ^ load_word(b + size - 8, 8);
	return d != 0;
}

/* What memcpy does, for a constant size: compilers call it, or worse, for some hundred bytes. */
PC_INLINE void copy_state(uint8_t *to, const uint8_t *from, size_t size)
{
	size_t i;

PC_UNROLL
	for (i = 0; i + 32 <= size; i += 32)
		memcpy(to + i, from + i, 32);
	memcpy(to + i, from + i, size % 32);
}

/* An open-addressing table of (upper half of the hash, number + 1); 0 is free. */
struct table {
	struct array slots;
	uint64_t mask;
	uint64_t count;
};

static int table_make(struct memory *m, struct table *t, uint64_t slots)
{
	size_t size = slots * sizeof(uint64_t);

	memset(t, 0, sizeof(*t));
	if (m->used + size > m->limit)
		return 0;
	t->slots.at = calloc(slots, sizeof(uint64_t));
	if (!t->slots.at)
		return 0;
	t->slots.capacity = size;
	m->used += size;
	t->mask = slots - 1;
	return 1;
}

static inline void table_put(struct table *t, uint64_t hash, uint32_t number)
{
	uint64_t *slots = t->slots.at;
	uint64_t i = hash & t->mask;

	while (slots[i])
		i = (i + 1) & t->mask;
	slots[i] = (hash >> 32 << 32) | (number + 1);
	t->count++;
}

/* Four times the slots, later twice; hash_at gives the hash of what is in the table. */
static int table_grow(struct memory *m, struct table *t,
		      uint64_t (*hash_at)(const void *owner, uint32_t number), const void *owner)
{
	struct table bigger;
	uint64_t number;

	if (!table_make(m, &bigger, (t->mask + 1) * (t->mask < 1 << 22 ? 4 : 2)))
		return 0;
	for (number = 0; number < t->count; number++)
		table_put(&bigger, hash_at(owner, (uint32_t)number), (uint32_t)number);
	release(m, &t->slots);
	*t = bigger;
	return 1;
}

static inline int table_is_full(const struct table *t)
{
	return (t->count + 1) * 4 > (t->mask + 1) * 3;
}

/* Without memory for a larger table, this one serves a while longer, more slowly. */
static inline int table_is_crowded(const struct table *t)
{
	return (t->count + 1) * 16 > (t->mask + 1) * 15;
}

/* All values one piece of the vector has had. */
struct pool {
	struct array bytes;
	struct table table;
	size_t width;
};

static uint64_t pool_hash_at(const void *owner, uint32_t number)
{
	const struct pool *p = owner;

	return hash_of((const uint8_t *)p->bytes.at + (size_t)number * p->width, p->width, 0);
}

#define FULL UINT32_MAX

/* Look further for a piece than at the slot where it should be. */
PC_UNUSED static uint32_t pool_search(struct memory *m, struct pool *p, const uint8_t *piece,
				      uint64_t hash, int *is_new)
{
	uint64_t i, entry;
	const uint64_t *slots;
	uint32_t number;

	if (table_is_full(&p->table) && !table_grow(m, &p->table, pool_hash_at, p) &&
	    table_is_crowded(&p->table))
		return FULL;
	slots = p->table.slots.at;
	for (i = hash & p->table.mask; (entry = slots[i]) != 0; i = (i + 1) & p->table.mask) {
		number = (uint32_t)entry - 1;
		if (entry >> 32 == hash >> 32 &&
		    !memcmp((uint8_t *)p->bytes.at + (size_t)number * p->width, piece, p->width))
			return number;
	}
	number = (uint32_t)p->table.count;
	if (number == FULL - 1 || !reserve(m, &p->bytes, ((size_t)number + 1) * p->width))
		return FULL;
	memcpy((uint8_t *)p->bytes.at + (size_t)number * p->width, piece, p->width);
	table_put(&p->table, hash, number);
	*is_new = 1;
	return number;
}

/* The number of a piece, a new one if need be; FULL when there is no memory for it. */
PC_INLINE uint32_t pool_number(struct memory *m, struct pool *p, const uint8_t *piece, size_t width,
			       int *is_new)
{
	uint64_t hash = hash_of(piece, width, 0);
	uint64_t entry = ((const uint64_t *)p->table.slots.at)[hash & p->table.mask];

	if (entry && entry >> 32 == hash >> 32) {
		uint32_t number = (uint32_t)entry - 1;

		if (!differ((const uint8_t *)p->bytes.at + (size_t)number * width, piece, width))
			return number;
	}
	return pool_search(m, p, piece, hash, is_new);
}
