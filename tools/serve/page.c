/* page.html with "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@" replaced by 32 random digits. */
#include "tools/serve/page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { N_NONCE = 32 };

static const char place[] = "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@";

char *page_make(size_t *n_bytes, char policy[PAGE_POLICY_BYTES])
{
    unsigned char random[N_NONCE / 2];
    char nonce[N_NONCE + 1], *text = malloc(page_html_bytes), *at = text;

    if (text == NULL || getrandom(random, sizeof random, 0) != sizeof random) {
        free(text);
        return NULL;
    }
    for (size_t i = 0; i < sizeof random; i++) {
        snprintf(nonce + 2 * i, 3, "%02x", random[i]);
    }
    memcpy(text, page_html, page_html_bytes);
    while ((at = memmem(at, (size_t)(text + page_html_bytes - at), place, N_NONCE)) != NULL) {
        memcpy(at, nonce, N_NONCE);
    }
    snprintf(policy, PAGE_POLICY_BYTES,
             "default-src 'none'; script-src 'nonce-%s'; style-src 'nonce-%s'; img-src data:; "
             "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
             nonce, nonce);
    *n_bytes = page_html_bytes;
    return text;
}
