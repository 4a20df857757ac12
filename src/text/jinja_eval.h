/* Shared by the two halves of the evaluator: statements and expressions. */
#ifndef MICA_TEXT_JINJA_EVAL_H
#define MICA_TEXT_JINJA_EVAL_H

#include "text/jinja_impl.h"

typedef enum { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE } flow;

jval eval(jctx *c, jscope *s, const jnode *n);
/* Runs statements; says whether a break or continue is on its way to the loop around them. */
flow eval_body(jctx *c, jscope *s, const jbody *body);
jscope *eval_scope(jctx *c, jscope *parent);
void eval_set(jctx *c, jscope *s, const jstr *name, jval v);
/* The variable's value, undefined if there is none. */
jval eval_name(jctx *c, jscope *s, const jstr *name);
/* An N_CALL with one more keyword argument (or NULL). */
jval eval_call(jctx *c, jscope *s, const jnode *n, const jkeyword *extra);
/* A chain of N_FILTER whose innermost operand is `text`. */
jval eval_filter_of(jctx *c, jscope *s, const jnode *n, jval text);
/* Cuts the output off at `mark` and returns what was behind it. */
jval eval_captured(jctx *c, size_t mark);

#endif
