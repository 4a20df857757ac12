/* Kernels from source text for one kind of device: the object of settings, which serves all launches. The
 * includer defines KERNEL (mlx_fast_<kind>_kernel). */
#define FN_(name, suffix)  name##_##suffix
#define FN__(name, suffix) FN_(name, suffix)
#define FN(suffix)         FN__(KERNEL, suffix)
#define TEXT_(name)        #name
#define TEXT__(name)       TEXT_(name)
#define CONFIG_TEXT        TEXT__(KERNEL) "_config"

FN(config) FN(config_new)(void)
{
    capi_begin();
    launch *l = mem_calloc(1, sizeof *l);
    if (!l)
        REPORT();
    return (FN(config)){l};
}

void FN(config_free)(FN(config) cls) { launch_free(cls.ctx); }

int FN(config_add_output_arg)(FN(config) cls, const int *shape, size_t size, mlx_dtype dtype)
{
    capi_begin();
    launch *l = capi_need(cls.ctx, CONFIG_TEXT);
    return STATUS(!l || launch_add_output(l, shape, size, dtype));
}

int FN(config_set_grid)(FN(config) cls, int grid1, int grid2, int grid3)
{
    capi_begin();
    launch *l = capi_need(cls.ctx, CONFIG_TEXT);
    if (l)
        memcpy(l->grid, (int[]){grid1, grid2, grid3}, sizeof l->grid);
    return STATUS(!l);
}

int FN(config_set_thread_group)(FN(config) cls, int thread1, int thread2, int thread3)
{
    capi_begin();
    launch *l = capi_need(cls.ctx, CONFIG_TEXT);
    if (l)
        memcpy(l->group, (int[]){thread1, thread2, thread3}, sizeof l->group);
    return STATUS(!l);
}

int FN(config_set_init_value)(FN(config) cls, float value)
{
    capi_begin();
    launch *l = capi_need(cls.ctx, CONFIG_TEXT);
    if (l)
        l->init = (mlx_optional_float){value, true};
    return STATUS(!l);
}

int FN(config_set_verbose)(FN(config) cls, bool verbose)
{
    capi_begin();
    launch *l = capi_need(cls.ctx, CONFIG_TEXT);
    if (l)
        l->verbose = verbose;
    return STATUS(!l);
}

int FN(config_add_template_arg_dtype)(FN(config) cls, const char *name, mlx_dtype dtype)
{
    capi_begin();
    launch *l = capi_need(cls.ctx, CONFIG_TEXT);
    return STATUS(!l || launch_add_argument(l, name, TEMPLATE_DTYPE, (int)dtype));
}

int FN(config_add_template_arg_int)(FN(config) cls, const char *name, int value)
{
    capi_begin();
    launch *l = capi_need(cls.ctx, CONFIG_TEXT);
    return STATUS(!l || launch_add_argument(l, name, TEMPLATE_INT, value));
}

int FN(config_add_template_arg_bool)(FN(config) cls, const char *name, bool value)
{
    capi_begin();
    launch *l = capi_need(cls.ctx, CONFIG_TEXT);
    return STATUS(!l || launch_add_argument(l, name, TEMPLATE_BOOL, value));
}

#undef FN_
#undef FN__
#undef FN
#undef TEXT_
#undef TEXT__
#undef CONFIG_TEXT
#undef KERNEL
