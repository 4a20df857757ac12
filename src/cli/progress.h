/* A progress bar on stderr: on a terminal a line that is redrawn and wiped at the end; elsewhere a plain line
 * now and then. Nothing is shown for work that takes less than a second. */
#ifndef MICA_CLI_PROGRESS_H
#define MICA_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

typedef enum progress_unit { PROGRESS_COUNT, PROGRESS_BYTES } progress_unit;

typedef struct progress {
    const char *label; /* borrowed */
    progress_unit unit;
    double start, last; /* seconds; of the last drawing */
    bool terminal, drawn;
} progress;

void progress_start(progress *p, const char *label, progress_unit unit);
/* total may be 0: not known. Cheap to call often. */
void progress_update(progress *p, size_t done, size_t total);
/* Wipes the bar. May be called more than once. */
void progress_end(progress *p);

/* The text of a bar, for tests: at most `width` columns, NUL-terminated. seconds: since the start. */
void progress_format(const progress *p, size_t done, size_t total, double seconds, int width, char *out,
                     size_t size);

#endif
