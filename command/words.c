// Options and numbers of the command line.

#include "common.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

bool at_option(words_t* words) {
  const char* word = *words->next;
  if (!word || word[0] != '-' || !word[1]) return false; // "-" is standard input
  if (strcmp(word, "--") != 0) return true;
  ++words->next;
  return false;
}

const char* take_option(words_t* words, const char* name) {
  const char* word = *words->next;
  size_t length = strlen(name);
  if (strncmp(word, name, length) != 0) return NULL;
  if (word[length] == '=' && word[1] == '-') {
    ++words->next;
    return word + length + 1;
  }
  if (word[length]) return NULL;
  const char* value = *++words->next;
  if (!value) wrong_use(words->command, "%s needs a value", name);
  ++words->next;
  return value;
}

bool take_flag(words_t* words, const char* name) {
  if (strcmp(*words->next, name) != 0) return false;
  ++words->next;
  return true;
}

_Noreturn void unknown_option(const words_t* words) {
  wrong_use(words->command, "%s has no option '%s'", words->command, *words->next);
}

const char* take_file(words_t* words) {
  if (!*words->next) wrong_use(words->command, "%s needs a file", words->command);
  if (!**words->next) wrong_use(words->command, "the name of the file is empty");
  return *words->next++;
}

void expect_end(const words_t* words) {
  if (*words->next) wrong_use(words->command, "'%s' is one word too many", *words->next);
}

// Reads digits, and sets `end` to what follows. strtoull alone would accept spaces and signs.
static bool parse_digits(const char* text, const char** end, uint64_t* out) {
  uint64_t value = 0;
  *end = text;
  for (; isdigit((unsigned char)**end); ++*end) {
    uint64_t digit = (uint64_t)(**end - '0');
    if (value > (UINT64_MAX - digit) / 10) return false;
    value = value * 10 + digit;
  }
  *out = value;
  return *end != text;
}

bool parse_number(const char* text, uint64_t* out) {
  const char* end;
  return parse_digits(text, &end, out) && !*end;
}

bool parse_bytes(const char* text, uint64_t* out) {
  const char* end;
  uint64_t value;
  if (!parse_digits(text, &end, &value)) return false;
  int shift = 0;
  switch (toupper((unsigned char)*end)) {
    case 'K': shift = 10; break;
    case 'M': shift = 20; break;
    case 'G': shift = 30; break;
    default: break;
  }
  if (end[shift ? 1 : 0] || value > UINT64_MAX >> shift) return false;
  *out = value << shift;
  return true;
}

bool parse_time(const char* text, uint64_t* out) {
  // Of what strtod reads, only digits and a point.
  size_t length = strspn(text, "0123456789.");
  char* end;
  double value = strtod(text, &end);
  if (length == 0 || end != text + length) return false;
  if (!*end || strcmp(end, "s") == 0)
    value *= 1e9;
  else if (strcmp(end, "ms") == 0)
    value *= 1e6;
  else if (strcmp(end, "m") == 0)
    value *= 60e9;
  else
    return false;
  if (!(value < 9e18)) return false; // some 285 years
  *out = (uint64_t)value;
  return true;
}
