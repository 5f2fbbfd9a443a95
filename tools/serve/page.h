/*
 * page.h - the page at "/": one file without outside resources, part of the program.
 */
#ifndef OMMA_TOOLS_SERVE_PAGE_H
#define OMMA_TOOLS_SERVE_PAGE_H

#include <stddef.h>

/* page.html, made into C by make. */
extern const unsigned char page_html[];
extern const size_t page_html_bytes;

enum { PAGE_POLICY_BYTES = 512 };

/* The page with a nonce of its own, to be freed, and the content security policy that lets nothing
 * run but what has it.  NULL if memory or randomness lack. */
char *page_make(size_t *n_bytes, char policy[PAGE_POLICY_BYTES]);

#endif
