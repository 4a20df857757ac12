/* The most probable tokens: a heap of the best so far, the worst on top. */
#include "llm/sample.h"

/* Is a worse? Of equal ones the later id is. */
static bool is_worse(sample_candidate a, sample_candidate b)
{
    return a.logprob != b.logprob ? a.logprob < b.logprob : a.id > b.id;
}

/* x goes down from the root to its place among n. */
static void sink(sample_candidate *heap, size_t n, sample_candidate x)
{
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && is_worse(heap[child + 1], heap[child]))
            child++;
        if (!is_worse(heap[child], x))
            break;
        heap[at] = heap[child];
    }
    heap[at] = x;
}

void sampler_top(const float *x, size_t n, float shift, sample_candidate *top, size_t n_top)
{
    if (n_top == 0)
        return;
    for (size_t i = 0; i < n_top; i++) { /* the first fill the heap upwards */
        sample_candidate c = {x[i] - shift, (int)i};
        size_t at = i;
        for (; at > 0 && is_worse(c, top[(at - 1) / 2]); at = (at - 1) / 2)
            top[at] = top[(at - 1) / 2];
        top[at] = c;
    }
    for (size_t i = n_top; i < n; i++)
        if (x[i] - shift > top[0].logprob)
            sink(top, n_top, (sample_candidate){x[i] - shift, (int)i});
    for (size_t left = n_top; left > 1; left--) { /* the worst goes to the end */
        sample_candidate worst = top[0], last = top[left - 1];
        sink(top, left - 1, last);
        top[left - 1] = worst;
    }
}
