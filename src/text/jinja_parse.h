/* Shared by the two halves of the template parser: statements and expressions. */
#ifndef MICA_TEXT_JINJA_PARSE_H
#define MICA_TEXT_JINJA_PARSE_H

#include "text/jinja_impl.h"

typedef struct parser {
    jctx *c;
    const jtoken *t; /* the current token; T_EOF is never passed */
    struct map *names;
    bool soft;            /* inside of an `if`: unknown filters and tests fail only when reached */
    const jnode *unknown; /* the first unknown filter or test outside of an `if` */
    int in_loop;          /* break and continue are allowed */
    int for_depth;        /* `loop` must not be set */
} parser;

typedef struct jlistbuf {
    jnode **v;
    size_t n, cap;
} jlistbuf;

/* How parse_tuple reads: with `a if b else c`, without, or names and literals only. */
typedef enum { TUPLE_COND, TUPLE_PLAIN, TUPLE_SIMPLE, TUPLE_PAREN } tuple_mode;

jnode *parse_node(parser *p, jnode_kind kind);
void parse_add(parser *p, jlistbuf *list, jnode *n);
/* The name as a value that is the same pointer for the same name. */
jval parse_intern(parser *p, const char *s, size_t n);
/* Reads a name token. */
jval parse_name(parser *p);
/* Is the current token this name (operator)? Skips it if so. Insists on it. */
bool parse_is(const parser *p, const char *name);
bool parse_skip(parser *p, const char *name);
bool parse_op(const parser *p, uint16_t op);
bool parse_skip_op(parser *p, uint16_t op);
void parse_want_op(parser *p, uint16_t op);
/* Fails at the current token. */
_Noreturn void parse_unexpected(parser *p, const char *wanted);

jnode *parse_expression(parser *p);
/* One expression, or a tuple if there are commas; `end` is a name that ends it besides the tag's end. */
jnode *parse_tuple(parser *p, tuple_mode mode, const char *end);
/* "|a|b(1)" applied to n; first: a name without '|' comes first. */
jnode *parse_filters(parser *p, jnode *n, bool first);

#endif
