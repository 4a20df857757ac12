/* Fuzzes the template engine: the input is a template, rendered over a fixed conversation with small limits.
 * It may fail, with exactly one error, but must neither crash nor leak. */
#include "base/error.h"
#include "base/mem.h"
#include "text/jinja.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char variables[] =
    "{\"messages\": [{\"role\": \"system\", \"content\": \"Be kind.\"}, {\"role\": \"user\", \"content\": "
    "\"h\\u00e9 \\u6f22"
    "<&>\\n\"}, {\"role\": \"assistant\", \"content\": null, \"tool_calls\": [{\"id\": \"c1\", \"function\": "
    "{\"name\": "
    "\"f\", \"arguments\": {\"x\": 1, \"y\": [1.5, true, null]}}}]}, {\"role\": \"tool\", \"content\": "
    "[{\"type\": "
    "\"text\", \"text\": \"ok\"}]}], \"tools\": [{\"name\": \"f\", \"d\": {}}], \"add_generation_prompt\": "
    "true, \"s\": "
    "\"text\", \"l\": [3, 1, 2], \"d\": {\"b\": 1, \"a\": 2.5}, \"n\": null, \"i\": 7}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static json_t *vars;
    if (!vars)
        vars = json_loads(variables, 0, NULL);
    jinja_options options = {.now_iso = "2024-07-26T15:04:05", .max_memory = 8 << 20, .max_output = 1 << 20};
    options.max_steps = 200000;
    size_t live = mem_live();
    jinja *t = jinja_compile((const char *)data, size);
    char *text = t ? jinja_render(t, vars, &options, NULL) : NULL;
    if (!text != error_pending())
        abort();
    mem_free(text);
    jinja_free(t);
    error_clear();
    if (mem_live() != live)
        abort();
    return 0;
}
