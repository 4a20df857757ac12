/* Nodes from outside: a primitive's parameters and inputs against its row of import.def, so that neither its
 * shape rule nor its evaluation meets what no operation would have made. */
#include "base/error.h"
#include "transforms/import.h"

#include <string.h>

typedef struct row {
    const char *inputs, *params;
    import_relation relation; /* NULL: none */
} row;

#define import_any NULL
static const row rows[PRIM_COUNT] = {
#define NODE(name, words, letters, relation) [PRIM_##name] = {words, letters, import_##relation},
#include "transforms/import.def"
#undef NODE
};
#undef import_any

/* --- inputs --- */

#define BIT(dtype) (1u << MLX_##dtype)
enum {
    INTEGERS = BIT(UINT8) | BIT(UINT16) | BIT(UINT32) | BIT(UINT64) | BIT(INT8) | BIT(INT16) | BIT(INT32) |
               BIT(INT64),
    HALVES = BIT(FLOAT16) | BIT(BFLOAT16),
    ALL = (1u << MX_DTYPES) - 1,
};

/* The dtypes of a letter; those of '=' and '-' are other inputs'. */
static unsigned dtypes_of(char letter, node *const *in, size_t i)
{
    switch (letter) {
    case 'b':
        return BIT(BOOL);
    case 'i':
        return INTEGERS;
    case 'c':
        return BIT(UINT8);
    case 'u':
        return BIT(UINT32);
    case 'n':
        return BIT(INT32);
    case 'l':
        return BIT(INT64);
    case 'F':
        return BIT(FLOAT32);
    case 'f':
        return HALVES | BIT(FLOAT32);
    case 'g':
        return HALVES | BIT(FLOAT32) | BIT(FLOAT64);
    case 'm':
        return HALVES | BIT(FLOAT32) | BIT(FLOAT64) | BIT(COMPLEX64);
    case 'd':
        return BIT(FLOAT32) | BIT(FLOAT64);
    case 'z':
        return BIT(FLOAT32) | BIT(FLOAT64) | BIT(COMPLEX64);
    case '=':
        return 1u << in[0]->dtype;
    case '-':
        return 1u << in[i - 1]->dtype;
    default:
        return ALL;
    }
}

/* A word of inputs: "f2+*". */
typedef struct word {
    char letter;
    int ndim;
    bool more, many; /* dimensions; inputs */
} word;

static const char *read_word(const char *p, word *w)
{
    *w = (word){.letter = *p++, .more = true};
    if (*p >= '0' && *p <= '9')
        *w = (word){.letter = w->letter, .ndim = *p++ - '0'};
    if (*p == '+')
        w->more = *p++;
    if (*p == '*')
        w->many = *p++;
    return *p == ' ' ? p + 1 : p;
}

static bool fits_word(const word *w, node *const *in, size_t i)
{
    const node *x = in[i];
    return !x->outputs == (w->letter != 'r') && dtypes_of(w->letter, in, i) >> x->dtype & 1 &&
           (w->more ? x->ndim >= w->ndim : x->ndim == w->ndim);
}

static bool fits_inputs(const char *pattern, node *const *in, size_t n)
{
    size_t words = *pattern != 0, i = 0;
    for (const char *p = pattern; *p; p++)
        words += *p == ' ';
    while (*pattern) {
        word w;
        pattern = read_word(pattern, &w);
        words--;
        for (size_t end = w.many ? (n < words ? 0 : n - words) : i + 1; i < end; i++)
            if (i >= n || !fits_word(&w, in, i))
                return false;
    }
    return i == n;
}

/* --- parameters --- */

/* Is v what the letter says? `most` is the number after a k. */
static bool fits_letter(char letter, int32_t v, int most, const node *x)
{
    switch (letter) {
    case 'x':
        return v >= 0 && v < x->ndim;
    case 'X':
        return x->ndim == 32 || (uint32_t)v >> x->ndim == 0;
    case '?':
        return v == 0 || v == 1;
    case 't':
        return v >= 0 && v < MX_DTYPES;
    case 'n':
        return v >= 0;
    case 'p':
        return v > 0;
    case 'k':
        return v >= 0 && v <= most;
    default:
        return true;
    }
}

static bool fits_params(const char *pattern, const char *params, size_t size, const node *x)
{
    for (const char *p = pattern; *p; p++) {
        size_t width = *p == 'D' ? sizeof(double) : sizeof(int32_t);
        int32_t v;
        char letter = *p;
        if (letter == '*')
            return true;
        if (size < width)
            return false;
        memcpy(&v, params, sizeof v);
        if (!fits_letter(letter, v, letter == 'k' ? *++p - '0' : 0, x))
            return false;
        params += width;
        size -= width;
    }
    return size == 0;
}

bool import_knows(int prim) { return rows[prim].inputs != NULL; }

bool import_check(int prim, const void *params, size_t size, node *const *in, size_t n)
{
    const row *r = &rows[prim];
    const char *name = prim_table[prim].name;
    if (!r->inputs)
        error_set("[graph] %s cannot be exported or imported", name);
    else if (!fits_inputs(r->inputs, in, n) || !fits_params(r->params, params, size, n ? in[0] : NULL) ||
             (r->relation && !r->relation(params, size, in, n)))
        error_set("[graph] the parameters of %s do not fit its inputs", name);
    else
        return true;
    return false;
}
