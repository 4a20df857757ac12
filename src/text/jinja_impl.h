/* What the files of the template engine share: values, syntax tree, state of a run.
 *
 *   text --jinja_lex--> tokens --jinja_parse--> tree --jinja_eval--> text
 *
 * Memory: everything lives in arenas. The tree and its constants belong to the template; every value that is
 * made while rendering belongs to the run and dies with it. Nothing here is freed one by one.
 *
 * Errors: j_fail records the message and jumps back to jinja_compile or jinja_render, which free the arena.
 * So no function below returns a failure: what comes back is always a valid value. */
#ifndef MICA_TEXT_JINJA_IMPL_H
#define MICA_TEXT_JINJA_IMPL_H

#include "base/arena.h"
#include "base/strbuf.h"
#include "text/jinja.h"

#include <setjmp.h>
#include <stdbool.h>

/* --- values --- */

typedef struct jctx jctx;
typedef struct jiter jiter;

typedef enum {
    J_MISSING, /* no value: an argument that was not given, the end of an iterator; never seen by a template
                */
    J_UNDEF,
    J_NONE,
    J_BOOL,
    J_INT,
    J_FLOAT,
    J_STR,
    J_LIST,
    J_TUPLE,
    J_DICT,
    J_VIEW,  /* d.keys(), d.values(), d.items() */
    J_RANGE, /* range(...) */
    J_ITER,  /* a generator: can be walked once */
    J_NAMESPACE,
    J_FUNC, /* a built-in function, or a method bound to its object */
    J_MACRO,
    J_LOOP,
    J_CYCLER,
    J_JOINER,
} jkind;

/* Text: immutable bytes of valid UTF-8, not NUL-terminated. */
typedef struct jstr {
    const char *p;
    size_t len;
    bool ascii;
    struct jchunk *chunk; /* room to grow behind the text, see j_concat; or NULL */
} jstr;

typedef struct jval {
    uint8_t kind; /* jkind */
    bool safe;    /* text marked by |safe or |escape: Python's Markup */
    union {
        bool b;
        int64_t i;
        double f;
        const jstr *s;
        const char *why; /* J_UNDEF: the message when it is used */
        struct jlist *list;
        struct jdict *dict;
        struct jview *view;
        struct jrange *range;
        struct jiter *iter;
        struct jfunc *func;
        struct jmacro *macro;
        struct jloop *loop;
        struct jcycler *cycler;
        struct jjoiner *joiner;
    };
} jval;

typedef struct jlist {
    jval *v;
    size_t n, cap;
    bool group; /* a tuple made by |groupby: has .grouper and .list */
} jlist;

typedef struct jpair {
    jval key, value;
    uint64_t hash;
} jpair;

/* Ordered as inserted. `index` (open addressing, 1-based, 0 = free) exists from 9 members on. */
typedef struct jdict {
    jpair *v;
    size_t n, cap;
    uint32_t *index;
    size_t index_cap;
} jdict;

typedef struct jview {
    jdict *dict;
    char what; /* 'k', 'v', 'i' */
} jview;

typedef struct jrange {
    int64_t start, stop, step, n;
} jrange;

/* next gives the next item, or J_MISSING at the end. The other members are the iterator's own. */
struct jiter {
    jval (*next)(jctx *c, jiter *it);
    jval from;
    jiter *inner;
    size_t i;
    void *data;
    const char *name; /* what Python calls it, for error messages and printing */
};

typedef struct jkeyword {
    const jstr *name;
    jval value;
} jkeyword;

/* The arguments of a call as they were written. */
typedef struct jargs {
    jval *v;
    size_t n;
    jkeyword *kw;
    size_t n_kw;
} jargs;

/* A filter, test, method or function. v[0] is what it is applied to (J_MISSING for functions); v[1..] are the
 * parameters that `params` names, J_MISSING where not given. Names are separated by blanks; '?' marks one
 * that may be left out, '.' before a name one that cannot be given by name. "*" alone: no check, the function
 * reads `a` itself. */
typedef jval jfn(jctx *c, const jval *v, const jargs *a);
typedef struct jrow {
    const char *name, *params;
    jfn *call;
} jrow;
enum { J_MAX_PARAMS = 8 };

typedef struct jfunc {
    const jrow *row;
    jval self;
} jfunc;

typedef struct jslot {
    const jstr *name; /* interned by the parser: equal names are the same pointer */
    jval value;
} jslot;

typedef struct jscope {
    struct jscope *parent;
    jslot *v;
    size_t n, cap;
} jscope;

typedef struct jmacro {
    const struct jnode *node;
    jscope *scope; /* where it was defined */
    const jstr *name;
    bool wants_caller, wants_varargs, wants_kwargs;
} jmacro;

typedef struct jloop {
    jval from;
    jiter *it;
    jval current, before, after; /* `after` is the item that was peeked at, or J_MISSING */
    int64_t index0, length;      /* length -1: not known yet */
    jval changed;                /* the last arguments of changed(), a tuple */
    int64_t depth0;
    const struct jnode *node;
    jscope *scope; /* around the loop, for recursive calls */
} jloop;

typedef struct jcycler {
    jlist *items;
    size_t pos;
} jcycler;

typedef struct jjoiner {
    jval sep;
    bool used;
} jjoiner;

/* --- syntax tree --- */

typedef enum {
    /* expressions */
    N_CONST,
    N_NAME,    /* value: its name */
    N_LIST,    /* kids */
    N_TUPLE,   /* kids */
    N_DICT,    /* kids: key, value, key, value ... */
    N_ATTR,    /* a.value */
    N_ITEM,    /* a[b] */
    N_SLICE,   /* a[b:c:d], d in kids[0] if there is one; b and c may be NULL */
    N_CALL,    /* a(kids, more, *b, **c) */
    N_FILTER,  /* a|row(kids, more, *b, **c); a NULL: the text of the block */
    N_TEST,    /* a is row(...) */
    N_NOT,     /* not a */
    N_NEG,     /* -a */
    N_POS,     /* +a */
    N_BINARY,  /* a op b */
    N_AND,     /* a and b */
    N_OR,      /* a or b */
    N_CONCAT,  /* kids joined by ~ */
    N_COMPARE, /* a, then kids: each an N_OPERAND */
    N_OPERAND, /* op, a */
    N_COND,    /* a if b else c; c may be NULL */
    N_KEYWORD, /* value=a */
    N_NSREF,   /* value.b as a target; b: an N_CONST with the attribute's name */
    /* statements */
    N_TEXT,        /* value */
    N_PRINT,       /* kids */
    N_SET,         /* a = b */
    N_CAPTURE,     /* a = text of kids through filters b (or NULL) */
    N_IF,          /* a, kids, more */
    N_FOR,         /* for a in b if c: kids, else: more; flag: recursive */
    N_WITH,        /* targets and values in more (target, value, ...), kids */
    N_MACRO,       /* value(params in more: N_PARAM), kids; flag: CALLS_* */
    N_PARAM,       /* value, default a or NULL */
    N_CALLBLOCK,   /* b: its N_MACRO, a: the N_CALL */
    N_FILTERBLOCK, /* kids through a */
    N_SCOPE,       /* kids in a scope of their own; flag: the scope is the template's (block) */
    N_GENERATION,  /* kids */
    N_BREAK,
    N_CONTINUE,
} jnode_kind;

enum { USES_CALLER = 1, USES_VARARGS = 2, USES_KWARGS = 4 };

/* Operators, for N_BINARY and N_OPERAND. */
typedef enum {
    OP_ADD,
    OP_SUB,
    OP_MUL,
    OP_DIV,
    OP_FLOORDIV,
    OP_MOD,
    OP_POW,
    OP_EQ,
    OP_NE,
    OP_LT,
    OP_LE,
    OP_GT,
    OP_GE,
    OP_IN,
    OP_NOT_IN
} jop;

typedef struct jbody {
    struct jnode **v;
    size_t n;
} jbody;

typedef struct jnode {
    uint8_t kind, op, flag;
    int line;
    struct jnode *a, *b, *c;
    jbody kids, more;
    jval value;
    const jrow *row; /* filter or test; NULL: unknown name, an error when it is reached */
} jnode;

struct jinja {
    arena mem;
    jbody body;
    const jstr *names[4]; /* interned: loop, caller, varargs, kwargs */
};

/* --- the state of a run (of the compiler or of the evaluator) --- */

struct jctx {
    jmp_buf fail;
    arena *mem;
    int line, depth;
    uint64_t steps, max_steps;
    size_t max_output;
    strbuf out; /* blocks that are captured start at a mark and are cut off again */
    jdict *vars;
    jscope *root;
    const jstr *loop_name, *caller_name, *varargs_name, *kwargs_name; /* interned by the parser */
    const char *now_iso;
};

enum { J_MAX_DEPTH = 800, J_MAX_RANGE = 100000 };

/* Records "[template] line N: ..." and leaves the run. */
_Noreturn void j_fail(jctx *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* n * size bytes of the run's arena. */
void *j_alloc(jctx *c, size_t n, size_t size);
/* A larger copy of p, which holds n elements, with room for at least one more: *cap is updated. */
void *j_grow(jctx *c, void *p, size_t n, size_t *cap, size_t size);
/* Counts work; fails when the run has done too much. */
void j_charge(jctx *c, size_t work);
/* Brackets one level of recursion. */
void j_enter(jctx *c);
void j_leave(jctx *c);

/* --- jinja_value.c: making --- */

jval j_undef(jctx *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
jval j_bool(bool b);
jval j_int(int64_t i);
jval j_float(double f);
jval j_none(void);
jval j_missing(void);
/* Was an argument given, and not as none? */
static inline bool j_given(jval v) { return v.kind != J_MISSING && v.kind != J_NONE; }
/* Text that borrows the bytes (which must be UTF-8 and outlive the run), that copies them, from a literal. */
jval j_borrow(jctx *c, const char *p, size_t n);
jval j_text(jctx *c, const char *p, size_t n);
jval j_lit(jctx *c, const char *s);
/* A part of s that shares its bytes. */
jval j_sub(jctx *c, jval s, size_t from, size_t to);
/* The text a + b; linear in the end when a text is built up piece by piece. */
jval j_concat(jctx *c, const jstr *a, const jstr *b);
jval j_mark(jval s, bool safe);

jval j_list(jctx *c, jkind kind, size_t cap);
void j_push(jctx *c, jval list, jval v);
jval j_pair(jctx *c, jval a, jval b);
jval j_dict(jctx *c);
/* Sets or replaces; the key must be hashable. */
void j_put(jctx *c, jdict *d, jval key, jval v);
/* NULL if absent. */
const jval *j_get(jctx *c, const jdict *d, jval key);
const jval *j_get_text(jctx *c, const jdict *d, const char *p, size_t n);
bool j_hashable(jctx *c, jval v);
jval j_from_json(jctx *c, const json_t *j);

/* Python's sorted(): stable: reorders v by the keys that go with it. */
void j_sort(jctx *c, jval *v, const jval *keys, size_t n, bool reverse);

/* --- jinja_compare.c: asking --- */

bool j_truth(jctx *c, jval v);
bool j_equal(jctx *c, jval a, jval b);
/* -1, 0, 1 (2: a NaN is involved); fails when the types have no order. */
int j_compare(jctx *c, jval a, jval b, const char *op);
bool j_contains(jctx *c, jval item, jval in);
/* Python's name of the type. */
const char *j_type(jval v);
/* Is it a number (bool counts)? As an integer, as a double. */
bool j_is_int(jval v);
bool j_is_number(jval v);
int64_t j_as_int(jval v);
double j_as_double(jval v);
/* Fails with a TypeError-like message unless v fits. `what` names the function. */
int64_t j_need_int(jctx *c, jval v, const char *what);
const jstr *j_need_str(jctx *c, jval v, const char *what);
/* Fails if v is undefined, saying why. */
void j_need_defined(jctx *c, jval v);

/* --- jinja_iter.c --- */

/* An iterator over v, or NULL if v cannot be iterated. */
jiter *j_iter_try(jctx *c, jval v);
/* The same, failing. */
jiter *j_iter(jctx *c, jval v);
jval j_next(jctx *c, jiter *it);
/* The items of v as a new list or tuple. */
jval j_collect(jctx *c, jval v, jkind kind);
/* Item i of a range. Its distance from the start may be more than 63 bits hold. */
static inline int64_t j_range_at(const jrange *r, int64_t i)
{
    return (int64_t)((uint64_t)r->start + (uint64_t)i * (uint64_t)r->step);
}
/* Number of items, or -1 if the type has none. */
int64_t j_length(jctx *c, jval v);
jval j_generator(jctx *c, const char *name, jval (*next)(jctx *, jiter *), jval from, void *data);
/* A loop variable over `from`; loop.* and its next step. */
jloop *j_loop_new(jctx *c, jval from, jiter *it);
jval j_loop_next(jctx *c, jloop *l);
jval j_loop_attr(jctx *c, jval loop, const jstr *name);
int64_t j_loop_length(jctx *c, jloop *l);

/* --- jinja_text.c: characters, Unicode --- */

size_t j_chars(jctx *c, const jstr *s);
/* Byte offset of the k-th character (k <= number of characters). */
size_t j_offset(jctx *c, const jstr *s, size_t k);
bool j_is_space(uint32_t ch);
bool j_is_printable(uint32_t ch);
bool j_is_word(uint32_t ch);
bool j_is_alnum(uint32_t ch);
/* The next character of s at *i (which advances). */
uint32_t j_char(const jstr *s, size_t *i);
jval j_upper(jctx *c, const jstr *s);
jval j_lower(jctx *c, const jstr *s);
jval j_title(jctx *c, const jstr *s);
jval j_capitalize(jctx *c, const jstr *s);
jval j_swapcase(jctx *c, const jstr *s);
jval j_casefold(jctx *c, const jstr *s);
/* str.isXxx by name. */
bool j_str_is(jctx *c, const char *name, const jstr *s);
/* s.strip(chars); chars NULL: white space. `sides`: 1 left, 2 right, 3 both. */
jval j_strip(jctx *c, jval s, const jstr *chars, int sides);
jval j_escape(jctx *c, jval v);
jval j_replace(jctx *c, const jstr *s, const jstr *old, const jstr *with, int64_t count);
/* First occurrence of `what` at or after byte `from`, or SIZE_MAX; last one that ends at or before `to`. */
size_t j_find(const jstr *s, const jstr *what, size_t from);
size_t j_rfind(jctx *c, const jstr *s, const jstr *what, size_t to);

/* --- jinja_repr.c: values as text --- */

/* Text that grows in the arena. */
typedef struct jbuf {
    jctx *c;
    char *p;
    size_t n, cap;
} jbuf;
void j_add(jbuf *b, const char *p, size_t n);
void j_adds(jbuf *b, const char *s);
void j_addc(jbuf *b, char ch);
void j_addf(jbuf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void j_add_char(jbuf *b, uint32_t ch);
jval j_done(jbuf *b);
/* str(v), repr(v), repr of a float. */
const jstr *j_str(jctx *c, jval v);
void j_repr(jbuf *b, jval v);
void j_repr_float(jbuf *b, double f);

typedef struct jjson {
    bool ascii, sort;
    bool pretty;
    const char *indent; /* one level */
    size_t n_indent;
    const jstr *item_sep, *key_sep;
} jjson;
void j_json(jbuf *b, jval v, const jjson *how, int level);

/* --- jinja_number.c --- */

/* int(s, base), float(s): false if s is no number. */
bool j_parse_int(jctx *c, const jstr *s, int base, int64_t *out);
bool j_parse_float(const jstr *s, double *out);
/* Truncates; fails for NaN, infinities and what does not fit. */
int64_t j_float_to_int(jctx *c, double f);
jval j_round(jctx *c, jval v, int64_t digits);
jval j_pow(jctx *c, jval a, jval b);
bool j_arith(jctx *c, jop op, jval a, jval b, jval *out);
int64_t j_overflow(jctx *c);

/* --- jinja_ops.c --- */

jval j_binary(jctx *c, jop op, jval a, jval b);
bool j_relation(jctx *c, jop op, jval a, jval b);
jval j_attr(jctx *c, jval v, const jstr *name);
/* True with *out if v has such an attribute (not a member). */
bool j_attr_real(jctx *c, jval v, const jstr *name, jval *out);
jval j_item(jctx *c, jval v, jval key);
jval j_slice(jctx *c, jval v, jval from, jval to, jval step);

/* --- jinja_percent.c, jinja_strformat.c --- */

jval j_percent(jctx *c, jval format, jval args);
jval j_str_format(jctx *c, jval format, const jargs *a);

/* --- calls and tables --- */

/* Binds `a` to the row's parameters and calls it. */
jval j_apply(jctx *c, const jrow *row, jval self, const jargs *a);
jval j_call(jctx *c, jval f, const jargs *a);
jval j_call_loop(jctx *c, jloop *l, jval items);
const jrow *j_find_row(const jrow *rows, const char *p, size_t n);
/* Fails: the node's filter or test does not exist. */
_Noreturn void j_unknown(jctx *c, const jnode *n);
const jrow *j_filter(const char *p, size_t n);
const jrow *j_test(const char *p, size_t n);
extern const jrow j_filters_text[], j_filters_seq[], j_filters_pick[], j_tests[], j_globals[];
extern const jrow j_str_methods[], j_list_methods[], j_tuple_methods[], j_dict_methods[], j_loop_methods[],
    j_number_methods[], j_cycler_methods[];

/* --- compiling --- */

typedef enum {
    T_EOF,
    T_TEXT,
    T_BLOCK_BEGIN,
    T_BLOCK_END,
    T_PRINT_BEGIN,
    T_PRINT_END,
    T_NAME,
    T_STRING,
    T_INT,
    T_FLOAT,
    T_OP, /* op: its characters, first one in the low byte */
} jtoken_kind;

#define OP1(a)    ((uint16_t)(a))
#define OP2(a, b) ((uint16_t)((a) | (b) << 8))

typedef struct jtoken {
    uint8_t kind;
    uint16_t op;
    int line;
    const char *p; /* the characters, for names and messages */
    size_t n;
    jval value; /* of a literal or text */
} jtoken;

/* Splits the source; ends with T_EOF. */
jtoken *j_lex(jctx *c, const char *text, size_t n);
/* Parses tokens to a body. `map` interns names; the caller frees it. */
struct map;
jbody j_parse(jctx *c, const jtoken *tokens, struct map *names);
/* Evaluates the template's body into c->out. */
void j_run(jctx *c, const jbody *body);

#endif
