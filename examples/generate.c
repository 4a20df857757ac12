/* The smallest program that runs a model: generate MODEL_DIR "prompt". */
#include <mica.h>

#include <stdio.h>
#include <string.h>

static int print_piece(void *user, const lm_token *token)
{
    fwrite(token->text, 1, token->len, user);
    return 0; /* non-zero would stop */
}

int main(int argc, char **argv)
{
    const char *prompt = argc > 2 ? argv[2] : "Once upon a time";
    int *ids = NULL, status = 1;
    size_t n = 0;
    lm_stats stats;
    lm_model *model = lm_load(argc > 1 ? argv[1] : "models/story", NULL);
    lm_session *session = model ? lm_session_new(model) : NULL;
    lm_generate_options options = LM_GENERATE_DEFAULT;
    options.max_tokens = 40;
    if (session && lm_tokenize(model, prompt, strlen(prompt), true, &ids, &n) == 0 &&
        lm_generate(session, ids, n, &options, print_piece, stdout, &stats) == 0) {
        printf("\n%zu tokens, %.1f tokens/s\n", stats.generated_tokens, stats.generation_tps);
        status = 0;
    } else {
        fprintf(stderr, "%s\n", lm_error());
    }
    lm_release(ids);
    lm_session_free(session);
    lm_free(model);
    lm_shutdown();
    return status;
}
