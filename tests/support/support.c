/* Paths, files and random numbers for tests.  Every failure ends the test. */
#include "support/support.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *omma_test_join(const char *dir, const char *name)
{
    char *path = NULL;

    if (asprintf(&path, "%s/%s", dir, name) < 0) {
        fail_msg("out of memory");
    }
    return path;
}

char *omma_test_source(const char *relative)
{
    const char *root = getenv("OMMA_TEST_SRCDIR");

    return omma_test_join(root != NULL ? root : ".", relative);
}

char *omma_test_shared(const char *relative)
{
    const char *root = getenv("OMMA_TEST_SHARED");
    char *path = omma_test_join(root != NULL ? root : "../shared", relative);

    if (access(path, R_OK) != 0) {
        free(path);
        return NULL;
    }
    return path;
}

/* Folders to remove at exit; a test program is one thread. */
static char **folders;
static size_t n_folders;

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

static void remove_folders(void)
{
    for (size_t i = 0; i < n_folders; i++) {
        nftw(folders[i], remove_one, 16, FTW_DEPTH | FTW_PHYS);
        free(folders[i]);
    }
    free(folders);
}

char *omma_test_folder(void)
{
    const char *base = getenv("TMPDIR");
    char *path = omma_test_join(base != NULL ? base : "/tmp", "omma-test-XXXXXX");

    if (mkdtemp(path) == NULL) {
        fail_msg("cannot make a folder %s: %s", path, strerror(errno));
    }
    folders = realloc(folders, (n_folders + 1) * sizeof *folders);
    assert_non_null(folders);
    if (n_folders == 0) {
        atexit(remove_folders);
    }
    folders[n_folders++] = strdup(path);
    return path;
}

char *omma_test_read(const char *path, size_t *n_bytes)
{
    FILE *file = fopen(path, "rb");
    size_t n = 0, capacity = 1 << 16;
    char *bytes = malloc(capacity);

    if (file == NULL || bytes == NULL) {
        fail_msg("cannot read %s: %s", path, strerror(errno));
        return NULL;
    }
    for (;;) {
        size_t got = fread(bytes + n, 1, capacity - n - 1, file);

        n += got;
        if (got == 0) {
            break;
        }
        if (n + 1 == capacity) {
            capacity *= 2;
            bytes = realloc(bytes, capacity);
            assert_non_null(bytes);
        }
    }
    fclose(file);
    bytes[n] = '\0';
    if (n_bytes != NULL) {
        *n_bytes = n;
    }
    return bytes;
}

void omma_test_write(const char *path, const void *bytes, size_t n_bytes)
{
    FILE *file = fopen(path, "wb");

    if (file == NULL || fwrite(bytes, 1, n_bytes, file) != n_bytes || fclose(file) != 0) {
        fail_msg("cannot write %s: %s", path, strerror(errno));
    }
}

void omma_test_copy(const char *from, const char *to)
{
    size_t n_bytes;
    char *bytes = omma_test_read(from, &n_bytes);

    omma_test_write(to, bytes, n_bytes);
    free(bytes);
}

void omma_test_copy_folder(const char *from, const char *to)
{
    DIR *dir = opendir(from);
    struct dirent *entry;

    if (dir == NULL) {
        fail_msg("cannot list %s: %s", from, strerror(errno));
        return;
    }
    while ((entry = readdir(dir)) != NULL) {
        char *source = omma_test_join(from, entry->d_name);
        char *target = omma_test_join(to, entry->d_name);
        struct stat status;

        if (stat(source, &status) == 0 && S_ISREG(status.st_mode)) {
            omma_test_copy(source, target);
        }
        free(source);
        free(target);
    }
    closedir(dir);
}

uint64_t omma_test_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

double omma_test_uniform(uint64_t *state, double low, double high)
{
    return low + (high - low) * ((double)(omma_test_random(state) >> 11) * 0x1p-53);
}

void omma_test_put(const char *root, const char *path, const char *text)
{
    char *full = omma_test_join(root, path);

    for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        mkdir(full, 0777);
        *slash = '/';
    }
    omma_test_write(full, text, strlen(text));
    free(full);
}
