/** @file
 * What happens when a function fails. */
#ifndef MLX_C_ERROR_H
#define MLX_C_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/** What is called with the text of each error. It must return. */
typedef void (*mlx_error_handler_func)(const char *msg, void *data);

/** Reports an error: a text as printf makes it, followed by " at FILE:LINE". Use the macro mlx_error. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
void _mlx_error(const char *file, const int line, const char *fmt, ...);

/** Reports an error of the caller's own, as printf does. */
#define mlx_error(...) _mlx_error(__FILE__, __LINE__, __VA_ARGS__)

/** Every error of every thread goes to handler(text, data) on the thread where it happens; NULL brings back
 * the default, which prints "MLX error: TEXT" on stdout and exits. dtor(data) runs when the handler is
 * replaced. data is passed on only if dtor is not NULL. */
void mlx_set_error_handler(mlx_error_handler_func handler, void *data, void (*dtor)(void *));

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
