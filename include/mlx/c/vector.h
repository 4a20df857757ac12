/** @file
 * Vectors of arrays, of vectors of arrays, of numbers and of texts. */
#ifndef MLX_C_VECTOR_H
#define MLX_C_VECTOR_H

#include "mlx/c/array.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/** A vector of arrays. */
typedef struct mlx_vector_array_ {
    void *ctx;
} mlx_vector_array;

/** A vector of vectors of arrays. */
typedef struct mlx_vector_vector_array_ {
    void *ctx;
} mlx_vector_vector_array;

/** A vector of numbers. */
typedef struct mlx_vector_int_ {
    void *ctx;
} mlx_vector_int;

/** A vector of texts. */
typedef struct mlx_vector_string_ {
    void *ctx;
} mlx_vector_string;

/** A vector without entries. */
mlx_vector_array mlx_vector_array_new(void);

/** *vec becomes a copy of src. */
int mlx_vector_array_set(mlx_vector_array *vec, const mlx_vector_array src);

/** Drops it and its entries. */
int mlx_vector_array_free(mlx_vector_array vec);

/** A vector of `size` arrays, which are shared: the caller keeps its own handles. */
mlx_vector_array mlx_vector_array_new_data(const mlx_array *data, size_t size);

/** A vector of one entry. */
mlx_vector_array mlx_vector_array_new_value(const mlx_array val);

/** *vec becomes what mlx_vector_array_new_data makes. */
int mlx_vector_array_set_data(mlx_vector_array *vec, const mlx_array *data, size_t size);

/** *vec becomes a vector of one entry. */
int mlx_vector_array_set_value(mlx_vector_array *vec, const mlx_array val);

/** Adds `size` entries at the end. */
int mlx_vector_array_append_data(mlx_vector_array vec, const mlx_array *data, size_t size);

/** Adds an entry at the end. */
int mlx_vector_array_append_value(mlx_vector_array vec, const mlx_array val);

/** Number of entries. */
size_t mlx_vector_array_size(mlx_vector_array vec);

/** *res becomes entry idx, a share of its own that the caller frees. Out of range is an error. */
int mlx_vector_array_get(mlx_array *res, const mlx_vector_array vec, size_t idx);

/** A vector without entries. */
mlx_vector_vector_array mlx_vector_vector_array_new(void);

/** *vec becomes a copy of src. */
int mlx_vector_vector_array_set(mlx_vector_vector_array *vec, const mlx_vector_vector_array src);

/** Drops it and its entries. */
int mlx_vector_vector_array_free(mlx_vector_vector_array vec);

/** A copy of `size` vectors of arrays. */
mlx_vector_vector_array mlx_vector_vector_array_new_data(const mlx_vector_array *data, size_t size);

/** A vector of one entry. */
mlx_vector_vector_array mlx_vector_vector_array_new_value(const mlx_vector_array val);

/** *vec becomes what mlx_vector_vector_array_new_data makes. */
int mlx_vector_vector_array_set_data(mlx_vector_vector_array *vec, const mlx_vector_array *data, size_t size);

/** *vec becomes a vector of one entry. */
int mlx_vector_vector_array_set_value(mlx_vector_vector_array *vec, const mlx_vector_array val);

/** Adds `size` entries at the end. */
int mlx_vector_vector_array_append_data(mlx_vector_vector_array vec, const mlx_vector_array *data,
                                        size_t size);

/** Adds an entry at the end. */
int mlx_vector_vector_array_append_value(mlx_vector_vector_array vec, const mlx_vector_array val);

/** Number of entries. */
size_t mlx_vector_vector_array_size(mlx_vector_vector_array vec);

/** *res becomes a copy of entry idx. */
int mlx_vector_vector_array_get(mlx_vector_array *res, const mlx_vector_vector_array vec, size_t idx);

/** A vector without entries. */
mlx_vector_int mlx_vector_int_new(void);

/** *vec becomes a copy of src. */
int mlx_vector_int_set(mlx_vector_int *vec, const mlx_vector_int src);

/** Drops it and its entries. */
int mlx_vector_int_free(mlx_vector_int vec);

/** A copy of `size` numbers. */
mlx_vector_int mlx_vector_int_new_data(int *data, size_t size);

/** A vector of one entry. */
mlx_vector_int mlx_vector_int_new_value(int val);

/** *vec becomes what mlx_vector_int_new_data makes. */
int mlx_vector_int_set_data(mlx_vector_int *vec, int *data, size_t size);

/** *vec becomes a vector of one entry. */
int mlx_vector_int_set_value(mlx_vector_int *vec, int val);

/** Adds `size` entries at the end. */
int mlx_vector_int_append_data(mlx_vector_int vec, int *data, size_t size);

/** Adds an entry at the end. */
int mlx_vector_int_append_value(mlx_vector_int vec, int val);

/** Number of entries. */
size_t mlx_vector_int_size(mlx_vector_int vec);

/** *res = entry idx. */
int mlx_vector_int_get(int *res, const mlx_vector_int vec, size_t idx);

/** A vector without entries. */
mlx_vector_string mlx_vector_string_new(void);

/** *vec becomes a copy of src. */
int mlx_vector_string_set(mlx_vector_string *vec, const mlx_vector_string src);

/** Drops it and its entries. */
int mlx_vector_string_free(mlx_vector_string vec);

/** A copy of `size` texts. */
mlx_vector_string mlx_vector_string_new_data(const char **data, size_t size);

/** A vector of one entry. */
mlx_vector_string mlx_vector_string_new_value(const char *val);

/** *vec becomes what mlx_vector_string_new_data makes. */
int mlx_vector_string_set_data(mlx_vector_string *vec, const char **data, size_t size);

/** *vec becomes a vector of one entry. */
int mlx_vector_string_set_value(mlx_vector_string *vec, const char *val);

/** Adds `size` entries at the end. */
int mlx_vector_string_append_data(mlx_vector_string vec, const char **data, size_t size);

/** Adds an entry at the end. */
int mlx_vector_string_append_value(mlx_vector_string vec, const char *val);

/** Number of entries. */
size_t mlx_vector_string_size(mlx_vector_string vec);

/** *res = entry idx, owned by the vector. */
int mlx_vector_string_get(char **res, const mlx_vector_string vec, size_t idx);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
