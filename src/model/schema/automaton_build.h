/*
 * automaton_build.h - from sets of values to the automaton that reads their texts.
 */
#ifndef OMMA_SCHEMA_AUTOMATON_BUILD_H
#define OMMA_SCHEMA_AUTOMATON_BUILD_H

#include "model/schema/automaton.h"
#include "model/schema/value_tree.h"

enum { OMMA_SCHEMA_MAX_STATES = 1 << 20 };

/* Node i reads value i.  OMMA_STATUS_USAGE if it took more than OMMA_SCHEMA_MAX_STATES states. */
enum omma_status omma_automaton_build(const struct omma_value_tree *tree,
                                      struct omma_automaton *automaton, struct omma_error *error);

#endif
