/* The law of gradients, for every case of cases.h:
 *
 * - slope: what mx_vjp gives is what central differences of the function's values give, in every layout of
 *   inputs and cotangents
 * - halves: with float16 and bfloat16 inputs it is what float32 gives, within their precision
 * - forward: mx_jvp along any tangents agrees with it: <w, J t> = <w J, t>
 * - empty: arrays without elements have gradients of their shape
 * - covered: each row of prim.def that says it has a derivative is on the path of a case; those that say none
 *   fail with a message
 *
 * Differences are of fourth order. In float64 the step is small enough for all kinks (the inputs are distinct
 * numbers, evenly apart); where there is no float64 kernel a larger step in float32 has to do, and the bound
 * is wider. */
#include "laws/cases.h"

#include "prim/grad.h"

/* A law as a function of its float inputs; the others are constants. */
typedef struct function {
    const law *l;
    enum layout layout;
    mlx_array x[MAX_INPUTS];
} function;

static bool is_float(const law *l, int i) { return l->in[i].dtype == MLX_FLOAT32; }

static int apply(void *user, const mlx_array *in, mlx_array *out)
{
    const function *f = user;
    mlx_array x[MAX_INPUTS];
    for (int i = 0, k = 0; i < f->l->n_inputs; i++)
        x[i] = in_layout(is_float(f->l, i) ? in[k++] : f->x[i], f->layout);
    mlx_array y = f->l->build(x);
    if (!dtype_is_float(mx_dtype_of(y)))
        y = mx_astype(y, MLX_FLOAT32);
    out[0] = y;
    return mx_is_null(y);
}

/* Distinct numbers, evenly apart in a scattered order. Ranges of positive numbers end below 1, where every
 * function is defined. */
static void scattered(const input *in, int which, double *out, size_t size)
{
    double lo = (double)in->lo, hi = in->lo > 0 ? 0.9 : (double)in->hi;
    for (size_t i = 0; i < size; i++)
        out[i] = lo + (hi - lo) * ((double)((i * 37 + 5) % size) + 0.5 + 0.13 * which) / (double)(size + 2);
}

typedef struct trial {
    function f;
    mlx_dtype dtype;
    int n;                                    /* float inputs */
    double values[MAX_INPUTS][MAX_SIZE / 64]; /* theirs */
    int which[MAX_INPUTS];                    /* their places among the inputs */
    size_t sizes[MAX_INPUTS];
    double weights[MAX_SIZE / 64]; /* the cotangent */
    size_t results;
} trial;

static void must(bool ok, const trial *t, const char *what)
{
    if (ok && !error_pending())
        return;
    mx_failed();
    fail_msg("%s, %s: %s", t->f.l->name, what, mx_error_text());
}

static mlx_array array_of(const double *values, const int *shape, int ndim, mlx_dtype dtype)
{
    return mx_astype(mx_from(values, shape, (size_t)ndim, MLX_FLOAT64), dtype);
}

/* The float inputs as arrays. */
static void make_arrays(const trial *t, mlx_array *x)
{
    for (int k = 0; k < t->n; k++) {
        const input *in = &t->f.l->in[t->which[k]];
        x[k] = array_of(t->values[k], in->shape, in->ndim, t->dtype);
    }
}

/* Sum of weights times results. */
static double value(trial *t)
{
    static double y[MAX_SIZE];
    size_t mark = mx_mark();
    mlx_array x[MAX_INPUTS], out;
    make_arrays(t, x);
    must(apply(&t->f, x, &out) == 0 && mx_read(mx_astype(out, MLX_FLOAT64), y) == 0, t, "value");
    t->results = mx_size(out);
    mx_release(mark);
    double sum = 0;
    for (size_t i = 0; i < t->results; i++)
        sum += t->weights[i] * y[i];
    return sum;
}

static void start(trial *t, const law *l, mlx_dtype dtype)
{
    memset(t, 0, sizeof *t);
    t->f = (function){.l = l, .layout = DENSE};
    t->dtype = dtype;
    for (int i = 0; i < l->n_inputs; i++) {
        size_t size = 1;
        for (int d = 0; d < l->in[i].ndim; d++)
            size *= (size_t)l->in[i].shape[d];
        seed = 7;
        if (!is_float(l, i)) {
            t->f.x[i] = dense_input(&l->in[i]);
            continue;
        }
        t->which[t->n] = i;
        t->sizes[t->n] = size;
        scattered(&l->in[i], i, t->values[t->n++], size);
    }
    seed = 11;
    for (size_t i = 0; i < sizeof t->weights / sizeof *t->weights; i++)
        t->weights[i] = (double)roundf(draw(-16, 16)) / 16;
}

static bool seen[PRIM_COUNT];
static bool no_derivative[PRIM_COUNT];

/* Marks the primitives of an unevaluated graph that depend on a primal. */
static void mark_traced(const node *n, bool *marks)
{
    if (!(n->flags & NODE_TRACED))
        return;
    marks[n->prim] = true;
    for (uint32_t i = 0; i < n->n_inputs; i++)
        mark_traced(n->inputs[i], marks);
}

/* The gradient by all float inputs, one after the other, in the given layout; marks what it went through. -1
 * when mx_vjp fails. */
static int gradient(trial *t, enum layout layout, double *out, bool *marks)
{
    mlx_array x[MAX_INPUTS], y, grads[MAX_INPUTS];
    t->f.layout = layout;
    make_arrays(t, x);
    must(apply(&t->f, x, &y) == 0, t, "shape of the result");
    mlx_array g = array_of(t->weights, mx_shape(y), mx_ndim(y), mx_dtype_of(y));
    g = in_layout(g, layout);
    int rc = mx_vjp(apply, &t->f, x, (size_t)t->n, &g, 1, &y, grads);
    if (rc == 0)
        mark_traced(node_of(y), marks);
    for (int k = 0; rc == 0 && k < t->n; k++) {
        assert_int_equal(mx_dtype_of(grads[k]), t->dtype);
        must(mx_size(grads[k]) == t->sizes[k] && mx_read(mx_astype(grads[k], MLX_FLOAT64), out) == 0, t,
             "gradient");
        out += t->sizes[k];
    }
    t->f.layout = DENSE;
    return rc;
}

/* The slope by one number. */
static double slope(trial *t, double *x, double h)
{
    double at = *x, v[4];
    for (int i = 0; i < 4; i++) {
        *x = at + h * (i < 2 ? i - 2 : i - 1);
        v[i] = value(t);
    }
    *x = at;
    return (8 * (v[2] - v[1]) - (v[3] - v[0])) / (12 * h);
}

/* Does the graph need a derivative that is not there? */
static bool refused(trial *t)
{
    bool marks[PRIM_COUNT] = {false}, any = false;
    mlx_array x[MAX_INPUTS], y;
    make_arrays(t, x);
    for (int k = 0; k < t->n; k++)
        node_of(x[k])->flags |= NODE_TRACED;
    must(apply(&t->f, x, &y) == 0, t, "shape of the result");
    mark_traced(node_of(y), marks);
    for (int p = 1; p < PRIM_COUNT; p++)
        if (marks[p] && prim_table[p].vjp == grad_none)
            any = no_derivative[p] = true;
    return any;
}

static double expected[MAX_SIZE], got[MAX_SIZE];
static const char *const layout_names[LAYOUTS] = {"dense", "holes", "gaps", "reversed", "swapped axes"};

static void compare(const trial *t, const char *what, double bound)
{
    size_t i = 0;
    for (int k = 0; k < t->n; k++)
        for (size_t j = 0; j < t->sizes[k]; j++, i++)
            if (!(fabs(got[i] - expected[i]) <= bound * (1 + fabs(expected[i]))))
                fail_msg("%s, %s: the gradient by input %d[%zu] is %.9g, not %.9g", t->f.l->name, what,
                         t->which[k], j, got[i], expected[i]);
}

static void check_slopes(const law *l, bool single)
{
    static trial t;
    start(&t, l, single ? MLX_FLOAT32 : MLX_FLOAT64);
    if (refused(&t)) {
        assert_int_equal(gradient(&t, DENSE, got, seen), -1);
        assert_error("has no derivative");
        return;
    }
    size_t i = 0;
    for (int k = 0; k < t.n; k++)
        for (size_t j = 0; j < t.sizes[k]; j++)
            expected[i++] = slope(&t, &t.values[k][j], single ? 0x1p-5 : 1e-4);
    for (int layout = 0; layout < LAYOUTS; layout++) {
        must(gradient(&t, (enum layout)layout, got, seen) == 0, &t, layout_names[layout]);
        compare(&t, layout_names[layout], single ? 1e-3 : 1e-8);
    }
}

static void gradients_are_slopes(void **state)
{
    (void)state;
    for (int i = 0; i < LAWS; i++) {
        size_t mark = mx_mark();
        if (!(laws[i].skip & SKIP_GRADIENT)) {
            check_slopes(&laws[i], laws[i].skip & SINGLE);
            if (laws[i].skip & COMPOSED)
                check_slopes(&laws[i], false);
        }
        mx_release(mark);
    }
    for (int p = 1; p < PRIM_COUNT; p++) {
        /* no primitive with several results has a derivative yet; tests/transforms/test_qqmm.c */
        bool known = p == PRIM_Item || p == PRIM_QQMatmul || p == PRIM_CustomTangents ||
                     prim_table[p].vjp == grad_zero;
        if (!known && !(prim_table[p].vjp == grad_none ? no_derivative : seen)[p])
            fail_msg("no case shows the derivative of %s", prim_table[p].name);
    }
}

static void halves_agree_with_float32(void **state)
{
    (void)state;
    static trial t;
    const mlx_dtype halves[2] = {MLX_FLOAT16, MLX_BFLOAT16};
    for (int i = 0; i < LAWS; i++)
        for (int h = 0; h < 2 && !(laws[i].skip & (SKIP_HALVES | SKIP_GRADIENT)); h++) {
            size_t mark = mx_mark();
            start(&t, &laws[i], halves[h]);
            for (int k = 0; k < t.n; k++)
                for (size_t j = 0; j < t.sizes[k]; j++)
                    t.values[k][j] = round(t.values[k][j] * 64) / 64;
            must(gradient(&t, DENSE, got, seen) == 0, &t, "half");
            t.dtype = MLX_FLOAT32;
            must(gradient(&t, DENSE, expected, seen) == 0, &t, "float32");
            compare(&t, mx_dtype_name(halves[h]), 5e-2);
            mx_release(mark);
        }
}

/* <w, J t> = <w J, t> */
static void forward_mode_agrees(void **state)
{
    (void)state;
    static trial t;
    static double slopes[MAX_SIZE];
    for (int i = 0; i < LAWS; i++) {
        size_t mark = mx_mark(), at = 0;
        bool single = laws[i].skip & SINGLE;
        start(&t, &laws[i], single ? MLX_FLOAT32 : MLX_FLOAT64);
        if ((laws[i].skip & SKIP_GRADIENT) || refused(&t)) {
            mx_release(mark);
            continue;
        }
        mlx_array x[MAX_INPUTS], tangents[MAX_INPUTS], y, d;
        double forward = 0, reverse = 0, scale = 1;
        must(gradient(&t, DENSE, got, seen) == 0, &t, "gradient");
        make_arrays(&t, x);
        for (int k = 0; k < t.n; k++) {
            const input *in = &t.f.l->in[t.which[k]];
            for (size_t j = 0; j < t.sizes[k]; j++, at++) {
                slopes[j] = (double)roundf(draw(-16, 16)) / 16;
                reverse += slopes[j] * got[at];
                scale += fabs(slopes[j] * got[at]);
            }
            tangents[k] = array_of(slopes, in->shape, in->ndim, t.dtype);
        }
        must(mx_jvp(apply, &t.f, x, (size_t)t.n, tangents, 1, &y, &d) == 0, &t, "forward mode");
        must(mx_read(mx_astype(d, MLX_FLOAT64), slopes) == 0, &t, "forward mode");
        for (size_t j = 0; j < mx_size(d); j++) {
            forward += t.weights[j] * slopes[j];
            scale += fabs(t.weights[j] * slopes[j]);
        }
        if (!(fabs(forward - reverse) <= (single ? 1e-5 : 1e-12) * scale))
            fail_msg("%s: forward mode gives %.9g, reverse mode %.9g", laws[i].name, forward, reverse);
        mx_release(mark);
    }
}

static void empty_arrays_are_fine(void **state)
{
    (void)state;
    static trial t;
    for (int i = 0; i < LAWS; i++) {
        size_t mark = mx_mark();
        law empty = laws[i];
        if (empty.skip & (SKIP_EMPTY | SKIP_GRADIENT))
            continue;
        for (int k = 0; k < empty.n_inputs; k++)
            if (empty.in[k].ndim > 1 && empty.in[k].shape[0] == laws[i].in[0].shape[0])
                empty.in[k].shape[0] = 0;
        start(&t, &empty, MLX_FLOAT32);
        must(refused(&t) || gradient(&t, DENSE, got, seen) == 0, &t, "empty");
        mx_release(mark);
    }
}

static void cleanup(void)
{
    assert_int_equal(mx_live_nodes(), 0);
    mx_shutdown();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_are_slopes),
        cmocka_unit_test(halves_agree_with_float32),
        cmocka_unit_test(forward_mode_agrees),
        cmocka_unit_test(empty_arrays_are_fine),
    };
    return RUN_TESTS("gradients", tests, cleanup);
}
