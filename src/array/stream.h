/* Streams inside: what evaluation needs of them. See mx/stream.h. */
#ifndef MICA_ARRAY_STREAM_H
#define MICA_ARRAY_STREAM_H

#include "array/node.h"

/* The queue that this thread's nodes are recorded on (node.stream): 0 is that of the thread's default stream,
 * whatever that will be, k + 1 is queue k. */
extern _Thread_local uint8_t stream_current;

/* Waits until a node that is scheduled is computed. 0, or -1 with the error that kept it from being so. */
int stream_wait(node *n);
/* Waits for all work and ends the threads; they start again when there is more. */
void stream_shutdown(void);

/* Computes n, whose inputs are ready, and lets them go (eval.c); the node is ready as the last thing that is
 * done to it. 0, or -1 with an error and n as it was. */
int eval_node(node *n);
/* Lists what must be computed for the roots, inputs before users, and marks it NODE_SCHEDULED. The list is
 * the caller's (mem_free), its nodes are not. 0, or -1 with an error and no node marked. */
int eval_schedule(const mlx_array *roots, size_t n, node ***list, size_t *count);

#endif
