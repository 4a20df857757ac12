/* One message a thread, in a fixed buffer: recording an error must work when memory is gone. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char message[1024];
static _Thread_local bool pending;

/* Messages quote names from files, which must not reach a terminal as commands: control characters become
 * spaces, also those of two bytes (U+0080 to U+009F), which some terminals obey. */
static void blank_controls(void)
{
    for (unsigned char *p = (unsigned char *)message; *p; p++) {
        if (*p < 32 || *p == 127)
            *p = ' ';
        else if (*p == 0xC2 && p[1] >= 0x80 && p[1] < 0xA0)
            p[0] = p[1] = ' ';
    }
}

int error_set(const char *fmt, ...)
{
    if (pending)
        return -1;
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    blank_controls();
    pending = true;
    return -1;
}

int error_within(const char *fmt, ...)
{
    char where[sizeof message], why[sizeof message];
    if (!pending)
        return -1;
    va_list args;
    va_start(args, fmt);
    vsnprintf(where, sizeof where, fmt, args);
    va_end(args);
    memcpy(why, message, sizeof why);
    pending = false;
    return error_set("%s: %s", where, why);
}

bool error_pending(void) { return pending; }

const char *error_text(void) { return pending ? message : ""; }

void error_clear(void) { pending = false; }
