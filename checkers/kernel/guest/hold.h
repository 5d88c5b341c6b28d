/* Hold threads at functions of the kernel, in the order of a schedule.  See hold.c. */
#ifndef HOLD_H
#define HOLD_H

#include <stdbool.h>

/*
 * Add the next hold of the schedule: at the entry of a kernel function, or where it returns, for
 * threads whose name begins with the four letters of `who`.  False, with errno set, if the kernel
 * does not allow that.
 */
bool hold_at(const char *function, bool at_return, const char *who);

/* Begin the schedule: the first hold is open for whoever comes. */
void hold_arm(void);

/* Whether the first hold has been reached. */
bool hold_is_reached(void);

/* Release whoever is held, until the schedule is begun again. */
void hold_release(void);

/* How many holds of the schedule were reached since it was begun. */
int hold_count(void);

#endif
