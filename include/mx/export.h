/* Graphs outside the program: as text, and functions in files. */
#ifndef MX_EXPORT_H
#define MX_EXPORT_H

#include "mx/compile.h"

#include <stdio.h>

/* Names of arrays. It keeps the arrays that it has named. */
typedef struct mx_node_namer mx_node_namer;

/* NULL with an error when memory is out. */
MX_API mx_node_namer *mx_node_namer_new(void);
/* NULL is fine. */
MX_API void mx_node_namer_free(mx_node_namer *namer);
/* Copies the name. 0 or -1. */
MX_API int mx_node_namer_set_name(mx_node_namer *namer, mlx_array x, const char *name);
/* The array's name, which lives as long as the namer or until another is set; an array without one gets A, B
 * .. Z, AA .. by the number of names so far. NULL with an error when memory is out. */
MX_API const char *mx_node_namer_get_name(mx_node_namer *namer, mlx_array x);

/* Writes the graph that leads to the outputs, which is not evaluated: as a Graphviz digraph, or as the names
 * of its inputs and outputs and then a line a node, inputs before users. What is computed already, or handed
 * to a stream, is an input. 0, or -1 with an error. */
MX_API int mx_export_to_dot(FILE *file, mx_node_namer *namer, const mlx_array *outputs, size_t n);
MX_API int mx_print_graph(FILE *file, mx_node_namer *namer, const mlx_array *outputs, size_t n);

/* --- functions in files --- */

/* Writes functions: each call of mx_function_exporter_apply adds the graph of f for arguments of these shapes
 * and dtypes (shapeless: numbers of dimensions and dtypes). Keyword arguments have names and are handed to f
 * after the others, in the order of their names. */
typedef struct mx_function_exporter mx_function_exporter;
/* f and user must live as long. NULL with an error when memory is out. */
MX_API mx_function_exporter *mx_function_exporter_new(const char *file, mx_list_function f, void *user,
                                                      bool shapeless);
/* Traces f and writes the file anew, whole or not at all. 0, or -1 with an error: the same signature was
 * there already, or f has a primitive that files do not have. */
MX_API int mx_function_exporter_apply(mx_function_exporter *e, const mlx_array *args, size_t n,
                                      const char *const *names, const mlx_array *kwargs, size_t n_kwargs);
/* NULL is fine. */
MX_API void mx_function_exporter_free(mx_function_exporter *e);

typedef struct mx_imported_function mx_imported_function;
/* Reads a file. NULL with an error that names it. */
MX_API mx_imported_function *mx_imported_function_new(const char *file);
/* Adds the results for these arguments to `out`, by the signature that fits. They may be traced: an imported
 * function can be transformed, compiled and exported again. 0, or -1 with an error. */
MX_API int mx_imported_function_apply(const mx_imported_function *f, const mlx_array *args, size_t n,
                                      const char *const *names, const mlx_array *kwargs, size_t n_kwargs,
                                      mx_arrays *out);
/* NULL is fine. */
MX_API void mx_imported_function_free(mx_imported_function *f);

#endif
