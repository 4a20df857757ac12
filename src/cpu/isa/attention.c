/* The running softmax of attention, for one instruction set: in panels (a query a lane, so that nothing is
 * ever summed across lanes) and for single rows. */
#include "cpu/isa/tile.h"
#include "cpu/kernels.h"
#include "kernels/math.h"

#include <math.h>

#define NR TILE_COLUMNS

static float visible(float max) { return max == -INFINITY ? 0.0f : max; }

static void step_panel(float *s, size_t keys, float *max, float *sum, float *scale)
{
    float shift[NR], total[NR] = {0};
    simd_f32 most[TILE_VECTORS];
    UNROLL
    for (size_t v = 0; v < TILE_VECTORS; v++)
        most[v] = simd_load_f32(max + v * SIMD_LANES);
    for (size_t j = 0; j < keys; j++)
        UNROLL
    for (size_t v = 0; v < TILE_VECTORS; v++)
        most[v] = simd_max(most[v], simd_load_f32(s + j * NR + v * SIMD_LANES));
    UNROLL
    for (size_t v = 0; v < TILE_VECTORS; v++)
        simd_store_f32(shift + v * SIMD_LANES, most[v]);
    for (size_t i = 0; i < NR; i++) {
        float now = shift[i];
        shift[i] = visible(now);
        scale[i] = m_exp(max[i] - shift[i]);
        max[i] = now;
    }
    for (size_t j = 0; j < keys; j++)
        for (size_t i = 0; i < NR; i++) {
            float e = m_exp(s[j * NR + i] - shift[i]);
            s[j * NR + i] = e;
            total[i] += e;
        }
    for (size_t i = 0; i < NR; i++)
        sum[i] = sum[i] * scale[i] + total[i];
}

static float step_row(float *s, size_t n, float *max, float *sum)
{
    simd_f32 most = simd_set1(*max), total = {0};
    size_t i = 0;
    for (; i + SIMD_LANES <= n; i += SIMD_LANES)
        most = simd_max(most, simd_load_f32(s + i));
    float now = simd_max_lane(most), rest = 0;
    for (; i < n; i++)
        now = s[i] > now ? s[i] : now;
    float shift = visible(now), scale = m_exp(*max - shift);
    for (i = 0; i < n; i++)
        s[i] = m_exp(s[i] - shift);
    for (i = 0; i + SIMD_LANES <= n; i += SIMD_LANES)
        total += simd_load_f32(s + i);
    for (; i < n; i++)
        rest += s[i];
    *max = now;
    *sum = *sum * scale + (simd_sum(total) + rest);
    return scale;
}

static void scale_panel(float *o, size_t rows, const float *scale)
{
    simd_f32 factor[TILE_VECTORS];
    UNROLL
    for (size_t v = 0; v < TILE_VECTORS; v++)
        factor[v] = simd_load_f32(scale + v * SIMD_LANES);
    for (size_t p = 0; p < rows; p++)
        UNROLL
    for (size_t v = 0; v < TILE_VECTORS; v++) {
        float *y = o + p * NR + v * SIMD_LANES;
        simd_store_f32(y, simd_load_f32(y) * factor[v]);
    }
}

static void scale_row(float *o, size_t n, float scale)
{
    for (size_t i = 0; i < n; i++)
        o[i] *= scale;
}

void FILL(attention)(attention_kernels *t)
{
    t->step_panel = step_panel;
    t->step_row = step_row;
    t->scale_panel = scale_panel;
    t->scale_row = scale_row;
}
