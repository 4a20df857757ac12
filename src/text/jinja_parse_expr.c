/* The parser of expressions, by precedence from low to high:
 *
 *   a if b else c | or | and | not | comparisons, in | + - | ~ | * / // % | ** | unary - + | . [] () |
 * filters, is
 *
 * As in jinja2, `**` binds to the left and weaker than a sign, and a filter behind a signed number applies to
 * the signed number. */
#include "text/jinja_parse.h"

#include <string.h>

static jnode *primary(parser *p);
static jnode *unary(parser *p, bool filters);

static jnode *node_at(parser *p, jnode_kind kind, jnode *a)
{
    jnode *n = parse_node(p, kind);
    n->line = a->line;
    n->a = a;
    return n;
}

/* --- binary operators: one table row a level --- */

typedef struct oprow {
    uint16_t token;
    uint8_t op;
} oprow;

static jnode *concat(parser *p);
static jnode *power(parser *p);

static jnode *left_assoc(parser *p, const oprow *rows, size_t n_rows, jnode *(*next)(parser *p))
{
    jnode *left = next(p);
    for (size_t i = 0; i < n_rows;) {
        if (!parse_skip_op(p, rows[i].token)) {
            i++;
            continue;
        }
        left = node_at(p, N_BINARY, left);
        left->op = rows[i].op;
        left->b = next(p);
        i = 0;
    }
    return left;
}

static jnode *signed_power(parser *p) { return unary(p, true); }

static jnode *power(parser *p)
{
    static const oprow rows[] = {{OP2('*', '*'), OP_POW}};
    return left_assoc(p, rows, 1, signed_power);
}

static jnode *product(parser *p)
{
    static const oprow rows[] = {{'*', OP_MUL}, {'/', OP_DIV}, {OP2('/', '/'), OP_FLOORDIV}, {'%', OP_MOD}};
    return left_assoc(p, rows, 4, power);
}

static jnode *concat(parser *p)
{
    jnode *first = product(p);
    if (!parse_op(p, '~'))
        return first;
    jlistbuf list = {0};
    parse_add(p, &list, first);
    while (parse_skip_op(p, '~'))
        parse_add(p, &list, product(p));
    jnode *n = parse_node(p, N_CONCAT);
    n->kids = (jbody){list.v, list.n};
    return n;
}

static jnode *sum(parser *p)
{
    static const oprow rows[] = {{'+', OP_ADD}, {'-', OP_SUB}};
    return left_assoc(p, rows, 2, concat);
}

/* Skips a comparison operator: its jop, or -1. */
static int relation(parser *p)
{
    static const oprow rows[] = {{OP2('=', '='), OP_EQ}, {OP2('!', '='), OP_NE}, {'<', OP_LT},
                                 {OP2('<', '='), OP_LE}, {'>', OP_GT},           {OP2('>', '='), OP_GE}};
    for (size_t i = 0; i < 6; i++)
        if (parse_skip_op(p, rows[i].token))
            return rows[i].op;
    if (parse_skip(p, "in"))
        return OP_IN;
    if (parse_is(p, "not") && p->t[1].kind == T_NAME && p->t[1].n == 2 && memcmp(p->t[1].p, "in", 2) == 0) {
        p->t += 2;
        return OP_NOT_IN;
    }
    return -1;
}

static jnode *compare(parser *p)
{
    jnode *first = sum(p);
    jlistbuf list = {0};
    for (int op; (op = relation(p)) >= 0;) {
        jnode *n = parse_node(p, N_OPERAND);
        n->op = (uint8_t)op;
        n->a = sum(p);
        parse_add(p, &list, n);
    }
    if (!list.n)
        return first;
    jnode *n = node_at(p, N_COMPARE, first);
    n->kids = (jbody){list.v, list.n};
    return n;
}

static jnode *not_expr(parser *p)
{
    if (!parse_is(p, "not"))
        return compare(p);
    jnode *n = parse_node(p, N_NOT);
    p->t++;
    j_enter(p->c);
    n->a = not_expr(p);
    j_leave(p->c);
    return n;
}

static jnode *and_expr(parser *p)
{
    jnode *left = not_expr(p);
    while (parse_skip(p, "and")) {
        left = node_at(p, N_AND, left);
        left->b = not_expr(p);
    }
    return left;
}

static jnode *or_expr(parser *p)
{
    j_enter(p->c);
    jnode *left = and_expr(p);
    while (parse_skip(p, "or")) {
        left = node_at(p, N_OR, left);
        left->b = and_expr(p);
    }
    j_leave(p->c);
    return left;
}

jnode *parse_expression(parser *p)
{
    j_enter(p->c);
    p->c->line = p->t->line;
    const jnode *unknown = p->unknown;
    jnode *e = or_expr(p);
    if (parse_is(p, "if")) /* a branch: what is unknown in it is an error only when it is reached */
        p->unknown = unknown;
    bool soft = p->soft;
    p->soft = true;
    while (parse_skip(p, "if")) {
        jnode *n = node_at(p, N_COND, e);
        n->b = n->a;
        n->a = or_expr(p);
        if (parse_skip(p, "else"))
            n->c = parse_expression(p);
        e = n;
    }
    p->soft = soft;
    j_leave(p->c);
    return e;
}

/* --- tuples and literals --- */

static bool tuple_ends(const parser *p, const char *end)
{
    return p->t->kind == T_PRINT_END || p->t->kind == T_BLOCK_END || parse_op(p, ')') ||
           (end && parse_is(p, end));
}

static jnode *tuple_item(parser *p, tuple_mode mode)
{
    return mode == TUPLE_SIMPLE ? primary(p) : mode == TUPLE_PLAIN ? or_expr(p) : parse_expression(p);
}

jnode *parse_tuple(parser *p, tuple_mode mode, const char *end)
{
    jlistbuf list = {0};
    bool is_tuple = false;
    jnode *n = parse_node(p, N_TUPLE);
    for (;;) {
        if (list.n)
            parse_want_op(p, ',');
        if (tuple_ends(p, end))
            break;
        parse_add(p, &list, tuple_item(p, mode));
        if (!parse_op(p, ','))
            break;
        is_tuple = true;
    }
    if (!is_tuple && list.n)
        return list.v[0];
    if (!is_tuple && mode != TUPLE_PAREN)
        parse_unexpected(p, "an expression");
    n->kids = (jbody){list.v, list.n};
    return n;
}

static jnode *sequence(parser *p, jnode_kind kind, uint16_t close)
{
    jnode *n = parse_node(p, kind);
    jlistbuf list = {0};
    p->t++;
    while (!parse_op(p, close)) {
        if (list.n)
            parse_want_op(p, ',');
        if (parse_op(p, close))
            break;
        parse_add(p, &list, parse_expression(p));
        if (kind == N_DICT) {
            parse_want_op(p, ':');
            parse_add(p, &list, parse_expression(p));
        }
    }
    p->t++;
    n->kids = (jbody){list.v, list.n};
    return n;
}

static jnode *strings(parser *p)
{
    jnode *n = parse_node(p, N_CONST);
    n->value = p->t++->value;
    while (p->t->kind == T_STRING)
        n->value = j_concat(p->c, n->value.s, p->t++->value.s);
    return n;
}

static jnode *name_or_constant(parser *p)
{
    static const struct {
        const char *name;
        int value;
    } constants[] = {{"true", 1}, {"false", 0}, {"none", -1}, {"True", 1}, {"False", 0}, {"None", -1}};
    for (size_t i = 0; i < 6; i++)
        if (parse_is(p, constants[i].name)) {
            jnode *n = parse_node(p, N_CONST);
            n->value = constants[i].value < 0 ? j_none() : j_bool(constants[i].value);
            p->t++;
            return n;
        }
    jnode *n = parse_node(p, N_NAME);
    n->value = parse_name(p);
    return n;
}

static jnode *primary(parser *p)
{
    if (p->t->kind == T_NAME)
        return name_or_constant(p);
    if (p->t->kind == T_STRING)
        return strings(p);
    if (p->t->kind == T_INT || p->t->kind == T_FLOAT) {
        jnode *n = parse_node(p, N_CONST);
        n->value = p->t++->value;
        return n;
    }
    j_enter(p->c);
    jnode *n;
    if (parse_skip_op(p, '(')) {
        n = parse_tuple(p, TUPLE_PAREN, NULL);
        parse_want_op(p, ')');
    } else if (parse_op(p, '[')) {
        n = sequence(p, N_LIST, ']');
    } else if (parse_op(p, '{')) {
        n = sequence(p, N_DICT, '}');
    } else {
        parse_unexpected(p, "an expression");
    }
    j_leave(p->c);
    return n;
}

/* --- what follows a primary --- */

static void call_args(parser *p, jnode *n)
{
    jlistbuf args = {0}, kw = {0};
    bool more = false;
    parse_want_op(p, '(');
    while (!parse_op(p, ')')) {
        if (more)
            parse_want_op(p, ',');
        if (more && parse_op(p, ')'))
            break;
        more = true;
        bool ordered;
        if (parse_skip_op(p, '*')) {
            ordered = !n->b && !n->c;
            n->b = parse_expression(p);
        } else if (parse_skip_op(p, OP2('*', '*'))) {
            ordered = !n->c;
            n->c = parse_expression(p);
        } else if (p->t->kind == T_NAME && p->t[1].kind == T_OP && p->t[1].op == '=') {
            ordered = !n->c;
            jnode *k = parse_node(p, N_KEYWORD);
            k->value = parse_name(p);
            p->t++;
            k->a = parse_expression(p);
            parse_add(p, &kw, k);
        } else {
            ordered = !n->b && !n->c && !kw.n;
            parse_add(p, &args, parse_expression(p));
        }
        if (!ordered)
            j_fail(p->c, "the arguments of a call are out of order");
    }
    p->t++;
    n->kids = (jbody){args.v, args.n};
    n->more = (jbody){kw.v, kw.n};
}

static jnode *call(parser *p, jnode *f)
{
    jnode *n = parse_node(p, N_CALL);
    call_args(p, n);
    n->a = f;
    return n;
}

/* One subscript: an expression, or a slice (then N_SLICE without its a). */
static jnode *subscribed(parser *p)
{
    jnode *first = parse_op(p, ':') ? NULL : parse_expression(p);
    if (!parse_op(p, ':'))
        return first;
    jnode *n = parse_node(p, N_SLICE);
    n->b = first;
    p->t++;
    if (!parse_op(p, ':') && !parse_op(p, ']') && !parse_op(p, ','))
        n->c = parse_expression(p);
    if (parse_skip_op(p, ':') && !parse_op(p, ']') && !parse_op(p, ',')) {
        jlistbuf step = {0};
        parse_add(p, &step, parse_expression(p));
        n->kids = (jbody){step.v, 1};
    }
    return n;
}

static jnode *subscript(parser *p, jnode *of)
{
    jlistbuf list = {0};
    jnode *n = parse_node(p, N_ITEM), *key;
    n->a = of;
    p->t++;
    while (!parse_op(p, ']')) {
        if (list.n)
            parse_want_op(p, ',');
        key = subscribed(p);
        if (key->kind == N_SLICE && !key->a && (list.n || parse_op(p, ',')))
            j_fail(p->c, "a slice among several subscripts is not supported");
        parse_add(p, &list, key);
    }
    p->t++;
    if (list.n == 1 && list.v[0]->kind == N_SLICE && !list.v[0]->a) {
        list.v[0]->a = of;
        return list.v[0];
    }
    if (list.n == 1) {
        n->b = list.v[0];
    } else {
        n->b = parse_node(p, N_TUPLE);
        n->b->kids = (jbody){list.v, list.n};
    }
    return n;
}

static jnode *attribute(parser *p, jnode *of)
{
    jnode *n = parse_node(p, N_ATTR);
    n->a = of;
    p->t++;
    if (p->t->kind == T_INT) {
        n->kind = N_ITEM;
        n->b = parse_node(p, N_CONST);
        n->b->value = p->t++->value;
    } else {
        n->value = parse_name(p);
    }
    return n;
}

static jnode *postfix(parser *p, jnode *n)
{
    for (;;) {
        if (parse_op(p, '.'))
            n = attribute(p, n);
        else if (parse_op(p, '['))
            n = subscript(p, n);
        else if (parse_op(p, '('))
            n = call(p, n);
        else
            return n;
    }
}

/* The name of a filter or test: "a.b" counts as one name. */
static const jrow *table_row(parser *p, jnode *n, const jrow *(*find)(const char *, size_t))
{
    n->value = parse_name(p);
    while (parse_skip_op(p, '.')) {
        jval dot = j_concat(p->c, n->value.s, j_lit(p->c, ".").s);
        n->value = j_concat(p->c, dot.s, parse_name(p).s);
    }
    const jrow *row = find(n->value.s->p, n->value.s->len);
    if (!row && !p->soft && !p->unknown)
        p->unknown = n;
    return row;
}

jnode *parse_filters(parser *p, jnode *n, bool first)
{
    while (first || parse_op(p, '|')) {
        if (!first)
            p->t++;
        first = false;
        jnode *f = parse_node(p, N_FILTER);
        f->row = table_row(p, f, j_filter);
        if (parse_op(p, '('))
            call_args(p, f);
        f->a = n;
        n = f;
    }
    return n;
}

static bool test_argument(const parser *p)
{
    switch (p->t->kind) {
    case T_NAME:
        return !parse_is(p, "else") && !parse_is(p, "or") && !parse_is(p, "and");
    case T_STRING:
    case T_INT:
    case T_FLOAT:
        return true;
    default:
        return parse_op(p, '[') || parse_op(p, '{');
    }
}

static jnode *test(parser *p, jnode *of)
{
    jnode *n = parse_node(p, N_TEST);
    p->t++;
    bool negated = parse_skip(p, "not");
    n->row = table_row(p, n, j_test);
    if (parse_op(p, '(')) {
        call_args(p, n);
    } else if (test_argument(p)) {
        if (parse_is(p, "is"))
            j_fail(p->c, "tests cannot be chained with \"is\"");
        jlistbuf list = {0};
        parse_add(p, &list, postfix(p, primary(p)));
        n->kids = (jbody){list.v, 1};
    }
    n->a = of;
    return negated ? node_at(p, N_NOT, n) : n;
}

static jnode *unary(parser *p, bool filters)
{
    jnode *n;
    j_enter(p->c);
    if (parse_op(p, '-') || parse_op(p, '+')) {
        n = parse_node(p, parse_op(p, '-') ? N_NEG : N_POS);
        p->t++;
        n->a = unary(p, false);
    } else {
        n = primary(p);
    }
    n = postfix(p, n);
    while (filters) {
        if (parse_op(p, '|'))
            n = parse_filters(p, n, false);
        else if (parse_is(p, "is"))
            n = test(p, n);
        else if (parse_op(p, '('))
            n = call(p, n);
        else
            break;
    }
    j_leave(p->c);
    return n;
}
