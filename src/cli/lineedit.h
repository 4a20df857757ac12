/* Lines typed by a person: with editing and history (libedit) when stdin is a terminal, plain reads
 * otherwise, so that scripts can pipe a conversation in. */
#ifndef MICA_CLI_LINEEDIT_H
#define MICA_CLI_LINEEDIT_H

#include "base/strbuf.h"

#include <stdbool.h>

typedef struct lineedit lineedit;

typedef enum line_result {
    LINE_ERROR = -1, /* the thread's error is set */
    LINE_TEXT,
    LINE_END,         /* end of input, Ctrl-D */
    LINE_INTERRUPTED, /* Ctrl-C: needs cli_interrupt_catch */
} line_result;

/* NULL with an error. One at a time. */
lineedit *lineedit_new(void);
/* Restores the terminal. */
void lineedit_free(lineedit *e);
/* Is a person typing? Then prompts are shown. */
bool lineedit_interactive(const lineedit *e);
/* Reads a line into `line` (cleared first), without its newline. */
line_result lineedit_read(lineedit *e, const char *prompt, strbuf *line);
/* Puts a text where the up arrow finds it. */
void lineedit_remember(lineedit *e, const char *text);

#endif
