/*
 * suite.h - a suite to be asked: its table, what is known of its file, and the rows that are
 * chosen.
 */
#ifndef OMMA_TOOLS_EVAL_SUITE_H
#define OMMA_TOOLS_EVAL_SUITE_H

#include <pthread.h>

#include "tools/eval/pictures.h"
#include "tools/message.h"
#include "tools/options.h"

/* Which rows, in this order: those with a picture, of the categories, shuffled, the first. */
struct suite_choice {
    const struct option_list *categories; /* none: all */
    bool is_shuffled;
    uint64_t seed;
    size_t limit; /* 0: none */
};

/* Start with {.table.descriptor = -1}. */
struct suite {
    char *name;            /* "MMMU_DEV_VAL": decides prompts and scores */
    const char *known_md5; /* of the published file of that name; NULL: not known */
    struct table table;
    struct pictures pictures;
    char fingerprint[96]; /* of the file, without reading all of it again */
    uint64_t *chosen;     /* [n_chosen]: rows */
    size_t n_chosen, n_without_picture;

    /* the file's MD5, computed beside the work */
    pthread_t hasher;
    bool is_hashing;
    char md5[33];   /* after suite_await_md5() */
    int hash_error; /* errno */
};

/* path: the file, or NULL for the one of that name, in any case, in the folder `data`.  name: NULL
 * for the file's.  OMMA_STATUS_USAGE. */
enum omma_status suite_open(const char *path, const char *name, const char *data,
                            struct suite *suite, struct omma_error *error);
void suite_close(struct suite *suite);

/* OMMA_STATUS_USAGE if no row is left. */
enum omma_status suite_choose(struct suite *suite, const struct suite_choice *choice,
                              struct omma_error *error);

/* Wait for the MD5. */
enum omma_status suite_await_md5(struct suite *suite, struct omma_error *error);

#endif
