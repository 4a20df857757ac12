/** @file
 * Functions in files. */
#ifndef MLX_C_EXPORT_H
#define MLX_C_EXPORT_H

#include "mlx/c/closure.h"
#include "mlx/c/map.h"
#include "mlx/c/vector.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/** A file that traces are being written to. */
typedef struct mlx_function_exporter_ {
    void *ctx;
} mlx_function_exporter;

/** What was read from such a file. */
typedef struct mlx_imported_function_ {
    void *ctx;
} mlx_imported_function;

/** Traces fun on args and writes the graph to a file. shapeless: for all shapes with as many axes. */
int mlx_export_function(const char *file, const mlx_closure fun, const mlx_vector_array args, bool shapeless);

/** The same for a function that also takes arrays by name. */
int mlx_export_function_kwargs(const char *file, const mlx_closure_kwargs fun, const mlx_vector_array args,
                               const mlx_map_string_to_array kwargs, bool shapeless);

/** Opens a file for traces of one function on several kinds of inputs. */
mlx_function_exporter mlx_function_exporter_new(const char *file, const mlx_closure fun, bool shapeless);

/** Closes the file and drops the handle. */
int mlx_function_exporter_free(mlx_function_exporter xfunc);

/** Traces on args and adds that to the file. A kind of inputs that is there already is an error. */
int mlx_function_exporter_apply(const mlx_function_exporter xfunc, const mlx_vector_array args);

/** The same, with arrays by name recorded too. */
int mlx_function_exporter_apply_kwargs(const mlx_function_exporter xfunc, const mlx_vector_array args,
                                       const mlx_map_string_to_array kwargs);

/** Reads a file that an exporter wrote; a bad file is an error. */
mlx_imported_function mlx_imported_function_new(const char *file);

/** Drops the handle. */
int mlx_imported_function_free(mlx_imported_function xfunc);

/** Runs the trace whose inputs have the same number, shapes (numbers of axes when shapeless) and dtypes; an
 * error when there is none. */
int mlx_imported_function_apply(mlx_vector_array *res, const mlx_imported_function xfunc,
                                const mlx_vector_array args);

/** The same, with arrays by name. */
int mlx_imported_function_apply_kwargs(mlx_vector_array *res, const mlx_imported_function xfunc,
                                       const mlx_vector_array args, const mlx_map_string_to_array kwargs);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
