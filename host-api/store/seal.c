/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "seal.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define SALT_BYTES (FAN_SEAL_NONCE_BYTES - sizeof(uint32_t))

struct fan_seal {
	uint8_t key[FAN_SEAL_KEY_BYTES];
	uint8_t salt[SALT_BYTES];
	uint32_t number; /* of the next seal; 0: a salt is due */
	EVP_CIPHER_CTX *writing, *reading;
};

/* False when it is not 64 hex digits, with a line's end or without. */
static bool
key_from_text(uint8_t key[FAN_SEAL_KEY_BYTES], const char *text, size_t text_bytes)
{
	const size_t digits = (size_t)2 * FAN_SEAL_KEY_BYTES;

	if (text_bytes != digits && (text_bytes != digits + 1 || text[digits] != '\n'))
		return false;
	for (unsigned i = 0; i < FAN_SEAL_KEY_BYTES; i++) {
		const int high = OPENSSL_hexchar2int((unsigned char)text[2 * i]);
		const int low = OPENSSL_hexchar2int((unsigned char)text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		key[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static int
key_from_file(uint8_t key[FAN_SEAL_KEY_BYTES], int fd, const char *path)
{
	char text[2 * FAN_SEAL_KEY_BYTES + 2];
	const ssize_t text_bytes = read(fd, text, sizeof(text));
	int error = 0;

	if (text_bytes < 0)
		error = fan_fail(FAN_E_IO, "%s: %s", path, strerror(errno));
	else if (text_bytes == FAN_SEAL_KEY_BYTES)
		memcpy(key, text, FAN_SEAL_KEY_BYTES);
	else if (!key_from_text(key, text, (size_t)text_bytes))
		error = fan_fail(FAN_E_INVALID, "%s: a key-encryption key is %d octets, or %d hex digits", path,
				 FAN_SEAL_KEY_BYTES, 2 * FAN_SEAL_KEY_BYTES);
	explicit_bzero(text, sizeof(text));
	return error;
}

static int
check_key_file(int fd, const char *path)
{
	struct stat stat;
	unsigned mode;

	if (fstat(fd, &stat) != 0)
		return fan_fail(FAN_E_IO, "%s: %s", path, strerror(errno));
	mode = stat.st_mode & 07777U;
	if (!S_ISREG(stat.st_mode))
		return fan_fail(FAN_E_INVALID, "%s is no file; a key-encryption key is one of %d octets", path,
				FAN_SEAL_KEY_BYTES);
	if (stat.st_uid != geteuid() && stat.st_uid != 0)
		return fan_fail(FAN_E_INVALID,
				"%s belongs to user %u; a key-encryption key belongs to the user who runs this, %u, or to root",
				path, stat.st_uid, geteuid());
	/* A credential of systemd is root's, and an access list, which shows as the group's rights, lets this user read it. */
	if (mode != 0600 && mode != 0400 && (mode != 0440 || stat.st_uid != 0 || stat.st_gid != 0))
		return fan_fail(FAN_E_INVALID, "%s has mode %04o; a key-encryption key has 0600 or 0400: chmod 600 %s", path,
				mode, path);
	return 0;
}

int
fan_seal_key_read(uint8_t key[FAN_SEAL_KEY_BYTES], const char *path)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int error;

	memset(key, 0, FAN_SEAL_KEY_BYTES);
	if (fd < 0)
		return fan_fail(errno == ENOENT ? FAN_E_NOT_FOUND : FAN_E_IO, "key-encryption key %s: %s", path,
				strerror(errno));
	error = check_key_file(fd, path);
	if (error == 0)
		error = key_from_file(key, fd, path);
	(void)close(fd);
	if (error != 0)
		explicit_bzero(key, FAN_SEAL_KEY_BYTES);
	return error;
}

static int
draw(void *octets, size_t octet_count)
{
	if (getrandom(octets, octet_count, 0) != (ssize_t)octet_count)
		return fan_fail(FAN_E_IO, "no random octets: %s", strerror(errno));
	return 0;
}

int
fan_seal_key_draw(uint8_t key[FAN_SEAL_KEY_BYTES])
{
	return draw(key, FAN_SEAL_KEY_BYTES);
}

void
fan_seal_hash(uint8_t *out, size_t out_bytes, const char *domain, const void *octets, size_t octet_count)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *const context = EVP_MD_CTX_new();

	FAN_REQUIRE(context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
		    EVP_DigestUpdate(context, domain, strlen(domain)) == 1 &&
		    EVP_DigestUpdate(context, octets, octet_count) == 1 && EVP_DigestFinal_ex(context, digest, NULL) == 1);
	memcpy(out, digest, out_bytes);
	EVP_MD_CTX_free(context);
}

int
fan_seal_open(struct fan_seal **out, const uint8_t key[FAN_SEAL_KEY_BYTES])
{
	struct fan_seal *seal = mmap(NULL, sizeof(*seal), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*out = NULL;
	if (seal == MAP_FAILED)
		return fan_fail(FAN_E_MEMORY, "no memory for a key");
	(void)madvise(seal, sizeof(*seal), MADV_DONTDUMP);
	(void)mlock(seal, sizeof(*seal));
	memcpy(seal->key, key, FAN_SEAL_KEY_BYTES);
	seal->writing = EVP_CIPHER_CTX_new();
	seal->reading = EVP_CIPHER_CTX_new();
	if (seal->writing == NULL || seal->reading == NULL ||
	    EVP_EncryptInit_ex(seal->writing, EVP_aes_256_gcm(), NULL, key, NULL) != 1 ||
	    EVP_DecryptInit_ex(seal->reading, EVP_aes_256_gcm(), NULL, key, NULL) != 1) {
		fan_seal_close(seal);
		return fan_fail(FAN_E_MEMORY, "OpenSSL has no memory for AES-256-GCM, or no such cipher");
	}
	*out = seal;
	return 0;
}

void
fan_seal_close(struct fan_seal *seal)
{
	if (seal == NULL)
		return;
	EVP_CIPHER_CTX_free(seal->writing);
	EVP_CIPHER_CTX_free(seal->reading);
	explicit_bzero(seal, sizeof(*seal));
	(void)munmap(seal, sizeof(*seal));
}

const uint8_t *
fan_seal_key(const struct fan_seal *seal)
{
	return seal->key;
}

/* Out: a nonce that no seal had under this key. */
static int
next_nonce(struct fan_seal *seal, uint8_t nonce[FAN_SEAL_NONCE_BYTES])
{
	if (seal->number == 0) {
		const int error = draw(seal->salt, SALT_BYTES);

		if (error != 0)
			return error;
	}
	memcpy(nonce, seal->salt, SALT_BYTES);
	memcpy(nonce + SALT_BYTES, &seal->number, sizeof(seal->number));
	seal->number++;
	return 0;
}

/* Name and clear part as associated data; both directions. */
static bool
associate(EVP_CIPHER_CTX *context, const struct fan_sealed *sealed)
{
	int done;

	return EVP_CipherUpdate(context, NULL, &done, sealed->name, (int)sealed->name_bytes) == 1 &&
	       EVP_CipherUpdate(context, NULL, &done, sealed->clear, (int)sealed->clear_bytes) == 1;
}

int
fan_seal_write(struct fan_seal *seal, uint8_t *out, const struct fan_sealed *sealed, const uint8_t *secret, size_t secret_bytes)
{
	uint8_t *const hidden = out + FAN_SEAL_NONCE_BYTES;
	const int error = next_nonce(seal, out);
	int done = 0;

	if (error != 0)
		return error;
	if (EVP_EncryptInit_ex(seal->writing, NULL, NULL, NULL, out) != 1 || !associate(seal->writing, sealed) ||
	    (secret_bytes > 0 && EVP_EncryptUpdate(seal->writing, hidden, &done, secret, (int)secret_bytes) != 1) ||
	    EVP_EncryptFinal_ex(seal->writing, hidden + secret_bytes, &done) != 1 ||
	    EVP_CIPHER_CTX_ctrl(seal->writing, EVP_CTRL_AEAD_GET_TAG, FAN_SEAL_TAG_BYTES, hidden + secret_bytes) != 1)
		return fan_fail(FAN_E_MEMORY, "OpenSSL could not seal a record");
	return 0;
}

bool
fan_seal_read(struct fan_seal *seal, uint8_t *secret, const struct fan_sealed *sealed, const uint8_t *in, size_t secret_bytes)
{
	const uint8_t *const hidden = in + FAN_SEAL_NONCE_BYTES;
	uint8_t tag[FAN_SEAL_TAG_BYTES], rest[FAN_SEAL_TAG_BYTES];
	int done = 0;

	memcpy(tag, hidden + secret_bytes, sizeof(tag));
	if (EVP_DecryptInit_ex(seal->reading, NULL, NULL, NULL, in) == 1 && associate(seal->reading, sealed) &&
	    (secret_bytes == 0 || EVP_DecryptUpdate(seal->reading, secret, &done, hidden, (int)secret_bytes) == 1) &&
	    EVP_CIPHER_CTX_ctrl(seal->reading, EVP_CTRL_AEAD_SET_TAG, FAN_SEAL_TAG_BYTES, tag) == 1 &&
	    EVP_DecryptFinal_ex(seal->reading, rest, &done) == 1)
		return true;
	if (secret_bytes > 0)
		explicit_bzero(secret, secret_bytes);
	return false;
}
