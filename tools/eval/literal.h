/*
 * literal.h - lists written as Python writes them, which suites have in cells ("['3/11', '8/11']").
 *
 * VLMEvalKit hands such a cell to eval(); here it is parsed, and only strings, numbers, True, False
 * and None may stand in the list.
 */
#ifndef OMMA_TOOLS_EVAL_LITERAL_H
#define OMMA_TOOLS_EVAL_LITERAL_H

#include "tools/eval/pytext.h"

/* Each item as str() shows it. */
struct literal_list {
    struct text *items;
    size_t n_items;
};

/* *is_list is false, and the list empty, if the text is none or holds something else.  Release with
 * literal_list_free(). */
enum omma_status literal_list_parse(struct slice text, struct literal_list *list, bool *is_list,
                                    struct omma_error *error);
void literal_list_free(struct literal_list *list);

#endif
