/* Steps of the automaton over sets of configurations.  What is entered and left without a byte is
 * followed at once, so that a set holds states only that read bytes. */
#include "model/schema/automaton.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

enum { SPACES_END = OMMA_SCHEMA_MAX_INDENT + 1, FIRST_FRAMES = 256 };

void omma_automaton_free(struct omma_automaton *automaton)
{
    free(automaton->nodes);
    free(automaton->states);
    free(automaton->edges);
    free(automaton->calls);
    free(automaton->properties);
    free(automaton->members);
    *automaton = (struct omma_automaton){0};
}

enum omma_status omma_automaton_run_init(struct omma_automaton_run *run,
                                         const struct omma_automaton *automaton,
                                         struct omma_error *error)
{
    *run = (struct omma_automaton_run){.automaton = automaton, .n_frames = 1};
    run->frames = calloc(FIRST_FRAMES, sizeof *run->frames);
    if (run->frames == NULL) {
        return omma_fail_memory(error, FIRST_FRAMES * sizeof *run->frames, "a schema's stacks");
    }
    run->capacity = FIRST_FRAMES;
    return OMMA_OK;
}

void omma_automaton_run_fini(struct omma_automaton_run *run)
{
    free(run->frames);
    run->frames = NULL;
}

/* The frame's index; 0 if memory is short. */
static uint32_t push(struct omma_automaton_run *run, struct omma_automaton_frame frame)
{
    if (run->n_frames == run->capacity) {
        struct omma_automaton_frame *grown =
            realloc(run->frames, 2 * (size_t)run->capacity * sizeof *grown);

        if (grown == NULL) {
            run->failed = true;
            return 0;
        }
        run->frames = grown;
        run->capacity *= 2;
    }
    run->frames[run->n_frames] = frame;
    return run->n_frames++;
}

static bool are_equal_stacks(const struct omma_automaton_run *run, uint32_t one, uint32_t other)
{
    while (one != other) {
        const struct omma_automaton_frame *a = &run->frames[one], *b = &run->frames[other];

        if (one == 0 || other == 0 || a->next != b->next || a->depth != b->depth) {
            return false;
        }
        one = a->parent;
        other = b->parent;
    }
    return true;
}

static void add(const struct omma_automaton_run *run, struct omma_automaton_set *set,
                const struct omma_automaton_config *config)
{
    for (uint32_t i = 0; i < set->n_configs; i++) {
        const struct omma_automaton_config *other = &set->configs[i];

        if (other->state == config->state && other->count == config->count &&
            other->depth == config->depth && other->inside == config->inside &&
            are_equal_stacks(run, other->stack, config->stack)) {
            return;
        }
    }
    if (set->n_configs < OMMA_SCHEMA_MAX_CHOICES) {
        set->configs[set->n_configs++] = *config;
    }
}

/* A state at which a node can only end needs no frame. */
static bool only_returns(const struct omma_automaton_state *state)
{
    return state->returns && state->n_edges == 0 && state->n_calls == 0 && !state->spaces;
}

/* Add a configuration with all that it enters and leaves without a byte.  Recursion ends soon:
 * no node calls another one first that does so too, and frames are left as the stack is deep. */
static void settle(struct omma_automaton_run *run, struct omma_automaton_config config,
                   struct omma_automaton_set *set)
{
    const struct omma_automaton *automaton = run->automaton;
    const struct omma_automaton_state *state = &automaton->states[config.state];

    if (state->is_string || state->spaces || state->n_edges > 0) {
        add(run, set, &config);
    }
    if (state->returns && config.stack == 0) {
        set->is_complete = true;
    } else if (state->returns) {
        struct omma_automaton_frame frame = run->frames[config.stack];

        settle(run,
               (struct omma_automaton_config){
                   .state = frame.next, .stack = frame.parent, .depth = frame.depth},
               set);
    }
    for (uint32_t i = 0; i < state->n_calls && !run->failed; i++) {
        const struct omma_automaton_call *call = &automaton->calls[state->first_call + i];
        const struct omma_automaton_node *node = &automaton->nodes[call->node];
        struct omma_automaton_config entered = {.state = node->start, .stack = config.stack};

        if ((uint32_t)config.depth + node->depth > OMMA_SCHEMA_MAX_DEPTH) {
            continue;
        }
        entered.depth = (uint16_t)(config.depth + node->nests);
        if (!only_returns(&automaton->states[call->next])) {
            entered.stack =
                push(run, (struct omma_automaton_frame){
                              .parent = config.stack, .next = call->next, .depth = config.depth});
        }
        settle(run, entered, set);
    }
}

void omma_automaton_begin(struct omma_automaton_run *run, struct omma_automaton_set *set)
{
    const struct omma_automaton_node *root = &run->automaton->nodes[run->automaton->root];

    set->n_configs = 0;
    set->is_complete = false;
    settle(run, (struct omma_automaton_config){.state = root->start, .depth = root->nests}, set);
}

/* Whether the name of a property goes on along the edge that may come now and whose value fits. */
static bool has_member(const struct omma_automaton *automaton,
                       const struct omma_automaton_config *config,
                       const struct omma_automaton_edge *edge)
{
    uint32_t base = automaton->states[config->state].properties;
    uint32_t last = automaton->properties[base + config->count].last;

    for (uint32_t k = 0; k < edge->n_members; k++) {
        uint32_t member = automaton->members[edge->first_member + k];

        if (member > last) {
            return false;
        }
        if (member >= config->count &&
            config->depth + automaton->properties[base + member].depth <= OMMA_SCHEMA_MAX_DEPTH) {
            return true;
        }
    }
    return false;
}

static void step_string(struct omma_automaton_run *run, struct omma_automaton_config config,
                        uint8_t byte, struct omma_automaton_set *to)
{
    const struct omma_automaton_state *state = &run->automaton->states[config.state];
    enum omma_string_state next = omma_string_next((enum omma_string_state)config.inside, byte);

    if (next == OMMA_STRING_BAD) {
        return;
    }
    if (next == OMMA_STRING_END) {
        if (config.count >= state->min_chars) {
            config.state = state->to;
            config.count = config.inside = 0;
            settle(run, config, to);
        }
        return;
    }
    if (config.inside == OMMA_STRING_TEXT) {
        if (config.count >= state->max_chars) {
            return;
        }
        config.count++;
    }
    config.inside = (uint16_t)next;
    add(run, to, &config);
}

static void step_spaces(struct omma_automaton_run *run, struct omma_automaton_config config,
                        uint8_t byte, struct omma_automaton_set *to)
{
    if (byte == '\n' && config.count == 0) {
        config.count = 1;
    } else if (byte == ' ' && config.count < SPACES_END) {
        config.count = config.count == 0 ? SPACES_END : config.count + 1;
    } else {
        return;
    }
    settle(run, config, to);
}

static void step_edges(struct omma_automaton_run *run, const struct omma_automaton_config *config,
                       uint8_t byte, struct omma_automaton_set *to)
{
    const struct omma_automaton *automaton = run->automaton;
    const struct omma_automaton_state *state = &automaton->states[config->state];

    for (uint32_t i = 0; i < state->n_edges; i++) {
        const struct omma_automaton_edge *edge = &automaton->edges[state->first_edge + i];
        bool is_key = state->properties != OMMA_SCHEMA_NONE;
        struct omma_automaton_config next = *config;

        if (byte < edge->low || byte > edge->high ||
            config->depth + (uint32_t)edge->depth > OMMA_SCHEMA_MAX_DEPTH ||
            (is_key && !has_member(automaton, config, edge))) {
            continue;
        }
        next.state = edge->to;
        if (!is_key || automaton->states[edge->to].properties == OMMA_SCHEMA_NONE) {
            next.count = edge->count;
        }
        settle(run, next, to);
    }
}

void omma_automaton_step(struct omma_automaton_run *run, const struct omma_automaton_set *from,
                         uint8_t byte, struct omma_automaton_set *to)
{
    to->n_configs = 0;
    to->is_complete = false;
    for (uint32_t i = 0; i < from->n_configs; i++) {
        const struct omma_automaton_config *config = &from->configs[i];
        const struct omma_automaton_state *state = &run->automaton->states[config->state];

        if (state->is_string) {
            step_string(run, *config, byte, to);
            continue;
        }
        if (state->spaces && (byte == ' ' || byte == '\n')) {
            step_spaces(run, *config, byte, to);
        }
        step_edges(run, config, byte, to);
    }
}

/* Frames stand behind their parents: the living are marked, then moved down in order; `moved` of a
 * frame is where it went. */
void omma_automaton_compact(struct omma_automaton_run *run, struct omma_automaton_set *set)
{
    struct omma_automaton_frame *frames = run->frames;
    uint32_t n_kept = 1;

    for (uint32_t i = 1; i < run->n_frames; i++) {
        frames[i].moved = 0;
    }
    for (uint32_t i = 0; i < set->n_configs; i++) {
        for (uint32_t at = set->configs[i].stack; at != 0 && frames[at].moved == 0;
             at = frames[at].parent) {
            frames[at].moved = at;
        }
    }
    for (uint32_t i = 1; i < run->n_frames; i++) {
        if (frames[i].moved != 0) {
            uint32_t parent = frames[i].parent;

            frames[n_kept].next = frames[i].next;
            frames[n_kept].depth = frames[i].depth;
            frames[n_kept].parent = parent == 0 ? 0 : frames[parent].moved;
            frames[i].moved = n_kept++;
        }
    }
    for (uint32_t i = 0; i < set->n_configs; i++) {
        uint32_t stack = set->configs[i].stack;

        set->configs[i].stack = stack == 0 ? 0 : frames[stack].moved;
    }
    run->n_frames = n_kept;
}

uint32_t omma_automaton_text_room(const struct omma_automaton *automaton,
                                  const struct omma_automaton_set *set, bool *is_alone)
{
    uint32_t room = 0;

    *is_alone = true;
    for (uint32_t i = 0; i < set->n_configs; i++) {
        const struct omma_automaton_config *config = &set->configs[i];
        const struct omma_automaton_state *state = &automaton->states[config->state];

        if (!state->is_string || config->inside != OMMA_STRING_TEXT) {
            *is_alone = false;
        } else if (config->count < state->max_chars) {
            room = (uint32_t)omma_max(room, state->max_chars - config->count);
        }
    }
    return room;
}
