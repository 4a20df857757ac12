/* The option parser: exact names first, then --name=value and -pvalue; whatever is left is an error that
 * names the argument and, for a near miss, the option that was probably meant.
 *
 * A value may begin with one dash (a negative number, "-" for stdin, a list item in a prompt) unless it is
 * itself an option; one that begins with two must be written --name=value, for `--model --prompt x` is far
 * more often a forgotten value. */
#include "cli/options.h"

#include "base/error.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* --- near misses --- */

enum { MAX_WORD = 40 };

size_t options_distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    if (n > MAX_WORD || m > MAX_WORD)
        return n > m ? n : m;
    size_t d[3][MAX_WORD + 1]; /* three rows of the edit matrix, used in turn */
    for (size_t j = 0; j <= m; j++)
        d[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *row = d[i % 3], *up = d[(i - 1) % 3], *up2 = d[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = up[j - 1] + (a[i - 1] != b[j - 1]);
            best = up[j] + 1 < best ? up[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && up2[j - 2] + 1 < best)
                best = up2[j - 2] + 1;
            row[j] = best;
        }
    }
    return d[n % 3][m];
}

int options_near(const char *a, const char *b)
{
    size_t n = strlen(a);
    return options_distance(a, b) <= (n < 5 ? 1 : n < 9 ? 2 : 3);
}

/* --- values --- */

static bool is_number(const char *s)
{
    char *end;
    strtod(s, &end);
    return *s && !isspace((unsigned char)*s) && *end == 0;
}

static int bad_value(const option *o, const char *value, const char *wanted)
{
    return error_set("%s: \"%s\" is not %s", o->name, value, wanted);
}

static int check_range(const option *o, const char *value, double x)
{
    if (o->min == 0 && o->max == 0)
        return 0;
    if (x >= o->min && x <= o->max)
        return 0;
    if (o->max >= INT_MAX)
        return error_set("%s: %s is too small: give at least %g", o->name, value, o->min);
    return error_set("%s: %s is not between %g and %g", o->name, value, o->min, o->max);
}

static int set_int(const option *o, int *at, const char *value)
{
    char *end;
    errno = 0;
    long x = strtol(value, &end, 10);
    if (!*value || isspace((unsigned char)*value) || *end)
        return bad_value(o, value, "a whole number");
    if (errno || x > INT_MAX || x < INT_MIN)
        return bad_value(o, value, "a number that fits 32 bits");
    *at = (int)x;
    return check_range(o, value, (double)x);
}

static int set_seed(const option *o, option_seed *at, const char *value)
{
    char *end;
    errno = 0;
    at->value = strtoull(value, &end, 10);
    at->given = true;
    if (!isdigit((unsigned char)*value) || *end || errno)
        return bad_value(o, value, "a whole number from 0 to 2^64-1");
    return 0;
}

static int set_real(const option *o, float *at, const char *value)
{
    if (!is_number(value))
        return bad_value(o, value, "a number");
    double x = strtod(value, NULL);
    *at = (float)x;
    if (!isfinite(*at))
        return bad_value(o, value, "a finite 32-bit float");
    return check_range(o, value, x);
}

static int set_bool(const option *o, bool *at, const char *value)
{
    static const char *const words[] = {"false", "true", "f", "t", "no",  "yes",
                                        "n",     "y",    "0", "1", "off", "on"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(value, words[i]) == 0) {
            *at = i & 1;
            return 0;
        }
    return bad_value(o, value, "true or false");
}

static int set_choice(const option *o, int *at, const char *value)
{
    size_t n = strlen(value);
    int index = 0;
    for (const char *word = o->text; word; index++) {
        const char *bar = strchr(word, '|');
        size_t len = bar ? (size_t)(bar - word) : strlen(word);
        if (len == n && memcmp(word, value, n) == 0) {
            *at = index;
            return 0;
        }
        word = bar ? bar + 1 : NULL;
    }
    return error_set("%s: \"%s\" is not one of %s", o->name, value, o->text);
}

static int set_value(const option *o, void *values, const char *value)
{
    void *at = (char *)values + o->offset;
    switch (o->kind) {
    case OPTION_BOOL:
        return set_bool(o, at, value);
    case OPTION_INT:
        return set_int(o, at, value);
    case OPTION_SEED:
        return set_seed(o, at, value);
    case OPTION_REAL:
        return set_real(o, at, value);
    case OPTION_TEXT:
        *(const char **)at = value;
        return 0;
    case OPTION_CHOICE:
        return set_choice(o, at, value);
    case OPTION_SWITCH:
    case OPTION_LIST:
    case OPTION_REFUSED:
        break;
    }
    return error_set("%s takes no value", o->name);
}

/* --- arguments --- */

typedef struct found {
    const option *o;
    void *values;
    const char *value; /* attached: after = or after a short name */
} found;

/* Does arg name o, wholly or with a value attached? */
static bool names(const option *o, const char *arg, const char **value)
{
    const char *both[2] = {o->name, o->alias};
    *value = NULL;
    for (int i = 0; i < 2; i++) {
        size_t n = both[i] ? strlen(both[i]) : 0;
        if (!n || strncmp(arg, both[i], n) != 0)
            continue;
        if (arg[n] == 0)
            return true;
        bool is_short = both[i][1] != '-';
        if (arg[n] == '=' || (is_short && n == 2 && o->kind != OPTION_SWITCH && o->kind != OPTION_REFUSED)) {
            *value = arg + n + (arg[n] == '=');
            return true;
        }
    }
    return false;
}

/* The option that arg names. Exact names win over attached values: -qa is not -q with the value "a". */
static bool find(const option_spec *spec, const char *arg, found *f)
{
    bool any = false;
    for (size_t g = 0; g < spec->n_groups; g++)
        for (size_t i = 0; i < spec->groups[g].n; i++) {
            const option *o = &spec->groups[g].rows[i];
            const char *value;
            if (!names(o, arg, &value) || (any && value))
                continue;
            *f = (found){o, spec->groups[g].values, value};
            if (!value)
                return true;
            any = true;
        }
    return any;
}

static int unknown(const option_spec *spec, const char *arg)
{
    if (arg[0] != '-')
        return error_set("unexpected argument \"%s\" (see: %s --help)", arg, spec->command);
    char name[MAX_WORD + 1];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(arg, "="), arg);
    const char *best = NULL;
    for (size_t g = 0; g < spec->n_groups; g++)
        for (size_t i = 0; i < spec->groups[g].n; i++) {
            const char *other = spec->groups[g].rows[i].name;
            if (options_near(name, other) &&
                (!best || options_distance(name, other) < options_distance(name, best)))
                best = other;
        }
    if (best)
        return error_set("unknown option %s: did you mean %s?", name, best);
    return error_set("unknown option %s (see: %s --help)", name, spec->command);
}

/* May the argument after an option be its value? */
static bool is_value(const option_spec *spec, const char *arg)
{
    found f;
    if (arg[0] != '-' || arg[1] == 0 || is_number(arg))
        return true;
    return arg[1] != '-' && !(find(spec, arg, &f) && !f.value);
}

static int take_list(const option_spec *spec, const found *f, int argc, char **argv, int *i)
{
    option_list *list = (option_list *)(void *)((char *)f->values + f->o->offset);
    if (f->value) {
        list->single = argv[*i] + (f->value - argv[*i]);
        list->items = &list->single;
        list->n = 1;
        return 0;
    }
    list->items = argv + *i + 1;
    for (list->n = 0; *i + 1 < argc && is_value(spec, argv[*i + 1]); list->n++)
        ++*i;
    return list->n ? 0 : error_set("%s needs at least one value", f->o->name);
}

static int take(const option_spec *spec, int argc, char **argv, int *i)
{
    found f;
    if (!find(spec, argv[*i], &f))
        return unknown(spec, argv[*i]);
    if (f.o->kind == OPTION_REFUSED)
        return error_set("%s is not supported: %s", f.o->name, f.o->text);
    if (f.o->kind == OPTION_LIST)
        return take_list(spec, &f, argc, argv, i);
    if (f.o->kind == OPTION_SWITCH && !f.value) {
        *(bool *)((char *)f.values + f.o->offset) = true;
        return 0;
    }
    if (f.value || f.o->kind == OPTION_SWITCH)
        return set_value(f.o, f.values, f.value);
    if (*i + 1 >= argc)
        return error_set("%s needs a value", f.o->name);
    if (!is_value(spec, argv[*i + 1]))
        return error_set("%s needs a value (write %s=VALUE if it begins with a dash)", f.o->name, f.o->name);
    return set_value(f.o, f.values, argv[++*i]);
}

static int set_defaults(const option_spec *spec)
{
    for (size_t g = 0; g < spec->n_groups; g++)
        for (size_t i = 0; i < spec->groups[g].n; i++) {
            const option *o = &spec->groups[g].rows[i];
            if (o->normal && set_value(o, spec->groups[g].values, o->normal))
                return -1;
        }
    return 0;
}

/* --- help --- */

enum { HELP_COLUMN = 36, HELP_WIDTH = 100 };

/* Prints text from column `at`, broken at spaces; further lines begin at column `next`. */
static void print_wrapped(const char *text, int at, int next)
{
    while (*text) {
        int room = HELP_WIDTH - at, n = (int)strlen(text);
        if (n > room) {
            for (n = room; n > 0 && text[n] != ' '; n--)
                ;
            n = n ? n : room;
        }
        printf("%.*s\n", n, text);
        text += n;
        while (*text == ' ')
            text++;
        at = next;
        if (*text)
            printf("%*s", next, "");
    }
}

static void print_option(const option *o)
{
    const char *value = o->kind == OPTION_CHOICE && !o->value ? o->text : o->value;
    char left[160], right[600];
    snprintf(left, sizeof left, "  %s%s%s%s%s%s", o->alias ? o->alias : "", o->alias ? ", " : "", o->name,
             value ? " " : "", value ? value : "", o->kind == OPTION_LIST ? " ..." : "");
    snprintf(right, sizeof right, "%s%s%s%s", o->help, o->normal ? " (default: " : "",
             o->normal ? o->normal : "", o->normal ? ")" : "");
    printf("%s", left);
    if ((int)strlen(left) + 2 > HELP_COLUMN)
        printf("\n%*s", HELP_COLUMN, "");
    else
        printf("%*s", HELP_COLUMN - (int)strlen(left), "");
    print_wrapped(right, HELP_COLUMN, HELP_COLUMN);
}

/* The names of what is refused, so that nobody searches for it. */
static void print_refused(const option_spec *spec)
{
    char text[1000] = "";
    size_t n = 0;
    for (size_t g = 0; g < spec->n_groups; g++)
        for (size_t i = 0; i < spec->groups[g].n; i++)
            if (spec->groups[g].rows[i].kind == OPTION_REFUSED && n < sizeof text)
                n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", n ? ", " : "",
                                      spec->groups[g].rows[i].name);
    if (!n)
        return;
    printf("\nNot supported (each says why when it is used):\n  ");
    print_wrapped(text, 2, 2);
}

static void print_help(const option_spec *spec)
{
    printf("%s: %s\n\nUsage: %s [options]\n", spec->command, spec->summary, spec->command);
    for (size_t g = 0; g < spec->n_groups; g++) {
        const option_group *group = &spec->groups[g];
        bool titled = false;
        for (size_t i = 0; i < group->n; i++) {
            if (group->rows[i].kind == OPTION_REFUSED)
                continue;
            if (!titled)
                printf("\n%s:\n", group->title);
            titled = true;
            print_option(&group->rows[i]);
        }
    }
    print_refused(spec);
    printf("\nExamples:\n%s", spec->examples);
}

option_result options_parse(const option_spec *spec, int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help(spec);
            return OPTIONS_HELP;
        }
    if (set_defaults(spec))
        return OPTIONS_ERROR;
    for (int i = 0; i < argc; i++)
        if (take(spec, argc, argv, &i))
            return OPTIONS_ERROR;
    return OPTIONS_RUN;
}
