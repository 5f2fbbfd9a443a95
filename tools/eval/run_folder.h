/*
 * run_folder.h - what a run of `omma eval` left: a folder with manifest.json and the file of
 * predictions that it names; or such a file alone, as VLMEvalKit writes it.
 */
#ifndef OMMA_TOOLS_EVAL_RUN_FOLDER_H
#define OMMA_TOOLS_EVAL_RUN_FOLDER_H

#include <jansson.h>

#include "tools/status.h"

struct run_folder {
    char *predictions; /* path of the file */
    char *suite;       /* whose name decides how it is scored */
    json_t *manifest;  /* NULL: there is none */
};

/* path: a folder, or a file of predictions.  suite: NULL, or its name where the manifest has none;
 * without either a file's own name stands for it, which ends with the suite's.  OMMA_STATUS_USAGE
 * if there is no run. */
enum omma_status run_folder_open(const char *path, const char *suite, struct run_folder *run,
                                 struct omma_error *error);
void run_folder_close(struct run_folder *run);

#endif
