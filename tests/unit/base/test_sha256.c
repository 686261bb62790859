/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 against the examples of FIPS 180-4 and NIST's validation files. */
#include "support/unit.h"

#include "base/sha256.h"

static void expect(const void *data, size_t nbytes, const char *digest)
{
    char hex[KDL__SHA256_HEX_NBYTES];
    kdl__sha256_hex(data, nbytes, hex);
    assert_string_equal(hex, digest);
}

static void digests_of_short_texts(void **state)
{
    (void)state;
    expect(NULL, 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    expect("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    expect("\xd3", 1, "28969cdfa74a12c82f3bad960b0b000aca2ac329deea5c2328ebc6f2ba9802c1");
    const char *two_blocks = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    expect(two_blocks, strlen(two_blocks),
           "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

/* 55 bytes are the most that fit one padded block, 64 are a whole one. */
static void digests_at_the_edges_of_a_block(void **state)
{
    (void)state;
    char as[128];
    memset(as, 'a', sizeof as);
    expect(as, 55, "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318");
    expect(as, 56, "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a");
    expect(as, 63, "7d3e74a05d7db15bce4ad9ec0658ea98e3f06eeecf16b4c6fff2da457ddc2f34");
    expect(as, 64, "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb");
    expect(as, 65, "635361c48bb9eab14198e76ea8ab7f1a41685d6ad62aa9146d301d4f17eb0ae0");
}

static void digest_of_a_million_letters(void **state)
{
    (void)state;
    char *as = malloc(1000000);
    assert_non_null(as);
    memset(as, 'a', 1000000);
    expect(as, 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(as);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_of_short_texts),
        cmocka_unit_test(digests_at_the_edges_of_a_block),
        cmocka_unit_test(digest_of_a_million_letters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
