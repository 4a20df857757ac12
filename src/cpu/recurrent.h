/* Recurrent states: one head of a sequence at a time. */
#ifndef MICA_CPU_RECURRENT_H
#define MICA_CPU_RECURRENT_H

#include <stddef.h>

/* Rows of float32 arrays with all heads; step: numbers from a row to the next. */
typedef struct recurrent_rows {
    const float *at; /* this head's numbers in row 0 */
    size_t step;
} recurrent_rows;

typedef struct delta_args {
    size_t rows, keys, values;
    recurrent_rows q, k, v, g, beta;
    float *state; /* (keys, values), changed in place */
    float *y;
    size_t y_step;
} delta_args;

typedef struct scan_args {
    size_t rows, states, width;
    recurrent_rows x, dt, b, c;
    const float *a; /* one number, or (states, width) */
    int each;       /* the latter; dt has `width` numbers then */
    float *state;   /* (states, width), changed in place */
    float *y;
    size_t y_step;
} scan_args;

typedef struct recurrent_kernels {
    void (*gated_delta)(const delta_args *a);
    void (*selective_scan)(const scan_args *a);
} recurrent_kernels;

#endif
