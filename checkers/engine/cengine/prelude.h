/*
 * What generated steps stand on: Python's integer arithmetic where 64 bits do, and a fault where
 * they do not or where Python would raise.  A fault leaves the step; the caller asks Python.
 */
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PC_UNUSED __attribute__((unused))
#define PC_INLINE PC_UNUSED __attribute__((always_inline)) static inline
#define PC_FEW_TURNS 200       /* of a loop through which a thread runs without preemption */
#define PC_MANY_TURNS 1000000  /* of a loop in a helper */
#define PC_BIG ((int64_t)1 << 32)

/* Steps and searches are one translation unit, or two that share what is marked so. */
#ifdef PC_APART
#define PC_SHARED __attribute__((visibility("hidden")))
extern PC_SHARED _Thread_local jmp_buf pc_env;
#else
#define PC_SHARED static
PC_UNUSED static _Thread_local jmp_buf pc_env;
#endif

__attribute__((noreturn, cold, noinline)) static void pc_fault(void)
{
#ifdef PC_ABORT
	abort();		/* inside another checker there is no Python to ask */
#else
	longjmp(pc_env, 1);
#endif
}

/* An index from the end, as Python has it. */
PC_UNUSED __attribute__((cold, noinline)) static size_t pc_wrap(int64_t i, int64_t size)
{
	if (i >= size || i < -size)
		pc_fault();
	return (size_t)(i + size);
}

PC_UNUSED static inline uint8_t pc_byte(int64_t v)
{
	if ((uint64_t)v > 255)
		pc_fault();
	return (uint8_t)v;
}

/* The number of the struct at an address; -1 where none starts. */
PC_UNUSED static inline int64_t pc_number(const int16_t *numbers, int64_t address, int64_t size)
{
	if (address < 0 || address > size)
		pc_fault();
	return numbers[address];
}

PC_UNUSED static inline int64_t pc_local(int64_t v)
{
	if (v > PC_BIG || v < -PC_BIG)
		pc_fault();
	return v;
}

PC_UNUSED static inline int64_t pc_check_range(int64_t v, int64_t bound)
{
	if (v < 0 || v > bound)
		pc_fault();
	return v;
}

PC_UNUSED static inline int64_t pc_check_index(int64_t v, int64_t length)
{
	if (v < 0 || v >= length)
		pc_fault();
	return v;
}

PC_UNUSED static inline int64_t pc_min(int64_t a, int64_t b)
{
	return b < a ? b : a;
}

PC_UNUSED static inline int64_t pc_max(int64_t a, int64_t b)
{
	return b > a ? b : a;
}

PC_UNUSED static inline int64_t pc_mul(int64_t a, int64_t b)
{
	int64_t product;

	if (__builtin_mul_overflow(a, b, &product))
		pc_fault();
	return pc_local(product);
}

/* Python rounds quotients down. */
PC_UNUSED static inline int64_t pc_div(int64_t a, int64_t b)
{
	if (a >= 0 && b > 0)
		return a / b;
	if (b == 0)
		pc_fault();
	return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

PC_UNUSED static inline int64_t pc_mod(int64_t a, int64_t b)
{
	if (a >= 0 && b > 0)
		return a % b;
	return a - pc_mul(b, pc_div(a, b));
}

PC_UNUSED static inline int64_t pc_shl(int64_t a, int64_t b)
{
	if (b < 0 || b > 32)
		pc_fault();
	return pc_mul(a, (int64_t)1 << b);
}

PC_UNUSED static inline int64_t pc_shr(int64_t a, int64_t b)
{
	if (b < 0)
		pc_fault();
	return a >> (b > 62 ? 62 : b);
}
