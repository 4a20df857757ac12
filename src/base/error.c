#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

static _Thread_local char message[1024];
static _Thread_local bool pending;

int error_set(const char *fmt, ...)
{
    if (pending)
        return -1;
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    for (char *p = message; *p; p++)
        if ((unsigned char)*p < 32 || *p == 127)
            *p = ' ';
    pending = true;
    return -1;
}

bool error_pending(void) { return pending; }

const char *error_text(void) { return pending ? message : ""; }

void error_clear(void) { pending = false; }
