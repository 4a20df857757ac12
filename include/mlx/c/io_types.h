/** @file
 * What files are read through and written to. */
#ifndef MLX_C_IO_TYPES_H
#define MLX_C_IO_TYPES_H

#include "mlx/c/abi.h"
#include "mlx/c/array.h"
#include "mlx/c/string.h"
#include "mlx/c/vector.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/** What a file by callbacks does; each gets the descriptor. No status comes back from reading and writing:
 * after a failure `good` says false. */
typedef struct mlx_io_vtable_ {
    bool (*is_open)(void *desc);
    bool (*good)(void *desc);
    size_t (*tell)(void *desc);
    void (*seek)(void *desc, int64_t off, int whence); /**< SEEK_SET, SEEK_CUR, SEEK_END */
    void (*read)(void *desc, char *data, size_t n);
    void (*read_at_offset)(void *desc, char *data, size_t n, size_t off); /**< perhaps on other threads */
    void (*write)(void *desc, const char *data, size_t n);
    const char *(*label)(void *desc); /**< for messages */
    void (*free)(void *desc);
} mlx_io_vtable;

/** A file to read by callbacks. */
typedef struct mlx_io_reader_ {
    void *ctx;
} mlx_io_reader;

/** A file to write by callbacks. */
typedef struct mlx_io_writer_ {
    void *ctx;
} mlx_io_writer;

#if MLX_C_ABI >= MLX_C_ABI_0_6_0_PLUS_4
/** Arrays and metadata of a GGUF file. */
typedef struct mlx_io_gguf_ {
    void *ctx;
} mlx_io_gguf;
#endif

/** A file by callbacks, to which `desc` is passed. vtable.free(desc) runs when nothing needs it any more. */
mlx_io_reader mlx_io_reader_new(void *desc, mlx_io_vtable vtable);

/** *desc_ = the descriptor that it was made with. */
int mlx_io_reader_descriptor(void **desc_, mlx_io_reader io);

/** *str_ becomes its label. */
int mlx_io_reader_tostring(mlx_string *str_, mlx_io_reader io);

/** Drops the handle; arrays may still keep the file. */
int mlx_io_reader_free(mlx_io_reader io);

/** A file by callbacks, to which `desc` is passed. vtable.free(desc) runs when nothing needs it any more. */
mlx_io_writer mlx_io_writer_new(void *desc, mlx_io_vtable vtable);

/** *desc_ = the descriptor that it was made with. */
int mlx_io_writer_descriptor(void **desc_, mlx_io_writer io);

/** *str_ becomes its label. */
int mlx_io_writer_tostring(mlx_string *str_, mlx_io_writer io);

/** Drops the handle; arrays may still keep the file. */
int mlx_io_writer_free(mlx_io_writer io);

#if MLX_C_ABI >= MLX_C_ABI_0_6_0_PLUS_4
/** A table of arrays and metadata without entries. */
mlx_io_gguf mlx_io_gguf_new(void);

/** Drops it. */
int mlx_io_gguf_free(mlx_io_gguf io);

/** *keys becomes the names of the arrays. */
int mlx_io_gguf_get_keys(mlx_vector_string *keys, mlx_io_gguf io);

/** An array by name; an absent one is an error. */
int mlx_io_gguf_get_array(mlx_array *arr, mlx_io_gguf io, const char *key);

/** Metadata by key; absent, or of another kind, is an error. */
int mlx_io_gguf_get_metadata_array(mlx_array *arr, mlx_io_gguf io, const char *key);

/** Metadata by key; absent, or of another kind, is an error. */
int mlx_io_gguf_get_metadata_string(mlx_string *str, mlx_io_gguf io, const char *key);

/** Metadata by key; absent, or of another kind, is an error. */
int mlx_io_gguf_get_metadata_vector_string(mlx_vector_string *vstr, mlx_io_gguf io, const char *key);

/** *flag = is there metadata of this key and kind? */
int mlx_io_gguf_has_metadata_array(bool *flag, mlx_io_gguf io, const char *key);

/** *flag = is there metadata of this key and kind? */
int mlx_io_gguf_has_metadata_string(bool *flag, mlx_io_gguf io, const char *key);

/** *flag = is there metadata of this key and kind? */
int mlx_io_gguf_has_metadata_vector_string(bool *flag, mlx_io_gguf io, const char *key);

/** Puts an array under a name. */
int mlx_io_gguf_set_array(mlx_io_gguf io, const char *key, const mlx_array arr);

/** Puts metadata under a key. */
int mlx_io_gguf_set_metadata_array(mlx_io_gguf io, const char *key, const mlx_array marr);

/** Puts metadata under a key. */
int mlx_io_gguf_set_metadata_string(mlx_io_gguf io, const char *key, const char *mstr);

/** Puts metadata under a key. */
int mlx_io_gguf_set_metadata_vector_string(mlx_io_gguf io, const char *key, const mlx_vector_string mvstr);
#endif

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
