/* Two requests at a time: each token is printed as soon as it is there, so the two stories come interleaved.
 */
#include <mica.h>

#include <stdio.h>
#include <string.h>

static int print_piece(void *user, const lm_event *e)
{
    printf("%s %.*s\n", (const char *)user, (int)e->len, e->text);
    if (e->finish_reason)
        printf("%s ends (%s) with %zu tokens\n", (const char *)user, e->finish_reason, e->generated_tokens);
    return 0; /* anything else cancels the request */
}

int main(int argc, char **argv)
{
    static char *const PROMPTS[] = {"Once upon a time there was a dog", "The little girl went to the sea"};
    static char *const NAMES[] = {"  dog|", "       sea|"};
    lm_model *model = lm_load(argc > 1 ? argv[1] : "models/story", NULL);
    lm_engine *engine = model ? lm_engine_new(model, NULL) : NULL;
    for (int i = 0; engine && i < 2; i++) {
        lm_request request = LM_REQUEST_DEFAULT;
        int *ids;
        if (lm_tokenize(model, PROMPTS[i], strlen(PROMPTS[i]), true, &ids, &request.n_prompt))
            break;
        request.prompt = ids;
        request.max_tokens = 40;
        if (lm_engine_submit(engine, &request, print_piece, NAMES[i], NULL))
            fprintf(stderr, "%s\n", lm_error());
        lm_release(ids); /* the engine has its copy */
    }
    while (engine && lm_engine_step(engine) > 0)
        continue;
    const char *error = lm_error();
    if (*error)
        fprintf(stderr, "%s\n", error);
    lm_engine_free(engine);
    lm_free(model);
    lm_shutdown();
    return *error != 0;
}
