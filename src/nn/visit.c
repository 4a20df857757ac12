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
    if (!v->failed && v->module(v, &m))
        v->failed = true;
    nn_leave(v, outer);
}

void nn_visit_linear(nn_visitor *v, const char *name, nn_linear *l, int in, int out, bool bias)
{
    l->in = in;
    l->out = out;
    l->has_bias = bias;
    visit(v, name, (nn_module){.kind = NN_LINEAR, .linear = l});
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

void nn_visit_unused(nn_visitor *v, const char *ending)
{
    if (v->unused && !v->failed)
        v->unused(v, ending);
}

/* --- freeing --- */

static int clear_module(nn_visitor *v, const nn_module *m)
{
    (void)v;
    if (m->linear) {
        mx_set(&m->linear->weight, MX_NULL);
        mx_set(&m->linear->scales, MX_NULL);
        mx_set(&m->linear->biases, MX_NULL);
        mx_set(&m->linear->bias, MX_NULL);
    } else {
        mx_set(&m->norm->weight, MX_NULL);
        mx_set(&m->norm->bias, MX_NULL);
    }
    return 0;
}

void nn_clear(nn_visit_fn model_visit, void *model)
{
    nn_visitor v = {.module = clear_module};
    model_visit(model, &v);
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
    if (m->norm) {
        t->parameters += size_of(m->norm->weight) + size_of(m->norm->bias);
        t->bytes += bytes_of(m->norm->weight) + bytes_of(m->norm->bias);
        return 0;
    }
    const nn_linear *l = m->linear;
    size_t bytes = bytes_of(l->weight) + bytes_of(l->scales) + bytes_of(l->biases) + bytes_of(l->bias);
    t->parameters += (size_t)l->in * (size_t)l->out + size_of(l->bias);
    t->bytes += bytes;
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
