/* Reading of the small parts of tokenizer.json: objects with a "type", or Sequences of such. For the load_*.c
 * files only; everything belongs to the thread that loads. */
#ifndef MICA_TEXT_LOAD_STEPS_H
#define MICA_TEXT_LOAD_STEPS_H

#include "text/tokenizer_parts.h"

/* Reads one object into t. 0 or -1. */
typedef int read_step(tokenizer *t, jr *r, int option);

/* One supported type: how to read it. */
typedef struct step_type {
    const char *name;
    read_step *read;
    int option;
} step_type;

/* A part of the file: its types, and what its Sequence calls its members. */
typedef struct part_type {
    const char *name, *members;
    const step_type *types;
} part_type;

/* Reads the object at r, or the members of its Sequence; r moves behind it. A type that the part does not
 * have is an error with its name. 0 or -1. */
int load_part(tokenizer *t, jr *r, const part_type *part);

/* Fields of the object at r. The strings are new memory; NULL or -1 with an error. */
char *load_string(jr *r, const char *key, size_t *n);
/* `otherwise` when it is absent or null. */
int load_bool(jr *r, const char *key, bool otherwise, bool *out);
/* From 0 to most. */
int load_int(jr *r, const char *key, int64_t most, int64_t *out);
/* A string of one character, which goes to *c. */
char *load_char(jr *r, const char *key, size_t *n, uint32_t *c);
/* "pattern": {"String": s} into *text and *n, or {"Regex": s} into *compiled. */
int load_pattern(jr *r, char **text, size_t *n, pattern *compiled);
/* "prepend_scheme", or by the older "add_prefix_space". */
int load_prepend(jr *r, prepend_scheme *out);

#endif
