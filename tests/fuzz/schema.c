/*
 * JSON schemas of a stranger.  What is accepted has no dead ends: from every place some byte leads
 * on, or the text is complete; and what is complete is JSON.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/philox.h"
#include "model/schema/automaton_build.h"

enum { MAX_STEPS = 400, N_WALKS = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static void require(int condition)
{
    if (!condition) {
        abort();
    }
}

/* The first byte from a random one on that may come; quotes and brackets close early in the order
 * of every second walk, so that some texts end.  -1: none may. */
static int find_byte(struct omma_automaton_run *run, const struct omma_automaton_set *from,
                     uint32_t random, struct omma_automaton_set *to)
{
    static const char closing[] = "}]\"";
    uint32_t n_frames = run->n_frames;

    for (int i = random % 2 == 0 ? 3 : 0; i < 3 + 256; i++) {
        uint8_t byte = (uint8_t)(i < 3 ? (uint32_t)closing[i] : random / 2 + (uint32_t)i * 37);

        omma_automaton_step(run, from, byte, to);
        require(!run->failed);
        if (to->n_configs > 0 || to->is_complete) {
            return byte;
        }
        run->n_frames = n_frames;
    }
    return -1;
}

static void walk(const struct omma_automaton *automaton, uint64_t seed)
{
    struct omma_automaton_run run;
    struct omma_automaton_set sets[2];
    char text[MAX_STEPS];
    size_t n = 0;

    require(omma_automaton_run_init(&run, automaton, NULL) == OMMA_OK);
    omma_automaton_begin(&run, &sets[0]);
    while (n < MAX_STEPS) {
        const struct omma_automaton_set *from = &sets[n % 2];
        uint32_t random = (uint32_t)(omma_philox_uniform(seed, n) * 4294967296.0);
        int byte;

        if (from->is_complete) {
            json_t *value = json_loadb(text, n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

            require(value != NULL);
            json_decref(value);
        }
        byte = find_byte(&run, from, random, &sets[1 - n % 2]);
        require(byte >= 0 || from->is_complete);
        if (byte < 0) {
            break;
        }
        text[n++] = (char)byte;
        if (n % 5 == 0) {
            omma_automaton_compact(&run, &sets[n % 2]);
        }
    }
    omma_automaton_run_fini(&run);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct omma_automaton automaton;
    struct omma_value_tree tree;
    struct omma_error error;

    if (omma_value_tree_read((const char *)bytes, n_bytes, &tree, &error) != OMMA_OK) {
        require(error.status == OMMA_STATUS_USAGE && error.message[0] != '\0');
        return 0;
    }
    if (omma_automaton_build(&tree, &automaton, &error) == OMMA_OK) {
        for (uint64_t seed = 0; seed < N_WALKS; seed++) {
            walk(&automaton, seed + n_bytes);
        }
        omma_automaton_free(&automaton);
    }
    omma_value_tree_free(&tree);
    return 0;
}
