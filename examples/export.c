/* Functions in files: traced on example arguments, written, read back and called; and its graph as text for
 * DOT. */
#include <mlx/c/mlx.h>

#include <stdio.h>

static mlx_stream s;

/* log(sum(exp(x))) along rows, written out */
static int function(mlx_array *out, const mlx_array x)
{
    mlx_array y = mlx_array_new();
    int rc = mlx_exp(&y, x, s) || mlx_sum_axis(&y, y, -1, false, s) || mlx_log(out, y, s);
    mlx_array_free(y);
    return rc;
}

int main(int argc, char **argv)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/function.mlxfn", argc > 1 ? argv[1] : ".");
    s = mlx_default_cpu_stream_new();
    mlx_array x = mlx_array_new_data((float[]){0, 0, 1, 2}, (int[]){2, 2}, 2, MLX_FLOAT32),
              y = mlx_array_new();
    mlx_vector_array in = mlx_vector_array_new_value(x), out = mlx_vector_array_new();
    mlx_closure f = mlx_closure_new_unary(function);
    mlx_export_function(path, f, in, false);
    mlx_imported_function read = mlx_imported_function_new(path);
    mlx_imported_function_apply(&out, read, in);
    mlx_node_namer names = mlx_node_namer_new();
    mlx_vector_array_get(&y, out, 0);
    mlx_node_namer_set_name(names, x, "x");
    mlx_node_namer_set_name(names, y, "y");
    mlx_export_to_dot(stdout, names, out);
    mlx_array_eval(y);
    printf("\nf(x) = %.4f %.4f\n", (double)mlx_array_data_float32(y)[0], (double)mlx_array_data_float32(y)[1]);
    mlx_node_namer_free(names);
    mlx_imported_function_free(read);
    mlx_closure_free(f);
    mlx_vector_array_free(in);
    mlx_vector_array_free(out);
    mlx_array_free(x);
    mlx_array_free(y);
    mlx_stream_free(s);
    return 0;
}
