/* The thread's first error.
 *
 * A function that fails calls error_set once, where the problem is found, and returns -1 or NULL. Later
 * failures on the way up are consequences: they are dropped until the driver takes the message. Texts are
 * one line, name the thing that is wrong and say what to do about it. */
#ifndef MICA_BASE_ERROR_H
#define MICA_BASE_ERROR_H

#include <stdbool.h>

#if defined(__GNUC__)
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define PRINTF_LIKE(fmt, args)
#endif

/* Records a message for this thread unless one is pending. Control characters become spaces, so that the
 * message stays one line whatever the input held. Always returns -1, for `return error_set(...)`. */
int error_set(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Puts "where: " (as fmt says) in front of the pending message, if there is one: for a caller that knows
 * which file or line the failure was about. Always returns -1. */
int error_within(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Is a message pending? */
bool error_pending(void);

/* The pending message, or "" if there is none. Valid until the next call of this module on this thread. */
const char *error_text(void);

/* Forgets the pending message. */
void error_clear(void);

#endif
