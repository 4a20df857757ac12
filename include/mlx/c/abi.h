/** @file
 * Which of mlx-c's binary interfaces the headers declare. The names only grow, but some functions changed
 * their parameters, so that a program and the library must have been built for the same one. */
#ifndef MLX_C_ABI_H
#define MLX_C_ABI_H

#define MLX_C_ABI_0_5_0        500 /**< the release 0.5.0 */
#define MLX_C_ABI_0_6_0        600 /**< the release 0.6.0 */
#define MLX_C_ABI_0_6_0_PLUS_4 604 /**< four commits later: GGUF, norms of Fourier transforms */
#define MLX_C_ABI_FORCE_FUSED  605 /**< and attention with the parameter force_fused */

/** The one in effect; building with -DMICA_MLXC_ABI=.. sets it. */
#ifndef MLX_C_ABI
#define MLX_C_ABI MLX_C_ABI_0_6_0_PLUS_4
#endif

#endif
