/*
 * excerpt.h - texts of suites and models where reports show them: cut short, and with nothing in
 * them that means something to the reader's program.
 */
#ifndef OMMA_TOOLS_EVAL_EXCERPT_H
#define OMMA_TOOLS_EVAL_EXCERPT_H

#include <stdio.h>

#include "tools/text_in.h"

/* At most so many characters, on one line: control characters become spaces. */
void excerpt_cut(struct text *text, size_t n_characters);

/* As a cell of a table in Markdown: one line, with every character that could mean something
 * escaped. */
void excerpt_markdown(FILE *out, const char *bytes, size_t n_bytes);

/* As text of an HTML element or of an attribute in quotes; what HTML cannot hold, and what is no
 * UTF-8, becomes U+FFFD. */
void excerpt_html(FILE *out, const char *bytes, size_t n_bytes);

#endif
