/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "application.h"

#include <openssl/evp.h>
#include <string.h>

#define TEXT(text)                                                                                                             \
	{                                                                                                                      \
		(text), (uint16_t)strlen(text)                                                                                 \
	}
#define COUNT_OF(list) (unsigned)(sizeof(list) / sizeof((list)[0]))
#define SUPI_BYTES_MAX 1024

static int
check_text(const char *what, const char *text, size_t most)
{
	const size_t text_bytes = strnlen(text, most + 1);

	if (text_bytes == 0 || text_bytes > most)
		return fan_fail(FAN_E_INVALID, "%s of %zu octets: 1 to %zu", what, text_bytes, most);
	return 0;
}

int
fan_application_name(struct fan_application *out, const char *fqdn, const uint8_t protocol[FAN_UA_BYTES])
{
	const int error = check_text("an application's FQDN", fqdn, FAN_FQDN_BYTES_MAX);

	memset(out, 0, sizeof(*out));
	if (error != 0)
		return error;
	out->byte_count = (uint16_t)strlen(fqdn);
	memcpy(out->octets, fqdn, out->byte_count);
	memcpy(out->octets + out->byte_count, protocol, FAN_UA_BYTES);
	out->byte_count += FAN_UA_BYTES;
	return 0;
}

static int
check_application(const struct fan_application *application)
{
	if (application->byte_count <= FAN_UA_BYTES || application->byte_count > sizeof(application->octets))
		return fan_fail(FAN_E_INVALID, "an application's name of %u octets: %d to %zu", application->byte_count,
				FAN_UA_BYTES + 1, sizeof(application->octets));
	return 0;
}

/* ---- GBA ---------------------------------------------------------------------------------------------------------------- */

int
fan_gba_impi(char out[FAN_IMPI_BYTES], const char *imsi, unsigned mnc_digits)
{
	const size_t digits = strspn(imsi, "0123456789");

	out[0] = '\0';
	if (imsi[digits] != '\0' || digits < 6 || digits > 15)
		return fan_fail(FAN_E_INVALID, "an IMSI has 6 to 15 digits");
	if (mnc_digits != 2 && mnc_digits != 3)
		return fan_fail(FAN_E_INVALID, "an MNC of %u digits: 2 or 3", mnc_digits);
	(void)snprintf(out, FAN_IMPI_BYTES, "%s@ims.mnc%s%.*s.mcc%.3s.3gppnetwork.org", imsi, mnc_digits == 2 ? "0" : "",
		       (int)mnc_digits, imsi + 3, imsi);
	return 0;
}

int
fan_gba_b_tid(char out[FAN_B_TID_BYTES], const uint8_t rand[FAN_RAND_BYTES], const char *bsf_fqdn)
{
	const int error = check_text("a BSF's FQDN", bsf_fqdn, FAN_FQDN_BYTES_MAX);
	uint8_t text[25];

	out[0] = '\0';
	if (error != 0)
		return error;
	(void)EVP_EncodeBlock(text, rand, FAN_RAND_BYTES);
	(void)snprintf(out, FAN_B_TID_BYTES, "%.24s@%s", (const char *)text, bsf_fqdn);
	return 0;
}

int
fan_gba_key(uint8_t out[FAN_KDF_BYTES], const uint8_t ck[FAN_CK_BYTES], const uint8_t ik[FAN_CK_BYTES], enum fan_gba_key which,
	    const uint8_t rand[FAN_RAND_BYTES], const char *impi, const struct fan_application *naf)
{
	const char *label = which == FAN_GBA_INT_NAF ? "gba-u" : "gba-me";
	uint8_t ks[2 * FAN_CK_BYTES];
	int error = check_text("an IMPI", impi, SUPI_BYTES_MAX);

	if (error == 0)
		error = check_application(naf);
	if (error == 0) {
		const struct fan_kdf_parameter parameters[] = {
			TEXT(label), { rand, FAN_RAND_BYTES }, TEXT(impi), { naf->octets, naf->byte_count }
		};

		memcpy(ks, ck, FAN_CK_BYTES);
		memcpy(ks + FAN_CK_BYTES, ik, FAN_CK_BYTES);
		error = fan_kdf(out, ks, sizeof(ks), 0x01, parameters, COUNT_OF(parameters));
		explicit_bzero(ks, sizeof(ks));
	}
	if (error != 0)
		explicit_bzero(out, FAN_KDF_BYTES);
	return error;
}

/* ---- AKMA --------------------------------------------------------------------------------------------------------------- */

static int
derive_for_supi(uint8_t out[FAN_KDF_BYTES], const uint8_t k_ausf[FAN_KDF_BYTES], uint8_t fc, const char *label,
		const char *supi)
{
	int error = check_text("a SUPI", supi, SUPI_BYTES_MAX);

	if (error == 0) {
		const struct fan_kdf_parameter parameters[] = { TEXT(label), TEXT(supi) };

		error = fan_kdf(out, k_ausf, FAN_KDF_BYTES, fc, parameters, COUNT_OF(parameters));
	}
	if (error != 0)
		explicit_bzero(out, FAN_KDF_BYTES);
	return error;
}

int
fan_k_akma(uint8_t out[FAN_KDF_BYTES], const uint8_t k_ausf[FAN_KDF_BYTES], const char *supi)
{
	return derive_for_supi(out, k_ausf, 0x80, "AKMA", supi);
}

int
fan_akma_a_tid(uint8_t out[FAN_KDF_BYTES], const uint8_t k_ausf[FAN_KDF_BYTES], const char *supi)
{
	return derive_for_supi(out, k_ausf, 0x81, "A-TID", supi);
}

int
fan_k_af(uint8_t out[FAN_KDF_BYTES], const uint8_t k_akma[FAN_KDF_BYTES], const struct fan_application *af)
{
	const struct fan_kdf_parameter parameters[] = { { af->octets, af->byte_count } };
	const int error = check_application(af);

	if (error == 0)
		return fan_kdf(out, k_akma, FAN_KDF_BYTES, 0x82, parameters, COUNT_OF(parameters));
	explicit_bzero(out, FAN_KDF_BYTES);
	return error;
}
