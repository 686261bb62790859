/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Outputs where the file system or the disk refuses something. The source is included here with
 * the system calls replaced by ones that fail on demand.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/unit.h"

#include "checkpoint/checkpoint.h"

/* What each call is to fail with; 0: it works. */
static struct {
    int tmpfile, proc, reserve, map, write, rename, sync;
    bool short_writes;
} faults;

static int fault(int error)
{
    errno = error;
    return error ? -1 : 0;
}

static int test_openat(int directory, const char *name, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    if ((flags & O_TMPFILE) == O_TMPFILE && fault(faults.tmpfile))
        return -1;
    return openat(directory, name, flags, mode);
}

static int test_access(const char *name, int mode)
{
    return fault(faults.proc) ? -1 : access(name, mode);
}

static int test_fallocate(int file, int mode, off_t offset, off_t nbytes)
{
    return fault(faults.reserve) ? -1 : fallocate(file, mode, offset, nbytes);
}

static void *test_mmap(void *where, size_t nbytes, int protection, int flags, int file,
                       off_t offset)
{
    return fault(faults.map) ? MAP_FAILED : mmap(where, nbytes, protection, flags, file, offset);
}

/* With short_writes: every other call is interrupted, the others write 4099 bytes. */
static ssize_t test_pwrite(int file, const void *bytes, size_t nbytes, off_t offset)
{
    static int calls;
    if (fault(faults.write) || (faults.short_writes && fault(++calls % 2 ? EINTR : 0)))
        return -1;
    return pwrite(file, bytes, faults.short_writes && nbytes > 4099 ? 4099 : nbytes, offset);
}

static int test_renameat2(int from, const char *old, int to, const char *new, unsigned flags)
{
    return fault(faults.rename) ? -1 : renameat2(from, old, to, new, flags);
}

static int test_fsync(int file)
{
    return fault(faults.sync) ? -1 : fsync(file);
}

#define openat test_openat
#define access test_access
#define fallocate test_fallocate
#define mmap test_mmap
#define pwrite test_pwrite
#define renameat2 test_renameat2
#define fsync test_fsync
#include "checkpoint/output.c"

static const char folder[] = "output";
static kdl_context *ctx;
static bool sync_files;

static void empty_folder(void)
{
    DIR *entries = opendir(folder);
    assert_non_null(entries);
    for (struct dirent *entry = readdir(entries); entry; entry = readdir(entries))
        unlinkat(dirfd(entries), entry->d_name, 0);
    closedir(entries);
}

static int count_files(void)
{
    int count = 0;
    DIR *entries = opendir(folder);
    assert_non_null(entries);
    for (struct dirent *entry = readdir(entries); entry; entry = readdir(entries))
        count += entry->d_type == DT_REG;
    closedir(entries);
    return count;
}

static int set_up(void **state)
{
    (void)state;
    memset(&faults, 0, sizeof faults);
    sync_files = false;
    mkdir(folder, 0777);
    empty_folder();
    ctx = kdl_context_new(NULL);
    return ctx ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    kdl_context_release(ctx);
    return 0;
}

static const size_t size = KDL__OUTPUT_WINDOW + 12345;

static char expected_byte(size_t at)
{
    return (char)(at * 2654435761u >> 7);
}

/* Writes `size` bytes through two windows; the status of the first failing step. */
static kdl_status write_file(const char *path, bool force)
{
    kdl__output *output = kdl__output_open(ctx, path, force, size);
    for (size_t at = 0; output && at < size && !kdl__failed(ctx); at += KDL__OUTPUT_WINDOW) {
        size_t nbytes = size - at < KDL__OUTPUT_WINDOW ? size - at : KDL__OUTPUT_WINDOW;
        char *window = kdl__output_window(output, at, nbytes);
        for (size_t i = 0; window && i < nbytes; i++)
            window[i] = expected_byte(at + i);
        if (window)
            kdl__output_store(output);
    }
    if (!kdl__failed(ctx))
        kdl__output_publish(output, sync_files);
    kdl__output_close(output);
    return kdl_error_status(ctx);
}

static void check_file(const char *path)
{
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, size);
    char *bytes = malloc(size);
    FILE *file = fopen(path, "rb");
    assert_non_null(bytes);
    assert_non_null(file);
    assert_int_equal(fread(bytes, 1, size, file), size);
    fclose(file);
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != expected_byte(i))
            fail_msg("byte %zu differs", i);
    free(bytes);
}

/* The file is written, anew and over another, and nothing else is left. */
static void expect_success(void)
{
    assert_int_equal(write_file("output/file", false), KDL_OK);
    check_file("output/file");
    assert_int_equal(truncate("output/file", 1), 0);
    assert_int_equal(write_file("output/file", true), KDL_OK);
    check_file("output/file");
    assert_int_equal(count_files(), 1);
}

static void expect_failure(const char *message)
{
    assert_int_equal(write_file("output/file", false), KDL_ERROR_IO);
    assert_error(ctx, KDL_ERROR_IO, message);
    assert_int_equal(count_files(), 0);
}

static void all_calls_work(void **state)
{
    (void)state;
    expect_success();
    sync_files = true;
    assert_int_equal(write_file("output/file", true), KDL_OK);
    check_file("output/file");
}

static void without_nameless_files(void **state)
{
    (void)state;
    faults.tmpfile = EOPNOTSUPP;
    expect_success();
}

static void without_proc(void **state)
{
    (void)state;
    faults.proc = ENOENT;
    expect_success();
}

static void without_reservation(void **state)
{
    (void)state;
    faults.reserve = EOPNOTSUPP;
    expect_success();
}

static void without_mappings(void **state)
{
    (void)state;
    faults.map = ENODEV;
    expect_success();
}

static void short_and_interrupted_writes(void **state)
{
    (void)state;
    faults.reserve = ENOSYS;
    faults.short_writes = true;
    assert_int_equal(write_file("output/file", false), KDL_OK);
    check_file("output/file");
}

static void without_exclusive_renames(void **state)
{
    (void)state;
    faults.tmpfile = EISDIR;
    faults.rename = EINVAL;
    expect_success();
}

static void full_disk_is_found_before_writing(void **state)
{
    (void)state;
    faults.reserve = ENOSPC;
    expect_failure("cannot write 'output/file': No space left on device");
    faults.tmpfile = EOPNOTSUPP;
    expect_failure("cannot write 'output/file': No space left on device");
}

static void full_disk_while_writing(void **state)
{
    (void)state;
    faults.reserve = EOPNOTSUPP;
    faults.write = ENOSPC;
    expect_failure("cannot write 'output/file': No space left on device");
    faults.tmpfile = EOPNOTSUPP;
    expect_failure("cannot write 'output/file': No space left on device");
}

static void disk_errors_when_synced(void **state)
{
    (void)state;
    sync_files = true;
    faults.sync = EIO;
    expect_failure("cannot write 'output/file': Input/output error");
}

static void a_name_taken_meanwhile_is_kept(void **state)
{
    (void)state;
    for (int named = 0; named < 2; named++) {
        faults.tmpfile = named ? EOPNOTSUPP : 0;
        kdl__output *output = kdl__output_open(ctx, "output/file", false, 10);
        memset(kdl__output_window(output, 0, 10), 'x', 10);
        kdl__output_store(output);
        FILE *other = fopen("output/file", "w");
        fputs("theirs", other);
        fclose(other);
        kdl__output_publish(output, false);
        kdl__output_close(output);
        assert_error(ctx, KDL_ERROR_IO, "cannot write 'output/file': File exists");
        struct stat status;
        assert_int_equal(stat("output/file", &status), 0);
        assert_int_equal(status.st_size, 6);
        assert_int_equal(count_files(), 1);
        empty_folder();
    }
}

/* A file that is not published leaves the one it was to replace, and nothing else. */
static void an_abandoned_file_is_gone(void **state)
{
    (void)state;
    for (int named = 0; named < 2; named++) {
        faults.tmpfile = named ? EOPNOTSUPP : 0;
        assert_int_equal(write_file("output/file", true), KDL_OK);
        kdl__output *output = kdl__output_open(ctx, "output/file", true, 10);
        memset(kdl__output_window(output, 0, 10), 'x', 10);
        kdl__output_close(output);
        check_file("output/file");
        assert_int_equal(count_files(), 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_calls_work, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_nameless_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_proc, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_reservation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_mappings, set_up, tear_down),
        cmocka_unit_test_setup_teardown(short_and_interrupted_writes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_exclusive_renames, set_up, tear_down),
        cmocka_unit_test_setup_teardown(full_disk_is_found_before_writing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(full_disk_while_writing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(disk_errors_when_synced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_name_taken_meanwhile_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_abandoned_file_is_gone, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
