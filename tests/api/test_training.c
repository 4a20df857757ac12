/* Training through the C interface: value_and_grad, Adam, and losses that fall as in a reference of plain
 * double arithmetic, whose gradients are central differences of its own forward pass.
 *
 * Two models: a perceptron with one hidden layer on a toy function, and a transformer of one block that
 * learns a short sequence. */
#include "api/api.h"

#include <math.h>

enum { MAX_PARAMS = 12, MAX_VALUES = 1024, MAX_TEMPS = 256 };

static mlx_stream s;

/* --- expressions: results that live until the end of a step --- */

static mlx_array temps[MAX_TEMPS];
static int n_temps;

static mlx_array keep(int rc, mlx_array x)
{
    OK(rc);
    assert_true(n_temps < MAX_TEMPS);
    return temps[n_temps++] = x;
}

static void drop_temps(void)
{
    while (n_temps)
        mlx_array_free(temps[--n_temps]);
}

static mlx_array number(float v) { return keep(0, mlx_array_new_float(v)); }

#define UNARY(name)                        \
    static mlx_array a_##name(mlx_array a) \
    {                                      \
        mlx_array r = mlx_array_new();     \
        int rc = mlx_##name(&r, a, s);     \
        return keep(rc, r);                \
    }
#define BINARY(name)                                    \
    static mlx_array a_##name(mlx_array a, mlx_array b) \
    {                                                   \
        mlx_array r = mlx_array_new();                  \
        int rc = mlx_##name(&r, a, b, s);               \
        return keep(rc, r);                             \
    }
UNARY(tanh)
UNARY(square)
UNARY(sqrt)
UNARY(transpose)
BINARY(add)
BINARY(subtract)
BINARY(multiply)
BINARY(divide)
BINARY(matmul)

static mlx_array a_mean(mlx_array a)
{
    mlx_array r = mlx_array_new();
    int rc = mlx_mean(&r, a, false, s);
    return keep(rc, r);
}

static mlx_array rows(mlx_array table, const int *ids, int n)
{
    mlx_array r = mlx_array_new(), i = keep(0, mlx_array_new_data(ids, &n, 1, MLX_INT32));
    int rc = mlx_take_axis(&r, table, i, 0, s);
    return keep(rc, r);
}

/* --- a model: parameters, a loss as a graph, the same loss in doubles --- */

typedef struct model {
    int n; /* parameters */
    int shape[MAX_PARAMS][2];
    mlx_array (*loss)(const mlx_array *p);
    double (*plain)(double *const *p);
} model;

static int values_of(const model *m, int i) { return m->shape[i][0] * m->shape[i][1]; }

static int loss_of(mlx_vector_array *out, const mlx_vector_array in, void *payload)
{
    const model *m = payload;
    mlx_array p[MAX_PARAMS];
    for (int i = 0; i < m->n; i++) {
        p[i] = mlx_array_new();
        if (mlx_vector_array_get(&p[i], in, (size_t)i))
            return 1;
        keep(0, p[i]);
    }
    *out = mlx_vector_array_new_value(m->loss(p));
    return 0;
}

/* Adam without bias correction, as MLX's default: both sides do the same. */
#define RATE  0.02
#define BETA1 0.9
#define BETA2 0.999
#define EPS   1e-8

static void adam(mlx_array *p, mlx_array *m, mlx_array *v, mlx_array g)
{
    OK(mlx_array_set(m,
                     a_add(a_multiply(*m, number((float)BETA1)), a_multiply(g, number((float)(1 - BETA1))))));
    OK(mlx_array_set(
        v, a_add(a_multiply(*v, number((float)BETA2)), a_multiply(a_square(g), number((float)(1 - BETA2))))));
    mlx_array step = a_divide(a_multiply(*m, number((float)RATE)), a_add(a_sqrt(*v), number((float)EPS)));
    OK(mlx_array_set(p, a_subtract(*p, step)));
}

static void adam_plain(double *p, double *m, double *v, double g)
{
    *m = BETA1 * *m + (1 - BETA1) * g;
    *v = BETA2 * *v + (1 - BETA2) * g * g;
    *p -= RATE * *m / (sqrt(*v) + EPS);
}

typedef struct plain_state {
    double p[MAX_VALUES], m[MAX_VALUES], v[MAX_VALUES], g[MAX_VALUES];
    double *params[MAX_PARAMS];
    int n;
} plain_state;

static double plain_step(const model *m, plain_state *t)
{
    double loss = m->plain(t->params);
    for (int i = 0; i < t->n; i++) {
        double at = t->p[i], h = 1e-5;
        t->p[i] = at + h;
        t->g[i] = m->plain(t->params);
        t->p[i] = at - h;
        t->g[i] = (t->g[i] - m->plain(t->params)) / (2 * h);
        t->p[i] = at;
    }
    for (int i = 0; i < t->n; i++)
        adam_plain(&t->p[i], &t->m[i], &t->v[i], t->g[i]);
    return loss;
}

/* Small numbers that look random, the same on both sides. */
static double initial(int i) { return 0.4 * sin(12.9898 * (i + 1) + 78.233 * ((i * 7) % 13)); }

static void train(const model *m, int steps, double from, double to)
{
    static plain_state t;
    mlx_array p[MAX_PARAMS], moment[MAX_PARAMS], speed[MAX_PARAMS];
    int wanted[MAX_PARAMS];
    memset(&t, 0, sizeof t);
    for (int i = 0; i < m->n; i++) {
        float data[MAX_VALUES];
        wanted[i] = i;
        t.params[i] = t.p + t.n;
        assert_true(t.n + values_of(m, i) <= MAX_VALUES);
        for (int k = 0; k < values_of(m, i); k++, t.n++)
            data[k] = (float)(t.p[t.n] = (double)(float)initial(t.n));
        p[i] = mlx_array_new_data(data, m->shape[i], 2, MLX_FLOAT32);
        moment[i] = mlx_array_new();
        speed[i] = mlx_array_new();
        OK(mlx_zeros_like(&moment[i], p[i], s));
        OK(mlx_zeros_like(&speed[i], p[i], s));
    }
    mlx_closure loss = mlx_closure_new_func_payload(loss_of, (void *)(uintptr_t)m, NULL);
    mlx_closure_value_and_grad f = mlx_closure_value_and_grad_new();
    OK(mlx_value_and_grad(&f, loss, wanted, (size_t)m->n));
    for (int step = 0; step < steps; step++) {
        mlx_vector_array in = mlx_vector_array_new_data(p, (size_t)m->n), value = mlx_vector_array_new(),
                         grads = mlx_vector_array_new();
        mlx_array v = mlx_array_new(), g = mlx_array_new();
        float got;
        OK(mlx_closure_value_and_grad_apply(&value, &grads, f, in));
        for (int i = 0; i < m->n; i++) {
            OK(mlx_vector_array_get(&g, grads, (size_t)i));
            adam(&p[i], &moment[i], &speed[i], g);
        }
        OK(mlx_vector_array_get(&v, value, 0));
        OK(mlx_array_item_float32(&got, v));
        double want = plain_step(m, &t);
        if (!(fabs((double)got - want) <= 2e-3 * (1e-2 + fabs(want))))
            fail_msg("step %d: the loss is %.7g, not %.7g", step, (double)got, want);
        if (step == 0)
            assert_true((double)got > from);
        if (step == steps - 1)
            assert_true((double)got < to);
        mlx_array_free(v);
        mlx_array_free(g);
        mlx_vector_array_free(in);
        mlx_vector_array_free(value);
        mlx_vector_array_free(grads);
        drop_temps();
    }
    for (int i = 0; i < m->n; i++) {
        mlx_array_free(p[i]);
        mlx_array_free(moment[i]);
        mlx_array_free(speed[i]);
    }
    mlx_closure_free(loss);
    mlx_closure_value_and_grad_free(f);
}

/* --- a perceptron: y = tanh(x W1 + b1) W2 + b2 --- */

enum { POINTS = 16, IN = 2, HIDDEN = 8 };

static double point(int i, int k) { return (double)(float)(k ? cos(1.3 * i) : i / 8.0 - 1); }
static double target(int i) { return (double)(float)(point(i, 0) * point(i, 1) + 0.5); }

static mlx_array mlp_loss(const mlx_array *p)
{
    float x[POINTS * IN], y[POINTS];
    for (int i = 0; i < POINTS; i++) {
        x[i * IN] = (float)point(i, 0);
        x[i * IN + 1] = (float)point(i, 1);
        y[i] = (float)target(i);
    }
    mlx_array in = keep(0, mlx_array_new_data(x, (int[]){POINTS, IN}, 2, MLX_FLOAT32)),
              want = keep(0, mlx_array_new_data(y, (int[]){POINTS, 1}, 2, MLX_FLOAT32));
    mlx_array h = a_tanh(a_add(a_matmul(in, p[0]), p[1]));
    return a_mean(a_square(a_subtract(a_add(a_matmul(h, p[2]), p[3]), want)));
}

static double mlp_plain(double *const *p)
{
    double total = 0;
    for (int i = 0; i < POINTS; i++) {
        double y = p[3][0];
        for (int h = 0; h < HIDDEN; h++)
            y += p[2][h] * tanh(point(i, 0) * p[0][h] + point(i, 1) * p[0][HIDDEN + h] + p[1][h]);
        total += (y - target(i)) * (y - target(i));
    }
    return total / POINTS;
}

static void a_perceptron_learns(void **state)
{
    (void)state;
    static const model m = {4, {{IN, HIDDEN}, {1, HIDDEN}, {HIDDEN, 1}, {1, 1}}, mlp_loss, mlp_plain};
    train(&m, 60, 0.3, 0.05);
}

/* --- a transformer: one head, one block, root mean square norms, tied embedding --- */

enum { VOCAB = 5, T = 6, D = 4, WIDE = 6 };
enum { EMBED, PLACE, QUERY, KEY, VALUE, OUT, UP, DOWN, NORM1, NORM2, TENSORS };

static const int text[T + 1] = {0, 3, 1, 4, 1, 2, 0};

static mlx_array rms(mlx_array x, mlx_array weight)
{
    mlx_array r = mlx_array_new(), w = mlx_array_new();
    keep(mlx_reshape(&w, weight, (int[]){D}, 1, s), w);
    int rc = mlx_fast_rms_norm(&r, x, w, 1e-5f, s);
    return keep(rc, r);
}

/* (T, D) -> (1, 1, T, D) and back */
static mlx_array heads(mlx_array x)
{
    mlx_array r = mlx_array_new();
    int rc = mlx_reshape(&r, x, (int[]){1, 1, T, D}, 4, s);
    return keep(rc, r);
}

static mlx_array attend(mlx_array q, mlx_array k, mlx_array v)
{
    mlx_array r = mlx_array_new(), y = mlx_array_new();
    keep(mlx_fast_scaled_dot_product_attention(&r, heads(q), heads(k), heads(v), 0.5f, "causal",
                                               mlx_array_empty, mlx_array_empty, s),
         r);
    int rc = mlx_reshape(&y, r, (int[]){T, D}, 2, s);
    return keep(rc, y);
}

static mlx_array cross_entropy(mlx_array logits)
{
    mlx_array all = mlx_array_new(), picked = mlx_array_new(),
              next = keep(0, mlx_array_new_data(text + 1, (int[]){T, 1}, 2, MLX_INT32));
    keep(mlx_logsumexp_axis(&all, logits, -1, true, s), all);
    int rc = mlx_take_along_axis(&picked, logits, next, -1, s);
    return a_mean(a_subtract(all, keep(rc, picked)));
}

static mlx_array transformer_loss(const mlx_array *p)
{
    mlx_array x = a_add(rows(p[EMBED], text, T), p[PLACE]);
    mlx_array n = rms(x, p[NORM1]);
    mlx_array y = attend(a_matmul(n, p[QUERY]), a_matmul(n, p[KEY]), a_matmul(n, p[VALUE]));
    x = a_add(x, a_matmul(y, p[OUT]));
    x = a_add(x, a_matmul(a_tanh(a_matmul(rms(x, p[NORM2]), p[UP])), p[DOWN]));
    return cross_entropy(a_matmul(x, a_transpose(p[EMBED])));
}

/* y (n) = x (m) w (m, n) */
static void product(const double *x, const double *w, int m, int n, double *y)
{
    for (int j = 0; j < n; j++) {
        y[j] = 0;
        for (int i = 0; i < m; i++)
            y[j] += x[i] * w[i * n + j];
    }
}

static void rms_plain(const double *x, const double *w, double *y)
{
    double sum = 0;
    for (int i = 0; i < D; i++)
        sum += x[i] * x[i];
    for (int i = 0; i < D; i++)
        y[i] = x[i] / sqrt(sum / D + 1e-5) * w[i];
}

/* Position t's output of the attention over what came before it. */
static void attend_plain(int t, double (*q)[D], double (*k)[D], double (*v)[D], double *y)
{
    double weight[T], sum = 0;
    for (int j = 0; j <= t; j++) {
        double dot = 0;
        for (int i = 0; i < D; i++)
            dot += q[t][i] * k[j][i];
        sum += weight[j] = exp(0.5 * dot);
    }
    for (int i = 0; i < D; i++) {
        y[i] = 0;
        for (int j = 0; j <= t; j++)
            y[i] += weight[j] / sum * v[j][i];
    }
}

/* -log p of the token that follows position t, whose state is x. */
static double surprise(const double *x, const double *embed, int t)
{
    double sum = 0, own = 0;
    for (int w = 0; w < VOCAB; w++) {
        double logit = 0;
        for (int i = 0; i < D; i++)
            logit += x[i] * embed[w * D + i];
        sum += exp(logit);
        own = w == text[t + 1] ? logit : own;
    }
    return log(sum) - own;
}

static double transformer_plain(double *const *p)
{
    double x[T][D], q[T][D], k[T][D], v[T][D], n[D], y[D], wide[WIDE], total = 0;
    for (int t = 0; t < T; t++) {
        for (int i = 0; i < D; i++)
            x[t][i] = p[EMBED][text[t] * D + i] + p[PLACE][t * D + i];
        rms_plain(x[t], p[NORM1], n);
        product(n, p[QUERY], D, D, q[t]);
        product(n, p[KEY], D, D, k[t]);
        product(n, p[VALUE], D, D, v[t]);
    }
    for (int t = 0; t < T; t++) {
        attend_plain(t, q, k, v, y);
        product(y, p[OUT], D, D, n);
        for (int i = 0; i < D; i++)
            x[t][i] += n[i];
        rms_plain(x[t], p[NORM2], n);
        product(n, p[UP], D, WIDE, wide);
        for (int i = 0; i < WIDE; i++)
            wide[i] = tanh(wide[i]);
        product(wide, p[DOWN], WIDE, D, y);
        for (int i = 0; i < D; i++)
            x[t][i] += y[i];
        total += surprise(x[t], p[EMBED], t);
    }
    return total / T;
}

static void a_transformer_learns(void **state)
{
    (void)state;
    static const model m = {TENSORS,
                            {[EMBED] = {VOCAB, D},
                             [PLACE] = {T, D},
                             [QUERY] = {D, D},
                             [KEY] = {D, D},
                             [VALUE] = {D, D},
                             [OUT] = {D, D},
                             [UP] = {D, WIDE},
                             [DOWN] = {WIDE, D},
                             [NORM1] = {1, D},
                             [NORM2] = {1, D}},
                            transformer_loss,
                            transformer_plain};
    train(&m, 40, 1.2, 0.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_perceptron_learns),
        cmocka_unit_test(a_transformer_learns),
    };
    s = mlx_default_cpu_stream_new();
    int rc = RUN_API_TESTS("training", tests);
    mlx_stream_free(s);
    return rc;
}
