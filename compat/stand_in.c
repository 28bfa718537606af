// A library with nothing in it but its name and what it depends on.
typedef int stand_in_t;
