/* Load the kernel modules in /modules.  See modules.c. */
#ifndef MODULES_H
#define MODULES_H

/* Load what can be loaded; what cannot is told on the console, a line each. */
void load_modules(void);

#endif
