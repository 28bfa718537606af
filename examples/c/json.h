// Just enough JSON for source_map.c: finds the strings of a source map in place, without copying
// them. It does not validate. It returns NULL for what it does not find, and never reads beyond the
// zero that ends the text.

#ifndef JSON_H
#define JSON_H

#include <string.h>

static inline const char* json_skip_space(const char* at) {
  return at + strspn(at, " \t\r\n");
}

// Returns the closing quote of the string whose opening quote is at `at`.
static inline const char* json_string_end(const char* at) {
  for (++at; *at && *at != '"'; ++at) {
    if (*at == '\\' && at[1]) ++at; // an escaped quote does not end it
  }
  return *at ? at : NULL;
}

// Returns the value of this member of the outermost object; ignores members of inner objects.
static inline const char* json_member(const char* text, const char* name) {
  int depth = 0;
  for (const char* at = text; *at; ++at) {
    if (*at == '{' || *at == '[') ++depth;
    if (*at == '}' || *at == ']') --depth;
    if (*at != '"') continue;
    const char* end = json_string_end(at);
    if (!end) return NULL;
    const char* after = json_skip_space(end + 1);
    size_t length = (size_t)(end - at - 1);
    if (depth == 1 && *after == ':' && length == strlen(name) && !memcmp(at + 1, name, length)) {
      return json_skip_space(after + 1);
    }
    at = end;
  }
  return NULL;
}

// Returns the content of a string value, with its escapes unchanged, and sets `*length`.
static inline const char* json_string(const char* value, size_t* length) {
  const char* end = value && *value == '"' ? json_string_end(value) : NULL;
  if (!end) return NULL;
  *length = (size_t)(end - value - 1);
  return value + 1;
}

// The same for the element at this index in an array of strings.
static inline const char* json_string_at(const char* array, size_t index, size_t* length) {
  const char* at = array && *array == '[' ? json_skip_space(array + 1) : NULL;
  for (; at && index > 0; --index) {
    const char* end = *at == '"' ? json_string_end(at) : NULL;
    at = end ? json_skip_space(end + 1) : NULL;
    at = at && *at == ',' ? json_skip_space(at + 1) : NULL;
  }
  return json_string(at, length);
}

#endif
