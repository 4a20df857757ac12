/** @file
 * Texts that the library owns. */
#ifndef MLX_C_STRING_H
#define MLX_C_STRING_H

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/** A text. */
typedef struct mlx_string_ {
    void *ctx;
} mlx_string;

/** The empty handle. */
mlx_string mlx_string_new(void);

/** A copy of a text. */
mlx_string mlx_string_new_data(const char *str);

/** *str becomes a copy of src. */
int mlx_string_set(mlx_string *str, const mlx_string src);

/** The text, owned by the string; NULL with an error for an empty handle. */
const char *mlx_string_data(mlx_string str);

/** Drops it. */
int mlx_string_free(mlx_string str);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
