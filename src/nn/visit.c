/* The visitor's path, and the two visitors that need nothing else: freeing and counting. */
#include "nn/visit.h"

#include <stdarg.h>
#include <stdio.h>

size_t nn_enter(nn_visitor *v, const char *fmt, ...)
{
    size_t outer = v->len, room = sizeof v->path - outer;
    va_list args;
    va_start(args, fmt);
    if (outer && room > 1) {
        v->path[v->len++] = '.';
        room--;
    }
    int n = vsnprintf(v->path + v->len, room, fmt, args);
    va_end(args);
    if (n < 0 || (size_t)n >= room) {
        error_set("a module path is longer than %zu bytes: %s", sizeof v->path, v->path);
        v->failed = true;
        n = 0;
    }
    v->len += (size_t)n;
    return outer;
}

void nn_leave(nn_visitor *v, size_t outer)
{
    v->len = outer;
    v->path[outer] = 0;
}

static void visit(nn_visitor *v, const char *name, nn_module m)
{
    size_t outer = nn_enter(v, "%s", name);
    m.path = v->path;
    m.outer = outer;
    if (!v->failed && v->module(v, &m))
        v->failed = true;
    nn_leave(v, outer);
}

void nn_visit_linear_from(nn_visitor *v, const char *name, nn_linear *l, int in, int out, bool bias,
                          const nn_source *sources)
{
    l->in = in;
    l->out = out;
    l->has_bias = bias;
    visit(v, name, (nn_module){.kind = NN_LINEAR, .linear = l, .sources = sources});
}

void nn_visit_linear(nn_visitor *v, const char *name, nn_linear *l, int in, int out, bool bias)
{
    nn_visit_linear_from(v, name, l, in, out, bias, NULL);
}

void nn_visit_experts(nn_visitor *v, const char *name, nn_linear *l, int experts, int in, int out, bool bias,
                      const nn_source *sources)
{
    l->experts = experts;
    nn_visit_linear_from(v, name, l, in, out, bias, sources);
}

void nn_visit_experts_in(nn_visitor *v, const char *part, const char *name, nn_linear *l, int experts, int in,
                         int out, bool bias, const nn_source *sources)
{
    char full[64];
    snprintf(full, sizeof full, "%s.%s", part, name);
    nn_visit_experts(v, full, l, experts, in, out, bias, sources);
}

void nn_visit_embedding(nn_visitor *v, const char *name, nn_embedding *e, int rows, int dim)
{
    e->in = dim;
    e->out = rows;
    e->has_bias = false;
    visit(v, name, (nn_module){.kind = NN_EMBEDDING, .linear = e});
}

void nn_visit_norm(nn_visitor *v, const char *name, nn_norm *n, int dim, bool bias)
{
    n->dim = dim;
    n->has_bias = bias;
    visit(v, name, (nn_module){.kind = NN_NORM, .norm = n});
}

void nn_visit_param(nn_visitor *v, const char *name, nn_param *p, int a, int b, int c)
{
    p->shape[0] = a;
    p->shape[1] = b;
    p->shape[2] = c;
    p->ndim = a == 0 ? 0 : b == 0 ? 1 : c == 0 ? 2 : 3;
    visit(v, name, (nn_module){.kind = NN_PARAM, .param = p});
}

void nn_visit_rows(nn_visitor *v, const char *name, const char *each, nn_param *p, int n, int dim)
{
    p->rows = each;
    nn_visit_param(v, name, p, n, dim, 0);
}

void nn_visit_unused(nn_visitor *v, const char *ending)
{
    if (v->unused && !v->failed)
        v->unused(v, ending);
}

/* --- every slot: freeing and computing --- */

/* The slots of a module: how many, at most 4. */
static size_t slots_of(const nn_module *m, mlx_array *slot[4])
{
    if (m->param) {
        slot[0] = &m->param->value;
        return 1;
    }
    if (m->norm) {
        slot[0] = &m->norm->weight;
        slot[1] = &m->norm->bias;
        slot[2] = &m->norm->shifted; /* last: it is made of the first */
        return 3;
    }
    slot[0] = &m->linear->weight;
    slot[1] = &m->linear->scales;
    slot[2] = &m->linear->biases;
    slot[3] = &m->linear->bias;
    return 4;
}

static int clear_module(nn_visitor *v, const nn_module *m)
{
    (void)v;
    mlx_array *slot[4];
    for (size_t i = 0, n = slots_of(m, slot); i < n; i++)
        mx_set(slot[i], MX_NULL);
    return 0;
}

void nn_clear(nn_visit_fn model_visit, void *model)
{
    nn_visitor v = {.module = clear_module};
    model_visit(model, &v);
}

static int eval_module(nn_visitor *v, const nn_module *m)
{
    (void)v;
    mlx_array *slot[4];
    for (size_t i = 0, n = slots_of(m, slot); i < n; i++)
        if (!mx_is_null(*slot[i]) && mx_eval(*slot[i]))
            return -1;
    return 0;
}

int nn_eval(nn_visit_fn model_visit, void *model)
{
    nn_visitor v = {.module = eval_module};
    model_visit(model, &v);
    return v.failed ? -1 : 0;
}

/* --- counting --- */

typedef struct counter {
    nn_visitor v;
    nn_totals totals;
} counter;

static size_t bytes_of(mlx_array x) { return mx_is_null(x) ? 0 : mx_size(x) * mx_dtype_size(mx_dtype_of(x)); }
static size_t size_of(mlx_array x) { return mx_is_null(x) ? 0 : mx_size(x); }

static int count_module(nn_visitor *v, const nn_module *m)
{
    nn_totals *t = &((counter *)v)->totals;
    mlx_array *slot[4];
    size_t bytes = 0, size = 0;
    for (size_t i = 0, n = slots_of(m, slot) - (m->norm != NULL); i < n; i++) {
        bytes += bytes_of(*slot[i]);
        size += size_of(*slot[i]);
    }
    t->bytes += bytes;
    const nn_linear *l = m->linear;
    if (!l) {
        t->parameters += size;
        return 0;
    }
    size_t experts = l->experts ? (size_t)l->experts : 1;
    t->parameters += experts * (size_t)l->in * (size_t)l->out + size_of(l->bias);
    if (l->chosen && l->chosen < l->experts)
        t->idle_bytes += bytes / experts * (experts - (size_t)l->chosen);
    *(m->kind == NN_LINEAR ? &t->linear_bytes : &t->embedding_bytes) += bytes;
    if (m->kind == NN_EMBEDDING)
        t->dtype = mx_dtype_of(nn_quantized(l) ? l->scales : l->weight);
    t->int8 |= nn_quantized(l) && l->precision == MX_INT8;
    return 0;
}

nn_totals nn_count(nn_visit_fn model_visit, void *model)
{
    counter c = {.v = {.module = count_module}};
    model_visit(model, &c.v);
    return c.totals;
}
