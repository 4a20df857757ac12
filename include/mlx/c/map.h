/** @file
 * Maps from texts to arrays and from texts to texts. */
#ifndef MLX_C_MAP_H
#define MLX_C_MAP_H

#include "mlx/c/array.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/** A map from texts to arrays. */
typedef struct mlx_map_string_to_array_ {
    void *ctx;
} mlx_map_string_to_array;

/** A place in such a map. */
typedef struct mlx_map_string_to_array_iterator_ {
    void *ctx;
    void *map_ctx;
} mlx_map_string_to_array_iterator;

/** A map from texts to texts. */
typedef struct mlx_map_string_to_string_ {
    void *ctx;
} mlx_map_string_to_string;

/** A place in such a map. */
typedef struct mlx_map_string_to_string_iterator_ {
    void *ctx;
    void *map_ctx;
} mlx_map_string_to_string_iterator;

/** A map without entries. */
mlx_map_string_to_array mlx_map_string_to_array_new(void);

/** *map becomes a copy of src. */
int mlx_map_string_to_array_set(mlx_map_string_to_array *map, const mlx_map_string_to_array src);

/** Drops it and its entries. */
int mlx_map_string_to_array_free(mlx_map_string_to_array map);

/** Puts a share of the array under a key; what was there is replaced. */
int mlx_map_string_to_array_insert(mlx_map_string_to_array map, const char *key, const mlx_array value);

/** The value of a key, a share of its own in *value. 2, without an error, when the key is absent. */
int mlx_map_string_to_array_get(mlx_array *value, const mlx_map_string_to_array map, const char *key);

/** An iterator at the first entry of a map, which must stay as it is meanwhile. */
mlx_map_string_to_array_iterator mlx_map_string_to_array_iterator_new(mlx_map_string_to_array map);

/** Drops it. */
int mlx_map_string_to_array_iterator_free(mlx_map_string_to_array_iterator it);

/** Gives an entry and moves on; 2, without an error, at the end. The key belongs to the map. The order is
 * not fixed. */
int mlx_map_string_to_array_iterator_next(const char **key, mlx_array *value,
                                          mlx_map_string_to_array_iterator it);

/** A map without entries. */
mlx_map_string_to_string mlx_map_string_to_string_new(void);

/** *map becomes a copy of src. */
int mlx_map_string_to_string_set(mlx_map_string_to_string *map, const mlx_map_string_to_string src);

/** Drops it and its entries. */
int mlx_map_string_to_string_free(mlx_map_string_to_string map);

/** Puts a copy of the value under a key; what was there is replaced. */
int mlx_map_string_to_string_insert(mlx_map_string_to_string map, const char *key, const char *value);

/** The value of a key, owned by the map. 2, without an error, when the key is absent. */
int mlx_map_string_to_string_get(const char **value, const mlx_map_string_to_string map, const char *key);

/** An iterator at the first entry of a map, which must stay as it is meanwhile. */
mlx_map_string_to_string_iterator mlx_map_string_to_string_iterator_new(mlx_map_string_to_string map);

/** Drops it. */
int mlx_map_string_to_string_iterator_free(mlx_map_string_to_string_iterator it);

/** Gives an entry and moves on; 2, without an error, at the end. The key and the value belong to the map.
 * The order is not fixed. */
int mlx_map_string_to_string_iterator_next(const char **key, const char **value,
                                           mlx_map_string_to_string_iterator it);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
