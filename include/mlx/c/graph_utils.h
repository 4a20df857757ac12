/** @file
 * Graphs as text. */
#ifndef MLX_C_GRAPH_UTILS_H
#define MLX_C_GRAPH_UTILS_H

#include "mlx/c/abi.h"
#include "mlx/c/array.h"
#include "mlx/c/vector.h"

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#if MLX_C_ABI >= MLX_C_ABI_0_6_0_PLUS_4
/** Names for the nodes of graphs. */
typedef struct mlx_node_namer_ {
    void *ctx;
} mlx_node_namer;
#endif

#if MLX_C_ABI >= MLX_C_ABI_0_6_0_PLUS_4
/** A table of names for nodes. */
mlx_node_namer mlx_node_namer_new(void);

/** Drops it. */
int mlx_node_namer_free(mlx_node_namer namer);

/** Names arr's node. */
int mlx_node_namer_set_name(mlx_node_namer namer, const mlx_array arr, const char *name);

/** arr's name, owned by the table; a node without one gets the next of A to Z, then AA and so on. */
int mlx_node_namer_get_name(const char **name, mlx_node_namer namer, const mlx_array arr);

/** Writes the graph of outputs as Graphviz text. */
int mlx_export_to_dot(FILE *os, const mlx_node_namer namer, const mlx_vector_array outputs);

/** Writes the graph of outputs, one node a line. */
int mlx_print_graph(FILE *os, const mlx_node_namer namer, const mlx_vector_array outputs);
#endif

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
