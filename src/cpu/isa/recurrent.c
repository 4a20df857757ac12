/* Recurrent states, for one instruction set. Inner loops run over the values, each of which is a sum of its
 * own: the compiler makes vectors of them, and sums have one order everywhere. */
#include "cpu/kernels.h"
#include "kernels/math.h"

#include <string.h>

/* y += factor * x */
static inline void add_scaled(float *restrict y, const float *restrict x, float factor, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] += factor * x[i];
}

static void gated_delta(const delta_args *a)
{
    for (size_t r = 0; r < a->rows; r++) {
        const float *q = a->q.at + r * a->q.step, *k = a->k.at + r * a->k.step, *v = a->v.at + r * a->v.step;
        float decay = m_exp(a->g.at[r * a->g.step]), beta = a->beta.at[r * a->beta.step];
        float *y = a->y + r * a->y_step; /* holds what S^T k is, then the change, then the result */
        memset(y, 0, a->values * sizeof *y);
        for (size_t i = 0; i < a->keys; i++) {
            float *s = a->state + i * a->values;
            for (size_t j = 0; j < a->values; j++) {
                s[j] *= decay;
                y[j] += k[i] * s[j];
            }
        }
        float change[256];
        for (size_t from = 0; from < a->values; from += 256) {
            size_t n = a->values - from < 256 ? a->values - from : 256;
            for (size_t j = 0; j < n; j++)
                change[j] = beta * (v[from + j] - y[from + j]);
            memset(y + from, 0, n * sizeof *y);
            for (size_t i = 0; i < a->keys; i++) {
                float *s = a->state + i * a->values + from;
                add_scaled(s, change, k[i], n);
                add_scaled(y + from, s, q[i], n);
            }
        }
    }
}

/* One row of a state of (states, width). */
static void scan_row(const scan_args *a, const float *x, const float *dt, const float *b, const float *c,
                     float *y)
{
    float decay = a->each ? 0 : m_exp(dt[0] * a->a[0]);
    memset(y, 0, a->width * sizeof *y);
    for (size_t i = 0; i < a->states; i++) {
        float *s = a->state + i * a->width;
        float add = a->each ? b[i] : b[i] * dt[0];
        if (a->each) {
            const float *rate = a->a + i * a->width;
            for (size_t j = 0; j < a->width; j++)
                s[j] = m_exp(dt[j] * rate[j]) * s[j] + add * (dt[j] * x[j]);
        } else {
            for (size_t j = 0; j < a->width; j++)
                s[j] = decay * s[j] + add * x[j];
        }
        add_scaled(y, s, c[i], a->width);
    }
}

static void selective_scan(const scan_args *a)
{
    for (size_t r = 0; r < a->rows; r++)
        scan_row(a, a->x.at + r * a->x.step, a->dt.at + r * a->dt.step, a->b.at + r * a->b.step,
                 a->c.at + r * a->c.step, a->y + r * a->y_step);
}

void FILL(recurrent)(recurrent_kernels *t)
{
    t->gated_delta = gated_delta;
    t->selective_scan = selective_scan;
}
