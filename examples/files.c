/* Files: arrays by name in safetensors and GGUF, one array in .npy; written, read back, printed. */
#include <mlx/c/mlx.h>

#include <stdio.h>
#include <string.h>

static void print(const char *what, mlx_array x)
{
    mlx_string text = mlx_string_new();
    if (mlx_array_tostring(&text, x) == 0)
        printf("%s: %s\n", what, mlx_string_data(text));
    mlx_string_free(text);
}

/* DIR/NAME in a static buffer. */
static const char *in(const char *dir, const char *name)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void safetensors(const char *dir, mlx_array x, mlx_stream s)
{
    mlx_map_string_to_array arrays = mlx_map_string_to_array_new(), read = mlx_map_string_to_array_new();
    mlx_map_string_to_string about = mlx_map_string_to_string_new(), facts = mlx_map_string_to_string_new();
    mlx_array y = mlx_array_new();
    const char *format;
    mlx_map_string_to_array_insert(arrays, "weight", x);
    mlx_map_string_to_string_insert(about, "format", "mlx");
    mlx_save_safetensors(in(dir, "x.safetensors"), arrays, about);
    mlx_load_safetensors(&read, &facts, in(dir, "x.safetensors"), s);
    mlx_map_string_to_array_get(&y, read, "weight");
    if (mlx_map_string_to_string_get(&format, facts, "format") == 0)
        printf("format: %s\n", format);
    print("safetensors", y);
    mlx_array_free(y);
    mlx_map_string_to_array_free(arrays);
    mlx_map_string_to_array_free(read);
    mlx_map_string_to_string_free(about);
    mlx_map_string_to_string_free(facts);
}

static void gguf(const char *dir, mlx_array x, mlx_stream s)
{
    mlx_io_gguf file = mlx_io_gguf_new(), read = mlx_io_gguf_new();
    mlx_string name = mlx_string_new();
    mlx_array y = mlx_array_new();
    mlx_io_gguf_set_array(file, "weight", x);
    mlx_io_gguf_set_metadata_string(file, "general.name", "an example");
    mlx_save_gguf(in(dir, "x.gguf"), file);
    mlx_load_gguf(&read, in(dir, "x.gguf"), s);
    mlx_io_gguf_get_metadata_string(&name, read, "general.name");
    mlx_io_gguf_get_array(&y, read, "weight");
    printf("name: %s\n", mlx_string_data(name));
    print("gguf", y);
    mlx_array_free(y);
    mlx_string_free(name);
    mlx_io_gguf_free(file);
    mlx_io_gguf_free(read);
}

int main(int argc, char **argv)
{
    const char *dir = argc > 1 ? argv[1] : ".";
    mlx_stream s = mlx_default_cpu_stream_new();
    mlx_array x = mlx_array_new_data((float[]){1, 2.5f, -3, 4}, (int[]){2, 2}, 2, MLX_FLOAT32),
              y = mlx_array_new();
    safetensors(dir, x, s);
    gguf(dir, x, s);
    mlx_save(in(dir, "x.npy"), x);
    mlx_load(&y, in(dir, "x.npy"), s);
    print("npy", y);
    mlx_array_free(x);
    mlx_array_free(y);
    mlx_stream_free(s);
    return 0;
}
