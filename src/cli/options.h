/* Command-line options from tables: one row an option, one table a group, so that parsing, --help and the
 * error texts cannot disagree.
 *
 * A row names where its value goes (an offset into the group's value struct), its default as the user would
 * write it, and its limits. Texts and lists point into argv. Options that mlx-lm has and mica does not have
 * yet are rows too: they are refused by name with a reason. */
#ifndef MICA_CLI_OPTIONS_H
#define MICA_CLI_OPTIONS_H

#include <stddef.h>

/* The type that stands at the row's offset. */
typedef enum option_kind {
    OPTION_SWITCH,  /* bool: true when given */
    OPTION_BOOL,    /* bool: true, t, yes, 1 / false, f, no, 0 in any case */
    OPTION_INT,     /* int */
    OPTION_SEED,    /* option_seed: any unsigned 64-bit number */
    OPTION_REAL,    /* float */
    OPTION_TEXT,    /* const char * */
    OPTION_CHOICE,  /* int: index in the words of `text`, which are separated by | */
    OPTION_LIST,    /* option_list: one or more arguments */
    OPTION_REFUSED, /* no value: an error with `text` as the reason */
} option_kind;

typedef struct option_seed {
    unsigned long long value;
    _Bool given;
} option_seed;

typedef struct option_list {
    char **items; /* in argv, or &single */
    size_t n;
    char *single; /* of --flag=value */
} option_list;

typedef struct option {
    const char *name;  /* "--max-tokens" */
    const char *alias; /* "-m", another long name, or NULL */
    option_kind kind;
    size_t offset;
    const char *value;  /* the value's name in --help: "N" */
    const char *normal; /* default, parsed like an argument; NULL: all bits zero */
    const char *text;   /* choices, or the reason of a refusal */
    double min, max;    /* for numbers; unlimited if both are 0 */
    const char *help;
} option;

typedef struct option_group {
    const char *title;
    const option *rows;
    size_t n;
    void *values;
} option_group;
#define OPTION_GROUP(title, rows, values)                  \
    {                                                      \
        title, rows, sizeof(rows) / sizeof *(rows), values \
    }

typedef struct option_spec {
    const char *command; /* "mica generate" */
    const char *summary; /* what it does, one or two sentences */
    const char *examples;
    const option_group *groups;
    size_t n_groups;
} option_spec;

typedef enum option_result {
    OPTIONS_ERROR = -1, /* the thread's error tells why */
    OPTIONS_RUN,
    OPTIONS_HELP, /* --help was given and has been printed to stdout */
} option_result;

/* Sets every default, then parses the arguments (the command's name not among them). */
option_result options_parse(const option_spec *spec, int argc, char **argv);

/* Edits (insert, delete, replace, swap neighbours) that turn a into b: for "did you mean". */
size_t options_distance(const char *a, const char *b);
/* Is b near enough to a typed a to be worth suggesting? */
int options_near(const char *a, const char *b);

#endif
