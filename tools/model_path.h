/*
 * model_path.h - what -m names: a folder, or a bare name that is looked up.
 */
#ifndef OMMA_TOOLS_MODEL_PATH_H
#define OMMA_TOOLS_MODEL_PATH_H

#include "tools/status.h"

/* The folder of the model `name`, to be freed.  An existing path wins; a name without a slash is
 * looked up in the folders of $OMMA_MODEL_PATH (colons between them), in the source tree that the
 * program was built in as long as it runs from there, and in $(datadir)/omma.
 * OMMA_STATUS_MODEL, with the places that were searched. */
enum omma_status model_path_find(const char *name, char **path, struct omma_error *error);

#endif
