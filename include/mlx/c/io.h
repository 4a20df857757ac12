/** @file
 * Arrays in files: npy, safetensors, GGUF. */
#ifndef MLX_C_IO_H
#define MLX_C_IO_H

#include "mlx/c/abi.h"
#include "mlx/c/array.h"
#include "mlx/c/io_types.h"
#include "mlx/c/map.h"
#include "mlx/c/stream.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/** *res becomes the array of an npy file that is read through callbacks; the reader lives as long as arrays
 * need it. */
int mlx_load_reader(mlx_array *res, mlx_io_reader in_stream, const mlx_stream s);

/** *res becomes the array of an npy file. */
int mlx_load(mlx_array *res, const char *file, const mlx_stream s);

#if MLX_C_ABI >= MLX_C_ABI_0_6_0_PLUS_4
/** *gguf becomes the tensors and metadata of a GGUF file. Q4_0, Q4_1 and Q8_0 tensors become NAME.weight,
 * NAME.scales and NAME.biases; other quantized types float16. */
int mlx_load_gguf(mlx_io_gguf *gguf, const char *file, const mlx_stream s);
#endif

/** mlx_load_safetensors through callbacks; the reader lives as long as arrays need it. */
int mlx_load_safetensors_reader(mlx_map_string_to_array *res_0, mlx_map_string_to_string *res_1,
                                mlx_io_reader in_stream, const mlx_stream s);

/** *res_0 becomes the arrays, *res_1 the metadata of a safetensors file. */
int mlx_load_safetensors(mlx_map_string_to_array *res_0, mlx_map_string_to_string *res_1, const char *file,
                         const mlx_stream s);

/** mlx_save through callbacks. */
int mlx_save_writer(mlx_io_writer out_stream, const mlx_array a);

/** Writes a in the npy format; ".npy" is added to a name without it. */
int mlx_save(const char *file, const mlx_array a);

#if MLX_C_ABI >= MLX_C_ABI_0_6_0_PLUS_4
/** Writes a GGUF file; ".gguf" is added to a name without it. float32, float16, int8, int16, int32 only. */
int mlx_save_gguf(const char *file, mlx_io_gguf gguf);
#endif

/** mlx_save_safetensors through callbacks. */
int mlx_save_safetensors_writer(mlx_io_writer in_stream, const mlx_map_string_to_array param,
                                const mlx_map_string_to_string metadata);

/** Writes arrays and metadata; ".safetensors" is added to a name without it. float64 is an error. */
int mlx_save_safetensors(const char *file, const mlx_map_string_to_array param,
                         const mlx_map_string_to_string metadata);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
