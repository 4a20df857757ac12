/* The tape of reverse mode: the nodes between what is differentiated by and what is differentiated.
 *
 * Sources are entered first; recording a root then writes the nodes that lead to it, inputs before users;
 * deposits start cotangents; going back hands them on by each primitive's gradient function. What reaches a
 * node from several users is added up in that order.
 *
 * A node knows its entry by its stamp: entries[stamp] is it, or it has none. So nothing is looked up in a
 * table, no mark has to be undone, and transforms nest. Neither walk recurses. */
#ifndef MICA_TRANSFORMS_TAPE_H
#define MICA_TRANSFORMS_TAPE_H

#include "prim/grad.h"

enum { TAPE_END = UINT32_MAX };

typedef struct tape_entry {
    node *n;
    size_t cotangents; /* place of its results' first in the tape's list */
    uint32_t input;    /* the input that the walk looks at */
    uint32_t user;     /* the entry that the walk came from */
    uint32_t before;   /* the entry before it in the tape's order */
    bool depends;      /* on a source */
} tape_entry;

/* Begins as {.last = TAPE_END}. */
typedef struct tape {
    tape_entry *entries;
    mlx_array *cotangents;
    size_t n_entries, n_cotangents, cap_entries, cap_cotangents;
    uint32_t last;     /* of the entries that depend on a source, inputs before users */
    size_t widest;     /* most inputs of a node */
    mlx_array *arrays; /* the inputs and then the gradients of one node */
    bool *wanted;
} tape;

/* A source: entry number i for the i-th. The node is marked as traced. 0 or -1. */
int tape_source(tape *t, node *n);
/* Another transform may have run since the sources were entered: makes their stamps point here again. */
void tape_restamp(tape *t);
/* Writes what `root` is made of to the tape. 0 or -1. */
int tape_record(tape *t, node *root);
/* The entry of a node that depends on a source, or NULL. */
tape_entry *tape_find(const tape *t, const node *n);
/* Adds g to what has reached a result of the entry's node. */
void tape_deposit(tape *t, const tape_entry *to, size_t result, mlx_array g);
/* Goes through the tape backwards. 0, or -1 with an error. */
int tape_go_back(tape *t);
/* What has reached source i, or null. */
mlx_array tape_gradient(const tape *t, size_t i);
void tape_free(tape *t);

#endif
